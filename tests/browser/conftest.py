"""The timeline page in Chromium: collected only where selenium is installed, which `dev.py test` sees to."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("selenium") else ["test_*.py"]
