"""Tests of coverage, collected only if coverage.py and pytest-cov are installed (`dev.py plugins` installs them)."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("coverage") and find_spec("pytest_cov") else ["test_*.py"]
