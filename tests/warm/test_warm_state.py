"""A warm run goes on as if its process had just been started."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import resource
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.warm.environments import WarmSuite

# Writes the state of its process to a file.
STATE = """
    import json, locale, os, resource, signal, sys, threading, time, warnings
    sys_modules = sorted(sys.modules)
    import statistics, counted_state

    def stream(one):
        if one is None:
            return None
        return [one.encoding, one.errors, one.line_buffering, one.write_through, one.mode, one.name, one.isatty()]

    def signals():
        found = {}
        for number in sorted(signal.valid_signals()):
            handler = signal.getsignal(number)
            found[int(number)] = getattr(handler, "__name__", str(handler))
        return found

    def status(*names):
        with open("/proc/self/status") as lines:
            return [line for line in lines if line.startswith(names)]

    def test_state():
        main = sys.modules["__main__"]
        mask = os.umask(0)
        os.umask(mask)
        state = {
            "argv": sys.argv,
            "path": sys.path,
            "flags": list(sys.flags),
            "environment": {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")},
            "directory": os.getcwd(),
            "umask": mask,
            "limits": [resource.getrlimit(one) for one in range(16)],
            "signals": signals(),
            "blocked": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
            "streams": [stream(one) for one in (sys.__stdin__, sys.__stdout__, sys.__stderr__)],
            "files": sorted(set(os.listdir("/proc/self/fd")) & {"0", "1", "2"}),
            "main": [main.__name__, getattr(main, "__file__", None), getattr(main.__spec__, "name", None)],
            "threads": threading.active_count(),
            "locale": locale.setlocale(locale.LC_ALL),
            "zone": time.tzname,
            "warnings": [str(one) for one in warnings.filters],
            "modules": [one for one in sys_modules if not one.startswith(("rustpar", "_distutils"))],
            "package": sorted(vars(counted_state)),
            "nice": os.getpriority(os.PRIO_PROCESS, 0),
            "cpus": sorted(os.sched_getaffinity(0)),
            "recursion": sys.getrecursionlimit(),
            "capabilities": status("Cap", "Uid", "Gid", "Groups", "Seccomp", "NoNewPrivs"),
            "standard": [repr(one) for one in (statistics, json, os)],
        }
        with open("state.json", "w") as file:
            json.dump(state, file)
"""


def prepare(suite: WarmSuite) -> None:
    """Install a package, and write a test of the state."""
    suite.install("counted_state", "import decimal\nVALUE = 1\n")
    suite.write({"test_state.py": STATE, "sub/test_other.py": "def test_other(): pass\n"})


def state_of(suite: WarmSuite, run: Callable[[], subprocess.CompletedProcess[str]], *, is_cold: bool) -> dict[str, Any]:
    """Return the state that the test has seen in a run."""
    path = suite.path / "state.json"
    path.unlink(missing_ok=True)
    ended = run()
    assert path.exists(), ended.stdout + ended.stderr
    assert ("cold start" in ended.stdout) == is_cold, ended.stdout
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def compare(suite: WarmSuite, run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """Assert that a warm run sees the state of a cold one; `run` gets arguments of pytest."""
    warm = state_of(suite, run, is_cold=False)
    cold = state_of(suite, lambda: run("-p", "no:rustpar", "-o", "filterwarnings=ignore"), is_cold=False)
    # Only the options differ.
    for state in (warm, cold):
        state.pop("argv")
        state.pop("warnings")
    # The names of rustpar's own hooks are not those of pytest alone.
    extra = set(warm.pop("modules")) - set(cold.pop("modules"))
    assert not [name for name in extra if name.partition(".")[0] in ("counted_state", "statistics", "decimal")]
    assert warm == cold


def test_everything_is_as_in_a_new_process(warm_suite: WarmSuite) -> None:
    prepare(warm_suite)
    cold = state_of(warm_suite, lambda: warm_suite.run("-v", "-p", "no:randomly"), is_cold=True)
    warm_suite.wait_for_server()
    warm = state_of(warm_suite, lambda: warm_suite.run("-v", "-p", "no:randomly"), is_cold=False)
    # Those that only the client needs, and those that only a server needs.
    modules = set(cold.pop("modules")) ^ set(warm.pop("modules"))
    assert not modules & {"statistics", "counted_state", "fractions", "decimal", "_decimal", "numbers"}, modules
    assert warm == cold


@pytest.mark.parametrize("variant", ["umask", "limits", "directory", "variables", "nice", "signals", "no stdin"])
def test_what_the_client_has_inherited_is_inherited(warm_suite: WarmSuite, variant: str) -> None:
    prepare(warm_suite)
    warm_suite.warm_up()

    def prepare_process() -> None:
        if variant == "umask":
            os.umask(0o027)
        elif variant == "limits":
            resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        elif variant == "nice":
            os.nice(3)
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        elif variant == "signals":
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        elif variant == "no stdin":
            os.close(0)

    variables = warm_suite.variables | ({"A_VARIABLE": "änd so on", "PATH": "/bin"} if variant == "variables" else {})
    directory = "sub" if variant == "directory" else ""
    test = "../test_state.py" if directory else "test_state.py"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return warm_suite.run("-v", test, *arguments, directory=directory, env=variables, preexec_fn=prepare_process)

    (warm_suite.path / "sub" / "state.json").unlink(missing_ok=True)
    if directory:
        # The state is written to the current directory.
        warm_suite.write({"test_state.py": STATE.replace('open("state.json"', 'open("../state.json"')})
    compare(warm_suite, run)


def test_standard_streams_are_the_clients(warm_suite: WarmSuite) -> None:
    warm_suite.write(
        {
            "test_it.py": """
            import sys
            def test_it():
                print("to output", sys.stdin.readline())
                print("to errors", file=sys.stderr)
            """
        }
    )
    warm_suite.warm_up("-s")
    for command in (
        warm_suite.command("-s", "-v"),
        [*warm_suite.command()[:1], "-m", "rustpar.cli", "run", "-s", "-v"],
    ):
        run = subprocess.run(
            command,
            cwd=warm_suite.path,
            env=warm_suite.variables,
            input="from a pipe\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "to output from a pipe" in run.stdout
        assert "cold start" not in run.stdout
        assert run.stderr == "to errors\n"


def read_terminal(controller: int) -> Iterator[str]:
    """Yield the output until nobody has the terminal open."""
    with contextlib.suppress(OSError):
        while True:
            yield os.read(controller, 65536).decode(errors="replace")


def test_a_terminal_has_its_size_and_colors(warm_suite: WarmSuite) -> None:
    warm_suite.write(
        {"test_it.py": "import shutil\ndef test_it(): print('columns', shutil.get_terminal_size().columns)"}
    )
    warm_suite.warm_up()
    outputs: list[str] = []
    for options in (("-p", "no:rustpar"), ()):
        controller, terminal = pty.openpty()
        try:
            subprocess.run(["stty", "cols", "91", "rows", "30"], stdin=terminal, check=True)
            process = subprocess.Popen(
                warm_suite.command("-s", *options),
                cwd=warm_suite.path,
                env=warm_suite.variables | {"TERM": "xterm"},
                stdin=terminal,
                stdout=terminal,
                stderr=terminal,
            )
            os.close(terminal)
            outputs.append("".join(read_terminal(controller)))
            assert process.wait(60) == 0
        finally:
            os.close(controller)
    for output in outputs:
        assert "columns 91" in output
        assert "\x1b[32m" in output
        assert "=" * 30 in output


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("def test_it(): pass", 0),
        ("def test_it(): assert False", 1),
        ("", 5),
        ("import pytest\ndef test_it(): pytest.exit('enough', 77)", 77),
        ("import os\ndef test_it(): os._exit(9)", 9),
        ("import os, signal\ndef test_it(): os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("import os, signal\ndef test_it(): os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ("import os\ndef test_it(): os.abort()", -signal.SIGABRT),
    ],
)
def test_the_exit_status_or_signal_is_that_of_the_run(warm_suite: WarmSuite, text: str, status: int) -> None:
    warm_suite.write({"test_it.py": "def test_it(): pass"})
    warm_suite.warm_up()
    warm_suite.write({"test_it.py": text})
    run = warm_suite.run("-v")
    assert "cold start" not in run.stdout
    assert run.returncode == status, run.stdout + run.stderr


def test_usage_errors_and_exit_functions_are_those_of_a_new_process(warm_suite: WarmSuite) -> None:
    warm_suite.write(
        {"conftest.py": "import atexit\natexit.register(print, 'the end')", "test_it.py": "def test_it(): pass"}
    )
    warm_suite.warm_up()
    assert warm_suite.run().stdout.endswith("the end\n")
    run = warm_suite.run("--no-such-option")
    assert run.returncode == 4
    assert "unrecognized arguments: --no-such-option" in run.stderr


def test_a_plugin_a_python_path_and_options_of_python_are_heeded(warm_suite: WarmSuite) -> None:
    warm_suite.write(
        {
            "own_plugin.py": "def pytest_report_header(): return 'own plugin'",
            "elsewhere/on_path.py": "WHERE = 'elsewhere'",
            "test_it.py": "def test_it(): pass",
        }
    )
    warm_suite.warm_up()
    warm_suite.write({"test_it.py": "import on_path\ndef test_it(): assert on_path.WHERE == 'elsewhere'"})
    variables = warm_suite.variables | {"PYTHONPATH": str(warm_suite.path / "elsewhere")}
    # Another environment has another server.
    assert "cold start (no server is running)" in warm_suite.run("-v", env=variables).stdout
    run = warm_suite.run("-v", "-p", "own_plugin")
    assert "own plugin" in run.stdout
    assert "No module named 'on_path'" in run.stdout
    command = warm_suite.command("-v")
    assert "cold start (no server is running)" in warm_suite.run(command=[command[0], "-Werror", *command[1:]]).stdout
