"""Threads of native libraries do not survive a fork, so a library that starts some makes workers early."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

# A thread pool with one thread: `work` gives it a task and returns whether it was done within two seconds.
# With EAGER the pool starts when the library is loaded; with CALM it ends before a fork, like that of OpenBLAS.
POOL = r"""
#define _GNU_SOURCE
#include <pthread.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t asked = PTHREAD_COND_INITIALIZER, done = PTHREAD_COND_INITIALIZER;
static int jobs, finished, running;
static pthread_t thread;

static void *serve(void *unused) {
    pthread_mutex_lock(&lock);
    while (running) {
        while (jobs == finished && running) pthread_cond_wait(&asked, &lock);
        finished = jobs;
        pthread_cond_broadcast(&done);
    }
    pthread_mutex_unlock(&lock);
    return 0;
}

void start(void) { if (!running) { running = 1; pthread_create(&thread, 0, serve, 0); } }

void stop(void) {
    pthread_mutex_lock(&lock);
    running = 0;
    pthread_cond_broadcast(&asked);
    pthread_mutex_unlock(&lock);
    pthread_join(thread, 0);
}

int work(void) {
    struct timespec limit;
    start();
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 2;
    pthread_mutex_lock(&lock);
    int job = ++jobs, late = 0;
    pthread_cond_signal(&asked);
    while (finished < job && !late) late = pthread_cond_timedwait(&done, &lock, &limit);
    pthread_mutex_unlock(&lock);
    return !late;
}

#ifdef EAGER
__attribute__((constructor)) static void load(void) { start(); }
#endif
#ifdef CALM
__attribute__((constructor)) static void prepare(void) { pthread_atfork(stop, 0, 0); }
#endif
"""

TESTS = """
    import pytest
    from pool import POOL

    @pytest.mark.parametrize("n", range(4))
    def test_it(n): assert POOL.work()
"""


LOAD = "import ctypes\nimport os\nPOOL = ctypes.CDLL(os.path.join(os.path.dirname(__file__), {!r}))\n"


@pytest.fixture
def pool(suite: Suite) -> Suite:
    """Return a suite with the library and a module `pool` that loads it."""
    build(suite, "libpool.so")
    suite.write({"pool.py": LOAD.format("libpool.so")})
    suite.test(TESTS)
    return suite


@functools.cache
def compiled(*options: str) -> bytes:
    """Return the compiled library."""
    compiler = shutil.which("cc")
    assert compiler is not None
    with tempfile.TemporaryDirectory() as directory:
        source, library = Path(directory, "pool.c"), Path(directory, "pool.so")
        source.write_text(POOL)
        subprocess.run([compiler, "-shared", "-fPIC", "-pthread", *options, "-o", library, source], check=True)
        return library.read_bytes()


def build(suite: Suite, name: str, *options: str) -> None:
    """Put the library into a suite."""
    (suite.path / name).write_bytes(compiled(*options))


def test_a_pool_started_during_collection_makes_workers_early(pool: Suite) -> None:
    pool.conftest("import os\nfrom pool import POOL\n\nPOOL.start()\n\nimport colorsys\n")
    run = pool.run()
    assert run.counts() == {"passed": 4}
    found = re.search(r"start: early \((conftest\.py:\d) leaves a native thread of libpool.so running", run.text)
    assert found is not None, run.text
    assert found[1] == "conftest.py:4"


def test_a_pool_does_not_work_after_a_fork(pool: Suite) -> None:
    pool.conftest("from pool import POOL\nPOOL.start()\n")
    assert "failed" in pool.run("--rustpar-start=template").counts()


def test_a_pool_started_when_its_library_is_loaded_makes_workers_early(pool: Suite) -> None:
    build(pool, "libpool.so", "-DEAGER")
    pool.conftest("import pool\n")
    run = pool.run()
    assert run.counts() == {"passed": 4}
    assert "leaves a native thread of libpool.so running" in run.line("start: early")


def test_a_package_that_starts_a_pool_at_its_import_is_named(pool: Suite) -> None:
    build(pool, "libpool.so", "-DEAGER")
    pool.conftest("import json\nimport heavy\nimport colorsys\n")
    pool.write({"heavy/__init__.py": "import heavy.core\n", "heavy/core.py": "import pool\nimport sndhdr_\n"})
    pool.write({"sndhdr_.py": ""})
    run = pool.run()
    assert run.counts() == {"passed": 4}
    assert "leaves a native thread of libpool.so running" in run.line("start: early")


def test_a_pool_started_by_a_test_module_makes_workers_early(pool: Suite) -> None:
    pool.test(TESTS + "    POOL.work()\n")
    run = pool.run()
    assert run.counts() == {"passed": 4}
    assert re.search(r"start: early \(test_it\.py:\d+ leaves a native thread", run.text), run.text


def test_a_stopped_pool_is_not_a_reason(pool: Suite) -> None:
    pool.conftest("from pool import POOL\nPOOL.work()\nPOOL.stop()\n")
    run = pool.run()
    assert run.counts() == {"passed": 4}
    assert run.start() == "template"


def test_an_unused_pool_is_not_a_reason(pool: Suite) -> None:
    assert pool.run().start() == "template"


@pytest.mark.parametrize("name", ["libopenblas.so", "libscipy_openblas64_-ff651d7f.so"])
def test_a_pool_prepared_for_a_fork_is_not_a_reason(pool: Suite, name: str) -> None:
    build(pool, name, "-DCALM")
    pool.write({"pool.py": LOAD.format(name)})
    pool.conftest("from pool import POOL\nassert POOL.work()\n")
    run = pool.run()
    assert run.counts() == {"passed": 4}
    assert run.start() == "template"


def test_a_second_library_with_an_unprepared_pool_is_detected(pool: Suite) -> None:
    build(pool, "libopenblas.so", "-DCALM")
    pool.conftest(
        "import ctypes\nfrom pool import POOL\n"
        "BLAS = ctypes.CDLL('./libopenblas.so')\nassert BLAS.work()\nPOOL.start()\n"
    )
    run = pool.run()
    assert run.counts() == {"passed": 4}
    assert "leaves a native thread of libpool.so running" in run.line("start: early")


def test_a_plugin_with_a_pool_makes_xdists_engine_run(pool: Suite) -> None:
    pool.write({"eager.py": "from pool import POOL\nPOOL.start()\n"})
    run = pool.run("-p", "eager")
    assert run.counts()["passed"] == 4
    assert "start: xdist (this process already has a native thread of libpool.so" in run.text


def test_a_plugin_with_a_prepared_pool_uses_rustpars_engine(pool: Suite) -> None:
    build(pool, "libopenblas.so", "-DCALM")
    pool.write({"calm.py": "import ctypes\nBLAS = ctypes.CDLL('./libopenblas.so')\nBLAS.work()\n"})
    run = pool.run("-p", "calm")
    assert run.counts() == {"passed": 4}
    assert run.start() == "template"


def test_threads_that_exit_during_the_check_are_not_a_reason(suite: Suite) -> None:
    suite.conftest(
        """
        import threading

        def pytest_collection_finish(session):
            for _ in range(30):
                threads = [threading.Thread(target=int) for _ in range(10)]
                for thread in threads: thread.start()
                for thread in threads: thread.join()
        """
    )
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    for _ in range(3):
        run = suite.run()
        assert run.start() == "template", run.text
