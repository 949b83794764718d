"""Tests of the timeline page in Chromium, collected only if selenium is installed (`dev.py test` installs it)."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("selenium") else ["test_*.py"]
