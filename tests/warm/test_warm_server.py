"""The life of a warm server, signals, and who may not use it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.warm.environments import WarmSuite

WAITING = """
    import os, pathlib, time, pytest

    @pytest.fixture
    def torn_down():
        yield
        pathlib.Path("torn-down").touch()

    def test_it(torn_down):
        pathlib.Path("process").write_text(str(os.getpid()))
        if pathlib.Path("wait").exists():
            time.sleep(60)
"""


def wait_for(suite: WarmSuite, name: str) -> str:
    """Return the text of a file, when it is there."""
    path = suite.path / name
    end = time.monotonic() + 60
    while not path.exists() or not path.read_text():
        assert time.monotonic() < end, f"{name} never came to be"
        time.sleep(0.02)
    return path.read_text()


def start_waiting(suite: WarmSuite) -> None:
    """Have the test of :data:`WAITING` wait in the next runs."""
    suite.write({"test_it.py": WAITING})
    suite.warm_up()
    (suite.path / "wait").touch()
    for name in ("process", "torn-down"):
        (suite.path / name).unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_an_interrupt_of_the_client_interrupts_the_run(warm_suite: WarmSuite) -> None:
    start_waiting(warm_suite)
    process = warm_suite.start("-v")
    run = int(wait_for(warm_suite, "process"))
    assert run != process.pid
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    assert "KeyboardInterrupt" in output
    assert (warm_suite.path / "torn-down").exists()
    assert not is_alive(run)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_that_ends_the_run_ends_the_client_in_the_same_way(
    warm_suite: WarmSuite, number: signal.Signals
) -> None:
    start_waiting(warm_suite)
    process = warm_suite.start()
    run = int(wait_for(warm_suite, "process"))
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == -number
    assert not is_alive(run)


def test_a_killed_client_takes_its_run_with_it(warm_suite: WarmSuite) -> None:
    start_waiting(warm_suite)
    process = warm_suite.start()
    run = int(wait_for(warm_suite, "process"))
    process.kill()
    process.communicate(timeout=60)
    end = time.monotonic() + 60
    while is_alive(run):
        assert time.monotonic() < end
        time.sleep(0.02)
    # The server is still there.
    (warm_suite.path / "wait").unlink()
    assert "cold start" not in warm_suite.run("-v").stdout


def test_a_killed_server_takes_its_runs_with_it_and_the_client_says_so(warm_suite: WarmSuite) -> None:
    start_waiting(warm_suite)
    process = warm_suite.start()
    run = int(wait_for(warm_suite, "process"))
    (server,) = set(warm_suite.servers()) - {run}
    os.kill(server, signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "rustpar: the warm server was killed, and this run with it" in output
    (warm_suite.path / "wait").unlink()
    run_after = warm_suite.run("-v")
    assert "cold start (no server is running)" in run_after.stdout
    assert run_after.returncode == 0


def test_a_stopped_client_stops_the_run_until_it_is_continued(warm_suite: WarmSuite) -> None:
    start_waiting(warm_suite)
    process = warm_suite.start()
    run = int(wait_for(warm_suite, "process"))

    def state(pid: int) -> str:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]

    def wait_for_states(wanted: str) -> None:
        end = time.monotonic() + 60
        while {state(process.pid), state(run)} - set(wanted):
            assert time.monotonic() < end, (state(process.pid), state(run))
            time.sleep(0.02)

    process.send_signal(signal.SIGTSTP)
    wait_for_states("T")
    process.send_signal(signal.SIGCONT)
    wait_for_states("SR")
    process.terminate()
    process.communicate(timeout=60)


def test_several_runs_at_once_do_not_wait_for_each_other(warm_suite: WarmSuite) -> None:
    warm_suite.write(
        {
            "test_it.py": """
            import os, pathlib, time

            def test_it():
                name = os.environ.get("ME", "first")
                pathlib.Path(name).touch()
                end = time.monotonic() + 60
                while "ME" in os.environ and not all(map(os.path.exists, ("one", "two"))):
                    assert time.monotonic() < end
                    time.sleep(0.01)
            """
        }
    )
    warm_suite.warm_up()
    processes = []
    for name in ("one", "two"):
        warm_suite.variables["ME"] = name
        processes.append(warm_suite.start("-v"))
    for process in processes:
        output, _ = process.communicate(timeout=90)
        assert process.returncode == 0, output
        assert "cold start" not in output


def test_workers_of_a_warm_run_end_with_it(warm_suite: WarmSuite) -> None:
    start_waiting(warm_suite)
    process = warm_suite.start("-n2")
    worker = int(wait_for(warm_suite, "process"))
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    assert not is_alive(worker)
    assert (warm_suite.path / "torn-down").exists()


def test_the_commands_show_and_stop_servers(warm_suite: WarmSuite) -> None:
    assert warm_suite.rustpar("warm", "status").stdout == "no warm server is running\n"
    assert warm_suite.rustpar("warm", "log").returncode == 2
    warm_suite.write({"test_it.py": "import fractions\ndef test_it(): pass"})
    warm_suite.warm_up()
    warm_suite.run()
    status = warm_suite.rustpar("warm", "status").stdout
    assert status.startswith(f"{warm_suite.path}: process ")
    assert "; 1 run in " in status
    assert "run " in warm_suite.rustpar("warm", "log").stdout
    assert warm_suite.rustpar("warm", "stop").stdout == "stopped 1 warm server\n"
    warm_suite.wait_for_no_server()
    assert warm_suite.rustpar("warm", "stop").stdout == "no warm server is running\n"
    assert warm_suite.rustpar("warm").returncode == 2


def test_rustpar_run_needs_no_setting(warm_suite: WarmSuite) -> None:
    warm_suite.write({"pytest.ini": "[pytest]", "test_it.py": "import fractions\ndef test_it(): pass"})
    first = warm_suite.rustpar("run", "-v")
    assert "cold start (no server is running)" in first.stdout, first.stdout + first.stderr
    assert first.returncode == 0
    warm_suite.wait_for_server()
    second = warm_suite.rustpar("run", "-v")
    assert "1 passed" in second.stdout
    assert "cold start" not in second.stdout
    # Without the setting, pytest does not ask for it.
    warm_suite.run("-v")
    assert "1 run in" in warm_suite.rustpar("warm", "status").stdout


def test_a_directory_that_others_can_use_is_not_used(warm_suite: WarmSuite) -> None:
    warm_suite.write({"test_it.py": "import fractions\ndef test_it(): pass"})
    warm_suite.warm_up()
    warm_suite.runtime.chmod(0o755)
    assert "cold start (there is no directory that only this user can use" in warm_suite.run("-v").stdout
    warm_suite.runtime.chmod(0o700)
    assert "cold start" not in warm_suite.run("-v").stdout


@pytest.mark.parametrize(
    ("arguments", "variables", "reason"),
    [
        (["--pdb"], {}, "--pdb needs the terminal"),
        (["--trace"], {}, "--trace needs the terminal"),
        ([], {"COVERAGE_PROCESS_START": "x"}, "COVERAGE_PROCESS_START is set"),
    ],
)
def test_what_a_fork_cannot_do_starts_cold(
    warm_suite: WarmSuite, arguments: list[str], variables: dict[str, str], reason: str
) -> None:
    warm_suite.write({"test_it.py": "import fractions\ndef test_it(): pass"})
    warm_suite.warm_up()
    run = warm_suite.run("-v", *arguments, env=warm_suite.variables | variables)
    assert f"rustpar: warm: cold start ({reason})" in run.stdout


def test_pytest_in_another_program_stays_in_it(warm_suite: WarmSuite) -> None:
    warm_suite.write(
        {
            "test_it.py": "import os\ndef test_it(): print('process', os.getpid())",
            "program.py": "import os, pytest\nprint('program', os.getpid(), flush=True)\npytest.main(['-sv'])",
        }
    )
    warm_suite.warm_up()
    run = warm_suite.run(command=[warm_suite.command()[0], "program.py"])
    (own,) = {line.split()[-1] for line in run.stdout.splitlines() if line.startswith("program ")}
    assert f"process {own}" in run.stdout
    assert "cold start (pytest was started by another program)" in run.stdout


def test_a_server_leaves_when_a_package_is_installed(warm_suite: WarmSuite) -> None:
    warm_suite.write({"test_it.py": "import fractions\ndef test_it(): pass"})
    warm_suite.warm_up()
    before = warm_suite.servers()
    warm_suite.install("newly_installed", "")
    run = warm_suite.run("-v")
    assert "site-packages has changed)" in run.stdout, run.stdout + warm_suite.log()
    end = time.monotonic() + 60
    while set(before) & set(warm_suite.servers()):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_setting_must_be_true_or_false(warm_suite: WarmSuite) -> None:
    warm_suite.write({"pytest.ini": "[pytest]\nrustpar_warm = maybe", "test_it.py": "def test_it(): pass"})
    run = warm_suite.run()
    assert run.returncode == 4
    assert "rustpar_warm = maybe: use true or false" in run.stderr


def test_a_client_whose_place_the_server_cannot_take_starts_cold(warm_suite: WarmSuite) -> None:
    warm_suite.write(
        {
            "test_it.py": "import fractions\ndef test_it(): pass",
            "program.py": """
            import os, sys
            sys.path.pop(0)
            from rustpar.warm import client

            original = client.describe_run
            client.describe_run = lambda *about: {**original(*about), "directory": "/no/such/directory"}
            print("reason:", client.hand_over(client.Main("pytest", "pytest.__main__"), ["-v"]))
            """,
        }
    )
    warm_suite.warm_up()
    run = warm_suite.run(command=[warm_suite.command()[0], "program.py"])
    assert "reason: the server cannot take its place: [Errno 2]" in run.stdout, run.stdout + run.stderr
    # The next one is not concerned.
    assert "cold start" not in warm_suite.run("-v").stdout


@pytest.mark.parametrize("value", ["false", "off"])
def test_a_setting_that_is_off_leaves_nothing(warm_suite: WarmSuite, value: str) -> None:
    warm_suite.write({"pytest.ini": f"[pytest]\nrustpar_warm = {value}", "test_it.py": "def test_it(): pass"})
    assert warm_suite.run().returncode == 0
    assert not warm_suite.runtime.exists() or not list(warm_suite.runtime.iterdir())


def test_a_removed_directory_starts_cold(warm_suite: WarmSuite) -> None:
    warm_suite.write({"test_it.py": "import fractions\ndef test_it(): pass"})
    warm_suite.warm_up()
    gone = warm_suite.path / "gone"
    python, *_ = warm_suite.command()
    ended = []
    for program in ("pytest -p no:rustpar", "rustpar.cli run"):
        gone.mkdir()
        script = f"cd {gone} && rmdir {gone} && exec {python} -m {program}"
        run = warm_suite.run(command=["sh", "-c", script])
        ended.append((run.returncode, run.stderr.splitlines()[-1]))
    assert ended[0] == ended[1]
    assert "FileNotFoundError" in ended[0][1]
