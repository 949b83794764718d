"""Exit of workers: exit functions run in each worker, after the last test of the run."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.harness import RUN_LIMIT, Suite

if TYPE_CHECKING:
    from pathlib import Path

# Two tests, one for each worker.
TESTS = """
    import time
    import pytest
    @pytest.mark.parametrize("n", range(8))
    def test_it(n): time.sleep(0.05)
"""


def exit_notes(suite: Suite) -> list[str]:
    """Return what exit functions have written, in order of names."""
    return sorted(path.name for path in suite.path.glob("left-*"))


# Ways to register the function `leave`; the last one removes those of the others.
WAYS = {
    "atexit": "atexit.register(leave)",
    "finalize": "weakref.finalize(leave, leave)",
    "threading": "threading._register_atexit(leave)",
    "sessionstart": "def pytest_sessionstart(session): atexit.register(leave)",
    "multiprocessing": "multiprocessing.util.Finalize(None, leave, exitpriority=1)",
    "clear": "def pytest_runtest_setup(item): atexit._clear(); atexit.register(leave)",
}


@pytest.mark.parametrize("start", ["template", "early"])
@pytest.mark.parametrize("ways", [list(WAYS)[:-1], list(WAYS)[-1:]], ids=["registered", "cleared"])
def test_exit_functions_run_in_each_worker(suite: Suite, start: str, ways: list[str]) -> None:
    for way in ways:
        suite.write(
            {
                f"{way}_leaves.py": f"""
                import atexit, multiprocessing.util, os, threading, weakref
                def leave():
                    name = os.environ.get("PYTEST_XDIST_WORKER", "controller")
                    with open(f"left-{{name}}-{way}", "a") as file:
                        file.write("x")
                {WAYS[way]}
                """
            }
        )
    suite.conftest(f"pytest_plugins = {[f'{way}_leaves' for way in ways]}\n")
    suite.test(TESTS)
    run = suite.run(f"--rustpar-start={start}")
    assert run.counts() == {"passed": 8}
    found = set(exit_notes(suite))
    assert {f"left-{worker}-{way}" for worker in ("gw0", "gw1") for way in ways} <= found
    assert {name for name in found if (suite.path / name).read_text() != "x"} == set()


def test_no_worker_removes_what_another_worker_still_needs(suite: Suite) -> None:
    suite.conftest(
        """
        import atexit, os, shutil
        os.makedirs("shared", exist_ok=True)
        if "PYTEST_XDIST_WORKER" in os.environ:
            atexit.register(shutil.rmtree, "shared", ignore_errors=True)
        """
    )
    suite.test(
        """
        import os, time
        def test_short(): assert os.path.isdir("shared")
        def test_long():
            time.sleep(1)
            assert os.path.isdir("shared")
        """
    )
    assert suite.run("--rustpar-start=template").counts() == {"passed": 2}
    assert not (suite.path / "shared").exists()


@pytest.mark.parametrize("start", ["template", "early"])
def test_logging_is_shut_down_and_daemonic_children_are_ended(suite: Suite, start: str) -> None:
    suite.test(
        """
        import logging.handlers, multiprocessing, os, time
        def test_logs():
            target = logging.FileHandler(f"left-{os.environ['PYTEST_XDIST_WORKER']}")
            logger = logging.getLogger("kept")
            logger.addHandler(logging.handlers.MemoryHandler(1000, logging.CRITICAL, target))
            logger.warning("kept until the end")
        def test_child():
            multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,), daemon=True).start()
        """
    )
    # The harness checks that no process is left.
    assert suite.run(f"--rustpar-start={start}").counts() == {"passed": 2}
    (file,) = exit_notes(suite)
    assert (suite.path / file).read_text() == "kept until the end\n"


def test_exit_handlers_of_a_c_library_run(suite: Suite, tmp_path: Path) -> None:
    source = tmp_path / "counting.c"
    source.write_text(
        """
        #include <stdio.h>
        #include <stdlib.h>
        static char name[64];
        static void leave(void) { FILE *file = fopen(name, "w"); fputs("counted", file); }
        void begin(const char *path) { snprintf(name, sizeof name, "%s", path); atexit(leave); }
        """
    )
    library = tmp_path / "counting.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True, timeout=RUN_LIMIT)
    suite.test(
        f"""
        import ctypes, os
        def test_it(): ctypes.CDLL({str(library)!r}).begin(b"left-" + os.environ["PYTEST_XDIST_WORKER"].encode())
        def test_other(): pass
        """
    )
    assert suite.run().counts() == {"passed": 2}
    (file,) = exit_notes(suite)
    assert (suite.path / file).read_text() == "counted"


@pytest.mark.parametrize("start", ["template", "early"])
def test_a_worker_that_does_not_exit_is_named_once_and_its_results_are_kept(suite: Suite, start: str) -> None:
    suite.conftest(
        """
        import os
        import rustpar.controller.session
        if "PYTEST_XDIST_WORKER" not in os.environ:
            rustpar.controller.session.EXIT_TIMEOUT = 1.0
        """
    )
    suite.test(
        """
        import atexit, time
        def test_hangs(): atexit.register(time.sleep, 600)
        def test_other(): pass
        """
    )
    run = suite.run(f"--rustpar-start={start}")
    assert run.counts() == {"passed": 2}
    assert run.ret == 0
    assert run.text.count("did not end within 1 s") == 1


def test_a_replaced_worker_passes_inherited_exit_functions_to_its_replacement(suite: Suite) -> None:
    suite.conftest(
        """
        import atexit, os, shutil
        os.makedirs("shared", exist_ok=True)
        if "PYTEST_XDIST_WORKER" in os.environ:
            atexit.register(shutil.rmtree, "shared", ignore_errors=True)
        """
    )
    suite.test(
        """
        import atexit, os, time
        import pytest
        kept = []
        def leave(): open(f"left-{os.getpid()}", "w").close()
        @pytest.mark.parametrize("n", range(12))
        def test_it(n):
            assert os.path.isdir("shared")
            if not kept:
                atexit.register(leave)
            kept.append(b"x" * (64 << 20))
            time.sleep(0.05)
        """
    )
    run = suite.run("--rustpar-start=template", "--rustpar-max-rss=200M")
    assert run.counts() == {"passed": 12}
    # More workers than the two that run at a time, and each has run its own exit functions.
    assert len(exit_notes(suite)) > 2
    assert not (suite.path / "shared").exists()
