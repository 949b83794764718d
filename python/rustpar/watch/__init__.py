"""``rustpar watch``: runs tests when files change."""
