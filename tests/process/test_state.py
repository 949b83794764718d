"""The process state at the first test of a worker: as in plain pytest, or as under xdist where that differs."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

# Process state that a test sees; values that differ in every process have a name in front.
STATE = """
    import faulthandler, gc, json, locale, os, resource, signal, sys, threading, time, warnings

    def status(*names):
        with open("/proc/self/status") as file:
            lines = dict(line.rstrip().split(":", 1) for line in file)
        return {name: lines[name].strip() for name in names if name in lines}

    def state():
        return {
            "handlers": {
                str(number): kind(signal.getsignal(number))
                for number in signal.valid_signals()
                if number < signal.SIGRTMIN
            },
            "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
            "wakeup": signal_wakeup(),
            "timers": [signal.getitimer(kind)[0] > 0 for kind in range(3)],
            "directory": os.getcwd(),
            "gc": [gc.isenabled(), gc.get_threshold(), gc.get_debug(), [repr(one) for one in gc.callbacks]],
            "recursion": sys.getrecursionlimit(),
            "switch": sys.getswitchinterval(),
            "digits": getattr(sys, "get_int_max_str_digits", lambda: 0)(),
            "limits": [resource.getrlimit(kind) for kind in range(16)],
            "locale": locale.setlocale(locale.LC_ALL),
            "preferred": locale.getpreferredencoding(False),
            "faulthandler": faulthandler.is_enabled(),
            "filters": [str(one) for one in warnings.filters],
            "showwarning": warnings.showwarning.__module__,
            "flags": list(sys.flags),
            "options": list(sys.warnoptions),
            "path": sys.path,
            "hooks": [kind(sys.excepthook), kind(sys.displayhook), kind(sys.unraisablehook)],
            "trace": [sys.gettrace() is None, sys.getprofile() is None],
            "trace of threads": [threading._trace_hook is None, threading._profile_hook is None],
            "threads": threading.active_count(),
            "is main": threading.current_thread() is threading.main_thread(),
            "own": len(os.listdir("/proc/self/task")),
            "nice": os.nice(0),
            "priority": open("/proc/self/oom_score_adj").read().strip(),
            "affinity": sorted(os.sched_getaffinity(0)),
            "scheduler": os.sched_getscheduler(0),
            "session": os.getsid(0) == int(os.environ["RUN_SESSION"]),
            "terminal": has_terminal(),
            "status": status("Name", "Umask", "SigIgn", "SigBlk", "NoNewPrivs", "Seccomp", "Speculation_Store_Bypass"),
            "slack": open("/proc/self/timerslack_ns").read().strip(),
            "environment": {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "RUN_"))},
            "main": sys.modules["__main__"].__name__,
            "executable": [sys.executable, sys.prefix, sys.dont_write_bytecode, sys.pycache_prefix],
            "subreaper": subreaper(),
        }

    def kind(function):
        # Without addresses.
        return getattr(function, "__qualname__", None) or str(function).partition(" at 0x")[0]

    def signal_wakeup():
        found = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(found)
        return found >= 0

    def has_terminal():
        try:
            os.close(os.open("/dev/tty", os.O_RDWR))
        except OSError:
            return False
        return True

    def subreaper():
        import ctypes
        found = ctypes.c_int(-1)
        ctypes.CDLL(None).prctl(37, ctypes.byref(found), 0, 0, 0)
        return found.value
"""

TESTS = """
    import json, os, sys
    import pytest
    from state import state

    @pytest.mark.parametrize("turn", range(2))
    def test_it(turn):
        worker = os.environ.get("PYTEST_XDIST_WORKER")
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"state-{worker}")
        if not os.path.exists(path):
            with open(path, "w") as file:
                json.dump(state(), file)
        # Nothing to read, in any run mode.
        assert sys.stdin is None or not sys.stdin.isatty()
"""

# State that a conftest may change.
CHANGES = {
    "nothing": "",
    "everything": """
        import faulthandler, gc, locale, os, resource, signal, sys, threading, warnings

        def pytest_configure(config):
            signal.signal(signal.SIGUSR2, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])
            signal.setitimer(signal.ITIMER_VIRTUAL, 1000)
            signal.setitimer(signal.ITIMER_PROF, 1000)
            os.umask(0o077)
            gc.set_threshold(1234, 5, 6)
            sys.setrecursionlimit(2345)
            sys.setswitchinterval(0.25)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            locale.setlocale(locale.LC_ALL, "C")
            os.nice(1)
            os.environ["FROM_CONFTEST"] = "yes"
            warnings.simplefilter("ignore", ResourceWarning)
            sys.path.insert(0, "/nowhere")
            signal.set_wakeup_fd(os.eventfd(0, os.EFD_NONBLOCK))

        # It changes some of that in every child.
        import asyncio

        def pytest_collection_finish():
            os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "elsewhere"))
    """,
}


def states(suite: Suite, run_mode: str) -> dict[str, dict[str, Any]]:
    """Return the state that tests found, by worker."""
    for path in suite.path.glob("state-*"):
        path.unlink()
    given = ["--rustpar-start=" + run_mode] if run_mode != "plain" else []
    run = suite.run_with({"RUN_SESSION": str(os.getsid(0))}, *given, n=None if run_mode == "plain" else "2")
    assert run.counts().get("passed") == 2, run.text
    return {path.name: json.loads(path.read_text()) for path in suite.path.glob("state-*")}


@pytest.mark.parametrize("change", CHANGES)
def test_the_state_of_a_worker_is_that_of_plain_pytest(suite: Suite, change: str) -> None:
    (suite.path / "elsewhere").mkdir()
    suite.write({"state.py": STATE})
    suite.conftest(CHANGES[change])
    suite.test(TESTS)
    (plain,) = states(suite, "plain").values()
    xdist = states(suite, "xdist")["state-gw0"]
    for run_mode in ("template", "early"):
        for worker, found in states(suite, run_mode).items():
            expected = {name: xdist[name] if value == xdist[name] else plain[name] for name, value in found.items()}
            assert found == expected, f"{run_mode}, {worker}"


# Two timers at once, where they are different ones.
TIMERS = {
    "alarm and virtual": (
        "signal.alarm(50); signal.setitimer(signal.ITIMER_VIRTUAL, 50)",
        "10 < signal.alarm(0) <= 50 and within(signal.ITIMER_VIRTUAL, 50, 0)",
    ),
    "real and profiling": (
        "signal.setitimer(signal.ITIMER_REAL, 50, 7); signal.setitimer(signal.ITIMER_PROF, 50, 3)",
        "within(signal.ITIMER_REAL, 50, 7) and within(signal.ITIMER_PROF, 50, 3)",
    ),
    "none": ("signal.setitimer(signal.ITIMER_REAL, 50); signal.alarm(0)", "signal.alarm(0) == 0"),
    "rings": (
        "rang = []; signal.signal(signal.SIGALRM, lambda *_: rang.append(1)); signal.alarm(2)",
        "rang or [time.sleep(0.1) for _ in range(100) if not rang] and rang",
    ),
}

SETTING = """
    import os, signal, time
    SET

    def within(kind, left, interval):
        found = signal.getitimer(kind)
        return 10 < found[0] <= left and found[1] == interval
"""


# Early workers that load a conftest set its timers themselves.
@pytest.mark.parametrize(
    ("kind", "run_mode", "where"),
    [
        ("alarm and virtual", "plain", "conftest"),
        ("alarm and virtual", "early", "conftest"),
        *((kind, "template", where) for kind in TIMERS for where in ("conftest", "plugin")),
        *((kind, "early", "plugin") for kind in TIMERS),
    ],
)
def test_timers_continue_in_each_worker(suite: Suite, kind: str, run_mode: str, where: str) -> None:
    setting, holds = TIMERS[kind]
    suite.write({"setting.py": SETTING.replace("SET", setting)})
    suite.conftest("from setting import *\n")
    suite.test(
        f"""
        import pytest
        from support import meet
        from setting import *

        @pytest.mark.parametrize("me", range(2))
        def test_it(me):
            if os.environ.get("PYTEST_XDIST_WORKER"):
                meet(str(me), str(1 - me))
            assert ({holds}) or {run_mode == "plain"} and me == 1
        """
    )
    run = suite.run_in(run_mode, *(["-p", "setting"] if where == "plugin" else []))
    assert run.counts() == {"passed": 2}, run.text


def test_a_timer_is_not_a_reason_for_early(suite: Suite) -> None:
    suite.conftest("import signal\nsignal.alarm(100)\n")
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    assert suite.run().start() == "template"


def test_a_replacement_gets_the_full_remaining_time_of_a_timer(suite: Suite) -> None:
    suite.conftest("import signal\nsignal.alarm(60)\n")
    suite.test(
        """
        import os, signal

        def test_crash(): os.kill(os.getpid(), signal.SIGKILL)
        def test_other(): assert 10 < signal.alarm(0) <= 60
        """
    )
    assert suite.run_in("template", n="1").counts() == {"passed": 1, "failed": 1}


STREAMS = """
    import sys

    def facts(stream):
        names = "name", "mode", "encoding", "errors", "newlines", "closed"
        return [type(stream).__name__, repr(stream), stream.fileno(), *(getattr(stream, name) for name in names)]

    def test_it():
        found = [facts(getattr(sys, f"__{name}__")) for name in ("stdin", "stdout", "stderr")]
        with open("streams.txt", "a") as file:
            print(found, file=file)
"""


@pytest.mark.parametrize("args", [(), ("-s",)], ids=["captured", "-s"])
def test_standard_streams_have_the_names_of_plain_pytest(suite: Suite, args: tuple[str, ...]) -> None:
    suite.test(STREAMS)
    for run_mode in ("plain", "template") if args else ("plain", "template", "early"):
        assert suite.run_in(run_mode, *args).counts() == {"passed": 1}
    assert len(set((suite.path / "streams.txt").read_text().splitlines())) == 1


@pytest.mark.parametrize("run_mode", ["plain", "template", "early"])
def test_the_main_thread_has_the_correct_native_id(suite: Suite, run_mode: str) -> None:
    suite.test(
        """
        import os
        import threading

        def test_it(): assert threading.main_thread().native_id == threading.get_native_id() == os.getpid()
        def test_again(): test_it()
        """
    )
    assert suite.run_in(run_mode).counts() == {"passed": 2}
