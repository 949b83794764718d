"""The quarantine: tests whose failures are shown and do not fail the run."""
