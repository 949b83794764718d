"""Failed tests that are tried again: in the process that runs them, and in the reports."""
