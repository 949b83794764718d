"""Tests that depend on files which differ from a git reference: ``--rustpar-changed``."""
