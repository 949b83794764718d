"""Writes the test suites of the comparison, and computes the duration of an ideal schedule.

Tests that sleep multiply their time by the environment variable ``COMPARE_SLEEP``, so that runs whose time is not
measured do not wait.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

NO_SLEEP = {"COMPARE_SLEEP": "0"}
PAUSE = """\
import os
import time

SCALE = float(os.environ.get("COMPARE_SLEEP", "1"))


def pause(seconds):
    time.sleep(seconds * SCALE)
"""


# Conftests with state that workers must not share: one is detected at once, one at the end of the collection.
UNSAFE_CONFTESTS = {
    "name": "import os\nDATABASE = f\"test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}\"\n",
    "thread": "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n",
}


def begin(root: Path) -> Path:
    """Create an empty suite with its own configuration file, so that no configuration in a parent is found."""
    root.mkdir(parents=True)
    (root / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return root


def write(root: Path, number: int, lines: Iterable[str]) -> None:
    """Write test file ``number``."""
    (root / f"test_{number:03}.py").write_text("\n".join(lines) + "\n", encoding="utf-8")


def trivial(root: Path, tests: int, files: int) -> Path:
    """Make ``tests`` tests that do next to nothing, spread evenly over ``files`` files."""
    begin(root)
    for number in range(files):
        count = tests // files + (number < tests % files)
        write(root, number, (f"def test_{i:04}():\n    assert {i} + 1 == {i + 1}\n" for i in range(count)))
    return root


def importing(root: Path, files: int) -> Path:
    """Make files with five small tests each that import numpy and pandas."""
    begin(root)
    for number in range(files):
        tests = (
            f"def test_{i}():\n    assert np.arange({i + 2}).sum() == pd.Series(range({i + 2})).sum()\n"
            for i in range(5)
        )
        write(root, number, ["import numpy as np", "import pandas as pd", "", "", *tests])
    return root


def sleeping(root: Path, seconds: Sequence[float], per_file: int) -> Path:
    """Make one test for each entry of ``seconds``, which sleeps for that time."""
    begin(root)
    for number, first in enumerate(range(0, len(seconds), per_file)):
        chunk = enumerate(seconds[first : first + per_file])
        write(root, number, [PAUSE, "", *(f"def test_{i:03}():\n    pause({s})\n" for i, s in chunk)])
    return root


def skewed_seconds(seed: int, shrink: int = 1) -> list[float]:
    """Return shuffled durations, most short, a few long: 120 s in all, the longest 3 s, over ``shrink``."""
    seconds = [3.0] * 2 + [1.5] * 10 + [0.5] * 60 + [0.1] * 690
    seconds = [s / shrink for s in seconds]
    random.Random(seed).shuffle(seconds)
    return seconds


def module_fixtures(root: Path, modules: Sequence[int], setup: float, test: float) -> Path:
    """Make one module per entry with that many tests and a module-scoped fixture; both sleep."""
    begin(root)
    for number, tests in enumerate(modules):
        fixture = f"@pytest.fixture(scope='module')\ndef service():\n    pause({setup})\n"
        head = f"import pytest\n{PAUSE}\n\n{fixture}"
        body = (f"def test_{i:03}(service):\n    pause({test})\n" for i in range(tests))
        write(root, number, [head, "", *body])
    return root


def list_schedule(seconds: Iterable[float], workers: int) -> float:
    """Return when the last worker ends if each free worker takes the next test of the list."""
    free = [0.0] * workers
    for duration in seconds:
        heapq.heapreplace(free, free[0] + duration)
    return max(free)


def best_list_schedule(seconds: Iterable[float], workers: int) -> float:
    """Return the duration of a list schedule that starts the longest tests first."""
    return list_schedule(sorted(seconds, reverse=True), workers)


def lower_bound(seconds: Sequence[float], workers: int) -> float:
    """Return the time no schedule can beat."""
    return max(sum(seconds) / workers, max(seconds))
