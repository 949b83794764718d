"""What a test leaves is reported: in the summary, or as an error of its teardown."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Run, Suite

# One test for each kind, and for each habit that must not be reported. The last part of a name says which.
TESTS = """
    import asyncio
    import os
    import select
    import socket
    import subprocess
    import tempfile
    import threading
    import time
    from concurrent.futures import ThreadPoolExecutor

    import pytest

    kept = []
    data = os.path.abspath("data.txt")

    def work():
        time.sleep(60)

    def test_child_leaks():
        kept.append(subprocess.Popen(["sleep", "20"]))

    def test_zombie_leaks():
        child = subprocess.Popen(["true"])
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        kept.append(child)

    def test_thread_leaks():
        threading.Thread(target=work, name="worker-1", daemon=True).start()

    def test_timer_leaks():
        timer = threading.Timer(60, work)
        timer.daemon = True
        timer.start()

    def test_unnamed_thread_leaks():
        import _thread
        has_begun = threading.Event()
        _thread.start_new_thread(lambda: (has_begun.set(), work()), ())
        has_begun.wait()

    def test_file_leaks():
        kept.append(open(data))

    def test_listener_leaks():
        kept.append(socket.create_server(("127.0.0.1", 0)))

    def test_pair_leaks():
        kept.append(socket.socketpair()[0])

    def test_pipe_leaks():
        os.close(os.pipe()[1])

    def test_epoll_leaks():
        kept.append(select.epoll())

    def test_high_descriptor_leaks():
        os.dup2(2, 400)

    def test_temporary_leaks():
        kept.append(tempfile.mkdtemp(prefix="leaked", dir=os.path.dirname(data)))

    def test_environment_leaks():
        os.environ["TOKEN"] = "secret"
        os.environ["LANGUAGE"] = "secret"
        os.environ.pop("DOOMED")

    def test_directory_leaks(tmp_path):
        os.chdir(tmp_path)

    def test_lazy_pool_of_the_module_leaks():
        global pool
        pool = ThreadPoolExecutor(1)
        pool.submit(int).result()

    def test_same_pool_is_fine():
        pool.submit(int).result()

    def test_run_is_fine():
        subprocess.run(["true"], check=True)
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE):
            pass

    def test_asyncio_is_fine():
        async def main():
            await asyncio.to_thread(int)
            process = await asyncio.create_subprocess_exec("true")
            await process.wait()
        asyncio.run(main())

    def test_monkeypatch_is_fine(monkeypatch, tmp_path):
        monkeypatch.setenv("TOKEN", "1")
        monkeypatch.delenv("HOME")
        monkeypatch.chdir(tmp_path)

    def test_temporary_is_fine(tmp_path):
        with tempfile.TemporaryDirectory(), tempfile.NamedTemporaryFile(), tempfile.TemporaryFile():
            pass
        os.close(tempfile.mkstemp(dir=tmp_path)[0])

    def test_thread_that_ends_soon_is_fine():
        threading.Thread(target=time.sleep, args=(0.05,)).start()

    @pytest.fixture
    def opened(tmp_path):
        return open(tmp_path / "x", "w")

    def test_file_of_a_fixture_is_fine(opened):
        opened.write("x")

    def test_capture_is_fine(capfd, caplog, recwarn):
        os.write(1, b"x")

    def test_multiprocessing_is_fine():
        # These have a process, memory and a directory that stay until the interpreter ends.
        import multiprocessing
        from multiprocessing.shared_memory import SharedMemory
        import multiprocessing.util
        multiprocessing.Value("b")
        multiprocessing.util.get_temp_dir()
        memory = SharedMemory(create=True, size=8)
        memory.close()
        memory.unlink()

    def test_file_of_a_failed_test_is_fine_and_fails():
        opened = open(data)
        assert False

    def test_child_of_a_failed_test_leaks_and_fails():
        kept.append(subprocess.Popen(["sleep", "20"]))
        assert False

    @pytest.mark.xfail
    def test_xfailed_leaks():
        os.environ["XFAILED"] = "1"
        assert False

    @pytest.mark.allow_leaks("environment", "threads", reason="known")
    def test_allowed_is_fine():
        os.environ["ALLOWED"] = "1"

    @pytest.mark.allow_leaks("threads")
    def test_other_than_allowed_leaks():
        os.environ["OTHER"] = "1"

    @pytest.mark.allow_leaks
    def test_anything_is_fine():
        os.environ["ANYTHING"] = "1"
        kept.append(open(data))
"""

CONFTEST = """
    import os

    import pytest

    os.environ.update(LANGUAGE="C", DOOMED="1")

    @pytest.fixture(scope="session", autouse=True)
    def _children_are_ended():
        yield
        import test_it
        for one in test_it.kept:
            if hasattr(one, "kill"):
                one.kill()
                one.wait()
"""

TEXTS = {
    "child": [r"left a child process running: sleep 20 \(pid \d+\)"],
    "zombie": [r"left a child process that has ended without being waited for: true \(pid \d+\)"],
    "thread": [r"left a daemon thread running: worker-1 \(test_it.work\)"],
    "timer": [r"left a daemon thread running: Thread-\d+ \(test_it.work\)"],
    "unnamed_thread": [r"left a thread running that the module threading does not know"],
    "file": [r"left a file open: .*/data.txt \(descriptor \d+\)"],
    "listener": [r"left a socket open: 127.0.0.1:\d+ \(descriptor \d+\)"],
    "pair": [r"left a socket open \(descriptor \d+\)"],
    "pipe": [r"left a pipe open \(descriptor \d+\)"],
    "epoll": [r"left a descriptor open: anon_inode:\[eventpoll\] \(descriptor \d+\)"],
    "high_descriptor": [r"left a .* open.* \(descriptor 400\)"],
    "temporary": [r"left a temporary directory: .*/leaked\w+"],
    "environment": [r"left the environment changed: added TOKEN; changed LANGUAGE; removed DOOMED"],
    "directory": [r"left the working directory changed to .*/test_directory_leaks0 \(before: .*\)"],
    "lazy_pool_of_the_module": [
        r"left a thread running: ThreadPoolExecutor-\d+_0 \(concurrent.futures.thread._worker\)"
    ],
    "child_of_a_failed_test": [r"left a child process running: sleep 20 \(pid \d+\)"],
    "xfailed": [r"left the environment changed: added XFAILED"],
    "other_than_allowed": [r"left the environment changed: added OTHER"],
}


def write(suite: Suite) -> None:
    suite.conftest(CONFTEST)
    suite.test(TESTS)
    suite.write({"data.txt": ""})


def by_test(lines: list[str]) -> dict[str, list[str]]:
    """Return the texts of leaks, by what the names of their tests say."""
    found: dict[str, list[str]] = {}
    for line in lines:
        match = re.fullmatch(r"test_it\.py::test_(\w+?)_leaks(?:_and_fails)? (.*)", line)
        assert match, line
        found.setdefault(match[1], []).append(match[2])
    return found


def assert_all_found(found: dict[str, list[str]]) -> None:
    assert found.keys() == TEXTS.keys()
    for name, patterns in TEXTS.items():
        assert len(found[name]) == len(patterns), found[name]
        for pattern, text in zip(patterns, found[name], strict=True):
            assert re.fullmatch(pattern, text), text


def outcomes(run: Run) -> list[tuple[str, str, str]]:
    return sorted((report["nodeid"], report["when"], report["outcome"]) for report in run.reports)


@pytest.mark.parametrize(
    "arguments", [(), ("--capture=sys",), ("-s",)], ids=["capture=fd", "capture=sys", "capture=no"]
)
def test_leaks_are_listed_and_outcomes_stay_the_same(suite: Suite, arguments: tuple[str, ...]) -> None:
    write(suite)
    # One process, so that tests run in order: the pool of the module is used by the next test.
    run = suite.run("--rustpar-leaks=warn", "--tb=no", *arguments, n=None)
    assert_all_found(by_test(run.section("leaks")))
    assert run.counts() == {"failed": 2, "passed": 27, "xfailed": 1}
    assert "secret" not in run.text
    without = suite.run("--tb=no", *arguments, n=None)
    assert "leaks" not in without.text.replace("_leaks", "").replace("leaks_", "")
    assert outcomes(run) == outcomes(without)
    assert run.ret == without.ret


@pytest.mark.parametrize("start", ["template", "early", "xdist"])
def test_workers_list_the_same_leaks(suite: Suite, start: str) -> None:
    write(suite)
    run = suite.run(f"--rustpar-start={start}", "--rustpar-leaks=warn", "--tb=no", n="1")
    assert_all_found(by_test(run.section("leaks")))
    assert run.counts() == {"failed": 2, "passed": 27, "xfailed": 1}


@pytest.mark.parametrize("run_mode", ["plain", "template"], indirect=True)
def test_a_leak_fails_the_teardown(suite: Suite, run_mode: str) -> None:
    write(suite)
    run = suite.run_in(run_mode, "--rustpar-leaks=fail", "--junitxml=junit.xml", "--rustpar-journal=run.jsonl", n="1")
    assert run.counts() == {"failed": 2, "passed": 27, "xfailed": 1, "errors": len(TEXTS)}
    assert run.section("leaks") == []
    errors = [line for line in run.section("ERRORS") if line.startswith("test_it.py")]
    assert_all_found(by_test(errors))
    assert "detector.py" not in run.text
    assert "ERROR at teardown of test_xfailed_leaks" in run.text
    assert "failed on teardown with &quot;left the environment changed" in (suite.path / "junit.xml").read_text()
    events = [json.loads(line) for line in (suite.path / "run.jsonl").read_text().splitlines()]
    (collected,) = [event for event in events if event["e"] == "collected"]
    leaks = [event for event in events if event["e"] == "leak"]
    assert_all_found(by_test([f"{collected['ids'][leak['t']]} {leak['text']}" for leak in leaks]))
    assert {leak["kind"] for leak in leaks} == {
        *("processes", "threads", "descriptors", "tempfiles", "environment", "directory")
    }
    assert {leak.get("w") for leak in leaks} == {None if run_mode == "plain" else 0}


def test_a_teardown_that_fails_anyway_keeps_its_error(suite: Suite) -> None:
    suite.test(
        """
        import os

        import pytest

        @pytest.fixture
        def broken():
            yield
            raise ValueError("as before")

        def test_broken(broken):
            os.environ["LEFT"] = "1"
        """
    )
    run = suite.run("--rustpar-leaks=fail")
    assert run.counts() == {"passed": 1, "errors": 1}
    assert "ValueError: as before" in run.text
    assert run.section("leaks") == ["test_it.py::test_broken left the environment changed: added LEFT"]


def test_a_child_forked_by_a_test_reports_nothing(suite: Suite) -> None:
    suite.test(
        """
        import os

        def test_fork():
            pid = os.fork()
            if not pid:
                # Returns into pytest, as a plugin may do that runs tests in forks.
                os.environ["IN_CHILD"] = "1"
                return
            os.waitpid(pid, 0)
        """
    )
    run = suite.run("--rustpar-leaks=fail")
    assert run.counts() == {"passed": 1}


def test_leaks_are_in_the_details_of_the_timeline(suite: Suite) -> None:
    suite.test("import os\ndef test_it(): os.environ['LEFT'] = '1'")
    run = suite.run("--rustpar-leaks=warn", "--rustpar-timeline=run.html")
    assert run.ret == 0, run.text
    page = (suite.path / "run.html").read_text()
    assert '"leaks":[{"test":0,"text":"left the environment changed: added LEFT"}]' in page


@pytest.mark.parametrize("n", [None, "1"])
def test_temporary_files_are_found_if_the_interpreter_has_no_native_audit_hooks(suite: Suite, n: str | None) -> None:
    suite.write({"earlier.py": "from rustpar import _core\n_core.add_audit_hook = lambda: False\n"})
    suite.test("import tempfile\ndef test_it(): tempfile.mkdtemp(dir='.')")
    run = suite.run("-p", "earlier", "--rustpar-leaks=warn", n=n)
    (line,) = run.section("leaks")
    assert line.startswith("test_it.py::test_it left a temporary directory: ")


# Each test holds a file open in a frame that is kept by the exception, until pytest or the next collection frees it.
ENDINGS = {
    "skipped": ("", "pytest.skip('now')"),
    "failed": ("", "pytest.fail('now')"),
    "raised": ("", "raise OSError"),
    "xfailed": ("", "pytest.xfail('now')"),
    "expected": ("@pytest.mark.xfail", "raise OSError"),
    "expected_failed": ("@pytest.mark.xfail", "pytest.fail('now')"),
}


@pytest.mark.parametrize("mode", ["warn", "fail"])
def test_what_the_frames_of_a_test_hold_open_is_no_leak(suite: Suite, mode: str) -> None:
    lines = ["import gc", "import os", "import pytest", "gc.disable()"]
    for name, (mark, statement) in ENDINGS.items():
        opening = f"opened = open(os.devnull); {statement}"
        lines += [mark, f"def test_{name}(): {opening}", "def test_after(): pass".replace("after", f"after_{name}")]
        lines += ["@pytest.fixture", f"def set_up_{name}(): {opening}"]
        lines += ["@pytest.fixture", f"def torn_down_{name}():", "    yield", f"    {opening}"]
        lines += [mark, f"def test_set_up_{name}(set_up_{name}): pass"]
        lines += [mark, f"def test_torn_down_{name}(torn_down_{name}): pass"]
    suite.test("\n".join(lines))
    plain, run = suite.run(n=None), suite.run(f"--rustpar-leaks={mode}", n=None)
    assert run.counts() == plain.counts()
    assert not run.section("leaks")
