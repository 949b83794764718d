"""Fixtures that are set up once per run (``rustpar_once``), for all workers."""
