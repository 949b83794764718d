"""Load tests: virtual users that run a test again and again over the workers; pacing and figures are native."""
