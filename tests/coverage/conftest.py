"""Coverage: collected only where coverage.py and pytest-cov are installed, which `dev.py plugins` sees to."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("coverage") and find_spec("pytest_cov") else ["test_*.py"]
