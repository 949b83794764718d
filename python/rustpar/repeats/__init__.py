"""Runs that repeat every test (``--rustpar-repeat``)."""
