"""Fixtures of the plugin's tests; their classes are in `harness.py`."""

from __future__ import annotations

import os
import tempfile
import time
import uuid
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.register_assert_rewrite("tests.harness")

from tests.harness import (  # noqa: E402
    MARK,
    RUN_LIMIT,
    RUN_MODES,
    ForkCase,
    Suite,
    kill_leftover_processes,
    restore_default_signals,
)
from tests.launcher.client import Launching  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


# The tests whose runs are always new processes: of processes, of the garbage collector, of what is imported when, of
# what starts a run, of runs that must agree whatever their hash seeds, and those that run with every version of Python.
NEW_PROCESSES = (
    "collection/test_shard.py",
    "compat/test_being_installed.py",
    "compat/test_warnings.py",
    "controller/test_memory_of_reports.py",
    "controller/test_worker_count.py::test_failures_make_no_difference",
    "fork_safety/test_resource_origins.py",
    "fork_safety/test_test_data.py",
    "process/test_clocks.py",
    "process/test_crash_files.py",
    "process/test_exit_functions.py",
    "process/test_garbage.py",
    "process/test_replaced_functions.py",
    "process/test_state.py",
    "process/test_titles.py",
    "recording/test_resume.py",
    "warm/",
    "watch/",
    "worker/test_native_multicall",
)


def pytest_configure() -> None:
    """Let tests not depend on how they were started."""
    restore_default_signals()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--part`, which divides the tests among several environments."""
    parser.addoption("--part", metavar="K/N", help="Run the K-th of N parts of the tests, by their names.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests that are not in the part given by `--part`."""
    part = config.getoption("--part")
    if part is not None:
        number, parts = map(int, part.split("/"))
        place = {item: zlib.crc32(item.nodeid.encode()) % parts for item in items}
        config.hook.pytest_deselected(items=[item for item in items if place[item] != number - 1])
        items[:] = [item for item in items if place[item] == number - 1]


@pytest.fixture(autouse=True)
def _nothing_is_left_running(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail the test if a process of its runs is still running after it."""
    for name in list(os.environ):
        # The last two make pytest's output longer: it does not shorten summaries.
        if name.startswith(
            ("PYTEST_XDIST", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE", "RUSTPAR")
        ) or name in ("CI", "BUILD_NUMBER"):
            monkeypatch.delenv(name)
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    yield
    left = kill_leftover_processes(mark)
    assert not left, f"processes were left over: {left}"


@pytest.fixture(scope="session")
def launching() -> Launching | None:
    """What forks the runs of these tests; None if all are to be new processes."""
    return None if "TEST_NEW_PROCESSES" in os.environ else Launching()


@pytest.fixture
def launched_pytester(
    pytester: pytest.Pytester,
    launching: Launching | None,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> pytest.Pytester:
    """A `pytester` whose runs are forks, unless the test is one of `NEW_PROCESSES`."""
    node_id = request.node.nodeid.removeprefix("tests/")
    if launching is not None and not node_id.startswith(NEW_PROCESSES):
        monkeypatch.setattr(pytester, "popen", launching.popen_of(pytester))
    return pytester


@pytest.fixture
def suite(launched_pytester: pytest.Pytester) -> Suite:
    """An empty test suite."""
    return Suite(launched_pytester)


@pytest.fixture(params=RUN_MODES)
def run_mode(request: pytest.FixtureRequest) -> str:
    """A run mode: plain pytest, or workers with one of the start modes."""
    found: str = request.param
    return found


@pytest.fixture
def fork_case(launched_pytester: pytest.Pytester) -> Iterator[ForkCase]:
    """A suite to be compared under pytest-xdist and rustpar."""
    # Not below the directory of `pytester`, because paths of sockets must be short.
    with tempfile.TemporaryDirectory() as scratch:
        yield ForkCase(launched_pytester, Path(scratch))


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Return a function that waits until a condition is true."""

    def wait(condition: Callable[[], bool], limit: float = RUN_LIMIT / 2) -> None:
        end = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < end, "it never came to be"
            time.sleep(0.01)

    return wait
