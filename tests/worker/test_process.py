"""A worker behaves like the process of plain pytest: a test may fork, use threads, or run pytest in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite


def test_a_worker_has_exactly_one_thread(suite: Suite) -> None:
    suite.test(
        """
        import os
        import threading
        import pytest

        @pytest.mark.parametrize("n", range(6))
        def test_it(n):
            assert threading.enumerate() == [threading.main_thread()]
            assert threading.current_thread() is threading.main_thread()
            assert len(os.listdir("/proc/self/task")) == 1
        """
    )
    assert suite.run().counts() == {"passed": 6}


def test_a_test_may_fork_and_run_asyncio(suite: Suite) -> None:
    suite.test(
        """
        import asyncio
        import os
        import sys
        import pytest

        async def main():
            process = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", "raise SystemExit(4)")
            return await process.wait()

        @pytest.mark.parametrize("n", range(2))
        def test_asyncio(n): assert asyncio.run(main()) == 4

        @pytest.mark.parametrize("n", range(4))
        def test_it(n):
            pid = os.fork()
            if pid == 0:
                os._exit(n)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == n
        """
    )
    run = suite.run()
    assert run.counts() == {"passed": 6}, run.text


def test_a_test_may_use_multiprocessing(suite: Suite) -> None:
    suite.test(
        """
        import multiprocessing
        import pytest

        @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
        def test_it(method):
            context = multiprocessing.get_context(method)
            with context.Pool(2) as pool:
                assert pool.map(abs, [-1, -2, 3]) == [1, 2, 3]
        """
    )
    run = suite.run("-W", "ignore")
    assert run.counts() == {"passed": 3}, run.text


def test_a_test_may_start_threads_and_wait_for_children(suite: Suite) -> None:
    suite.test(
        """
        import os
        import subprocess
        import sys
        import threading

        def test_threads():
            done = []
            threads = [threading.Thread(target=done.append, args=(n,)) for n in range(5)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            assert sorted(done) == list(range(5))

        def test_child():
            assert subprocess.run([sys.executable, "-S", "-c", "raise SystemExit(3)"]).returncode == 3

        def test_no_child_of_others():
            try:
                os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            assert False, "there is a child"
        """
    )
    assert suite.run(n="1").counts() == {"passed": 3}


def test_a_daemon_thread_left_by_a_test_does_not_delay_the_exit(suite: Suite) -> None:
    suite.test(
        """
        import threading

        def test_it(): threading.Thread(target=threading.Event().wait, daemon=True).start()
        """
    )
    assert suite.run().counts() == {"passed": 1}


@pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=["plain", "with workers"])
def test_pytest_may_run_in_process_inside_a_test(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.test(
        f"""
        pytest_plugins = "pytester"

        def test_outer(pytester):
            pytester.makepyfile("def test_a(): pass\\ndef test_b(): assert 0\\n")
            result = pytester.runpytest_inprocess(*{arguments!r})
            result.assert_outcomes(passed=1, failed=1)

        def test_beside(): pass
        """
    )
    assert suite.run().counts() == {"passed": 2}


def test_pytest_may_run_as_a_process_inside_a_test(suite: Suite) -> None:
    suite.test(
        """
        pytest_plugins = "pytester"

        def test_outer(pytester):
            passes = "def test_a(worker_id): assert worker_id != 'master'"
            pytester.makepyfile(passes + "\\ndef test_b(): assert 0\\n")
            result = pytester.runpytest_subprocess("-n", "2", timeout=100)
            result.assert_outcomes(passed=1, failed=1)
        """
    )
    assert suite.run().counts() == {"passed": 1}


def test_signal_handlers_are_those_of_plain_pytest(suite: Suite) -> None:
    suite.test(
        """
        import signal
        from support import note

        def test_it():
            for name in ("SIGINT", "SIGTERM", "SIGCHLD", "SIGPIPE", "SIGHUP", "SIGALRM"):
                note(f"{name} {signal.getsignal(getattr(signal, name))!r}".partition(" at 0x")[0])
        """
    )
    suite.plain()
    plain = [note.split(maxsplit=1)[1] for note in suite.notes()]
    (suite.path / "notes.log").unlink()
    suite.run()
    assert [note.split(maxsplit=1)[1] for note in suite.notes()] == plain
    assert len(plain) == 6


def test_a_worker_holds_no_socket_of_the_run(suite: Suite) -> None:
    suite.test(
        """
        import os
        import pytest

        @pytest.mark.parametrize("n", range(4))
        def test_it(n):
            paths = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
            kinds = [os.readlink(path) for path in paths if os.path.lexists(path)]
            assert not [kind for kind in kinds if kind.startswith("socket:")]
        """
    )
    assert suite.run().counts() == {"passed": 4}


def test_workers_are_children_of_the_run_and_not_of_each_other(suite: Suite) -> None:
    suite.test(
        """
        import os
        from support import meet, note

        def test_a(): meet("a", "b"); note(f"{os.getpid()} {os.getppid()}")
        def test_b(): meet("b", "a"); note(f"{os.getpid()} {os.getppid()}")
        """
    )
    assert suite.run().ret == 0
    first, second = (note.split()[1:] for note in suite.notes())
    assert first[0] != second[0]
    assert first[1] == second[1]


def test_a_worker_may_change_directory_and_environment_for_itself(suite: Suite) -> None:
    suite.test(
        """
        import os
        from support import meet

        def test_a():
            os.environ["OURS"] = "a"
            os.chdir("/")
            meet("a", "b")

        def test_b():
            meet("b", "a")
            assert "OURS" not in os.environ
            assert os.getcwd() != "/"
        """
    )
    assert suite.run().counts() == {"passed": 2}
