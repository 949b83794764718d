"""The recipe of docs/once.md on a real PostgreSQL: one server for the run, a database for each worker."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness import Suite


def programs() -> str | None:
    """The directory of PostgreSQL's programs, which Debian does not put on PATH."""
    directories = [Path(path) for path in os.get_exec_path()] + sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    names = ("initdb", "pg_ctl", "createdb", "dropdb", "psql")
    return next((str(path) for path in directories if all((path / name).exists() for name in names)), None)


pytestmark = pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed")

# initdb refuses to run as root.
CONFTEST = """
import os, shutil, subprocess, tempfile
from pathlib import Path
import pytest

PREFIX = ["runuser", "-u", "nobody", "--"] if os.getuid() == 0 else []

def run(program, *arguments):
    with open(os.environ["PG_ROOT"] + "/output", "a") as output:
        command = [*PREFIX, os.environ["PG_BIN"] + "/" + program, *arguments]
        subprocess.run(command, check=True, cwd="/", stdout=output, stderr=output)

def note(what):
    with open("events", "a") as file:
        print(what, file=file)

@pytest.fixture(scope="session")
def postgres_server():
    data = Path(os.environ["PG_ROOT"], "data")
    run("initdb", "--auth=trust", "--username=postgres", "--no-sync", "-D", data)
    options = f"-c listen_addresses= -c unix_socket_directories={data} -c fsync=off"
    run("pg_ctl", "start", "--wait", "-D", data, "-o", options, "-l", data / "log")
    note("server-up")
    yield str(data)
    run("pg_ctl", "stop", "--wait", "--mode=fast", "-D", data)
    note("server-down")

@pytest.fixture(scope="session")
def database(postgres_server, worker_id):
    name = f"test_{worker_id}"
    run("createdb", "--host", postgres_server, "--username=postgres", name)
    yield ["--host", postgres_server, "--username=postgres", name]
    run("dropdb", "--host", postgres_server, "--username=postgres", name)
    note("database-down")
"""

TESTS = """
import os, subprocess, time
from pathlib import Path
import pytest
from conftest import PREFIX, note

def query(database, text):
    command = [*PREFIX, os.environ["PG_BIN"] + "/psql", "-At", "-c", text, *database]
    return subprocess.run(command, cwd="/", check=True, capture_output=True, text=True).stdout.strip()

@pytest.mark.parametrize("number", range(12))
def test_it(database, number):
    query(database, "create table if not exists seen(number int)")
    query(database, f"insert into seen values ({number})")
    assert query(database, f"select count(*) from seen where number = {number}") == "1"
    what = os.environ["WHAT"]
    if number == 7:
        assert what != "fail"
        if what == "crash":
            os.kill(os.getpid(), 11)
        if what == "interrupt":
            open("running.here", "w").close()
            time.sleep(60)
"""


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory that PostgreSQL's user can write to, and nothing of it left running afterwards."""
    path = Path(tempfile.mkdtemp(prefix="rustpar-pg-"))
    if os.getuid() == 0:
        os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
    path.chmod(0o755)
    monkeypatch.setenv("PG_ROOT", str(path))
    monkeypatch.setenv("PG_BIN", programs() or "")
    yield path
    pid_file = path / "data" / "postmaster.pid"
    is_running = pid_file.exists()
    if is_running:
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGQUIT)
    shutil.rmtree(path)
    assert not is_running


# With pytest-xdist's own engine, an interrupt of the controller kills the workers; a crash may hit the worker that has
# started the server.
CASES = {
    "template": ("pass", "fail", "crash", "interrupt"),
    "early": ("pass", "fail", "interrupt"),
    "xdist": ("pass", "fail"),
}


@pytest.mark.parametrize(("mode", "what"), [(mode, what) for mode, cases in CASES.items() for what in cases])
def test_one_server_and_a_database_per_worker(suite: Suite, root: Path, mode: str, what: str) -> None:
    suite.write({"pytest.ini": "[pytest]\nrustpar_once = postgres_server\n"})
    suite.conftest(CONFTEST)
    suite.test(TESTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WHAT", what)
        process = suite.start(f"--rustpar-start={mode}", *(["-x"] if what == "fail" else []), n="4")
        if what == "interrupt":
            suite.wait_for("running")
            process.send_signal(signal.SIGINT)
        run = suite.wait_for_exit(process)
    assert run.ret == {"pass": 0, "fail": 2, "crash": 1, "interrupt": 2}[what], run.text
    happened = (suite.path / "events").read_text().split()
    assert happened.count("server-up") == happened.count("server-down") == 1
    assert happened[-1] == "server-down"
    if what == "pass":
        assert run.counts() == {"passed": 12}


def test_a_server_that_does_not_start_is_the_error_of_each_test(suite: Suite, root: Path) -> None:
    suite.write({"pytest.ini": "[pytest]\nrustpar_once = postgres_server\n"})
    suite.conftest(CONFTEST.replace('run("pg_ctl", "start"', 'run("pg_ctl", "start", "--nonsense"'))
    suite.test(TESTS)
    run = suite.run_with({"WHAT": "pass"}, n="4")
    assert run.counts() == {"errors": 12}
    # The source lines of the whole error.
    assert sum(line.startswith(">") and "--nonsense" in line for line in run.lines) == 1
