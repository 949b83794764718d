"""What tests get of fixtures that are set up once per run, and what is reported of them."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.harness import RUN_MODES
from tests.once.suites import MANY_TESTS, events, write

if TYPE_CHECKING:
    from tests.harness import Suite


@pytest.mark.parametrize("mode", ["template", "early"])
def test_each_parameter_is_set_up_once(suite: Suite, mode: str) -> None:
    write(
        suite,
        """
        import pytest

        @pytest.mark.parametrize("number", range(10))
        def test_it(client, number):
            assert client == "client of " + "ab"[0 if "a" in client[-1] else 1]
        """,
        """
        import pytest
        from events import note

        @pytest.fixture(scope="session", params=["a", "b"])
        def server(request):
            note(f"up-{request.param}")
            yield request.param
            note(f"down-{request.param}")

        @pytest.fixture
        def client(server):
            return f"client of {server}"
        """,
    )
    run = suite.run_in(mode, n="3")
    assert run.counts() == {"passed": 20}
    assert Counter(events(suite)) == {"up-a": 1, "up-b": 1, "down-a": 1, "down-b": 1}


@pytest.mark.parametrize("mode", ["template", "early"])
def test_package_and_module_fixtures_are_set_up_once_each(suite: Suite, mode: str) -> None:
    files = {
        f"{name}/test_{name}.py": """
            import pytest
            from events import note

            @pytest.fixture(scope="module")
            def of_module(of_package):
                note("module-up")
                yield __name__
                note("module-down")

            @pytest.mark.parametrize("number", range(5))
            def test_it(of_module, number):
                assert of_module == __name__
            """
        for name in ("one", "two")
    }
    suite.write(files | {"one/__init__.py": "", "two/__init__.py": ""})
    write(
        suite,
        "",
        """
        import pytest
        from events import note

        @pytest.fixture(scope="package")
        def of_package():
            note("package-up")
            yield
            note("package-down")
        """,
        once="of_*",
    )
    run = suite.run_in(mode, n="3")
    assert run.counts() == {"passed": 10}
    # A fixture of package scope that is defined in the root belongs to each package.
    counts = Counter(events(suite))
    assert counts["module-up"] == counts["module-down"] == 2
    assert counts["package-up"] == counts["package-down"]


def test_output_logs_and_warnings_of_the_set_up_belong_to_the_first_test(suite: Suite) -> None:
    tests = """
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_it(server, number):
            assert number

        def test_other(server):
            assert False
        """
    conftest = """
        import logging, sys, warnings
        import pytest

        @pytest.fixture(scope="session")
        def server():
            print("starting on standard output")
            print("starting on standard error", file=sys.stderr)
            logging.getLogger("server").warning("starting in the log")
            warnings.warn("an old server")
        """
    write(suite, tests, conftest)
    for mode in ("plain", "template"):
        run = suite.run_in(mode)
        assert run.counts() == {"passed": 3, "failed": 2, "warnings": 1}, mode
        assert run.text.count("starting on standard output") == 1
        assert run.text.count("starting on standard error") == 1
        assert run.text.count("starting in the log") == 1
        assert run.text.count("UserWarning: an old server") == 1
        begin = run.lines.index(run.line("starting on standard output"))
        assert "Captured stdout setup" in run.lines[begin - 1]


def test_temporary_directories_of_such_a_fixture_belong_to_the_run(suite: Suite) -> None:
    write(
        suite,
        """
        import pytest

        @pytest.mark.parametrize("number", range(6))
        def test_it(server, tmp_path_factory, tmp_path, number):
            assert server.joinpath("file").read_text() == "content"
            assert server.parent.parent == tmp_path_factory.getbasetemp().parent
            assert server.parent != tmp_path_factory.getbasetemp()
        """,
        """
        import pytest

        @pytest.fixture(scope="session")
        def server(tmp_path_factory):
            directory = tmp_path_factory.mktemp("data")
            directory.joinpath("file").write_text("content")
            return directory
        """,
    )
    run = suite.run("--rustpar-start=template", n="3")
    assert run.counts() == {"passed": 6}


def test_exit_functions_and_children_of_such_a_fixture_stay_with_the_process_that_has_set_it_up(suite: Suite) -> None:
    write(
        suite,
        """
        import os, pytest

        @pytest.mark.parametrize("number", range(6))
        def test_it(server, number):
            os.kill(server["pid"], 0)
            assert os.path.isdir(server["directory"])
        """,
        """
        import atexit, multiprocessing, subprocess, sys, tempfile
        import pytest
        from events import note

        @pytest.fixture(scope="session")
        def server():
            atexit.register(note, "exit-function")
            directory = tempfile.TemporaryDirectory()
            child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
            yield {"pid": child.pid, "directory": directory.name}
            child.communicate(b"\\n")
            note(f"child-{child.returncode}")
        """,
    )
    run = suite.run("--rustpar-start=template", n="3")
    assert run.counts() == {"passed": 6}, run.text
    assert Counter(events(suite)) == {"child-0": 1, "exit-function": 1}


def test_a_set_up_counts_in_durations_history_and_journal(suite: Suite) -> None:
    write(
        suite,
        "import pytest\n@pytest.mark.parametrize('number', range(4))\ndef test_it(server, number): pass",
        """
        import time
        import pytest

        @pytest.fixture(scope="session")
        def server():
            time.sleep(0.3)
        """,
    )
    files = ("--rustpar-journal=journal", "--rustpar-history=history")
    run = suite.run("--rustpar-start=template", "--durations=2", *files)
    assert run.counts() == {"passed": 4}
    assert run.line("s setup    ::server").startswith("0.3")
    assert '"once":true' in (suite.path / "journal").read_text()
    assert '"::server"' in (suite.path / "history").read_text()
    # Workers that collect for themselves: the time is part of a test's, or another one's who waits for it.
    run = suite.run("--rustpar-start=early", "--durations=2", *files)
    assert run.line("s setup    test_it.py::test_it[0]").startswith("0.3")
    assert run.line("set up once: server (3")
    history = json.loads((suite.path / "history").read_text())
    assert all(sum(filter(None, test["a"])) < 200_000 for test in history["tests"].values())


def test_plugins_see_the_fixture_as_set_up(suite: Suite) -> None:
    write(
        suite,
        """
        import pytest

        def test_first(server, request):
            assert request.getfixturevalue("server") is server

        def test_second(request):
            assert "server" not in request.fixturenames
            assert request.getfixturevalue("server")["port"] == 1

        @pytest.mark.usefixtures("server")
        class TestThird:
            def test_it(self):
                pass
        """,
    )
    run = suite.run("--rustpar-start=template")
    assert run.counts() == {"passed": 3}
    assert Counter(events(suite))["server-up"] == 1


@pytest.mark.parametrize("mode", ["template", "early"])
def test_each_module_has_its_own_value_of_a_module_fixture_of_a_conftest(suite: Suite, mode: str) -> None:
    tests = """
        import pytest

        @pytest.mark.parametrize("number", range(3))
        def test_it(where, number):
            assert where == __name__
        """
    suite.write({"test_one.py": tests, "test_two.py": tests})
    conftest = """
        import pytest
        from events import note

        @pytest.fixture(scope="module")
        def where(request):
            note("up")
            return request.module.__name__
        """
    write(suite, "", conftest, once="where")
    assert suite.run_in(mode).counts() == {"passed": 6}
    assert events(suite) == ["up", "up"]


@pytest.mark.parametrize("mode", ["template", "early"])
@pytest.mark.parametrize("once", ["server", "server, app"])
def test_what_needs_a_fixture_with_parameters_has_the_right_one(suite: Suite, mode: str, once: str) -> None:
    tests = """
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_it(app, server, number):
            assert app == "app of " + server
        """
    conftest = """
        import pytest

        @pytest.fixture(scope="session", params=["a", "b"])
        def server(request):
            return request.param

        @pytest.fixture(scope="session")
        def app(server):
            return "app of " + server
        """
    write(suite, tests, conftest, once=once)
    assert suite.run_in(mode).counts() == {"passed": 8}


@pytest.mark.parametrize("mode", ["template", "early"])
def test_indirect_parameters_are_compared_by_their_values(suite: Suite, mode: str) -> None:
    tests = """
        import pytest

        @pytest.mark.parametrize("number", range(3))
        @pytest.mark.parametrize("server", ["x", "y"], indirect=True)
        def test_one(server, request, number):
            assert server == request.node.callspec.params["server"]

        @pytest.mark.parametrize("number", range(3))
        @pytest.mark.parametrize("server", ["z", "x"], indirect=True)
        def test_two(server, request, number):
            assert server == request.node.callspec.params["server"]
        """
    conftest = """
        import pytest
        from events import note

        @pytest.fixture(scope="session")
        def server(request):
            note(f"up-{request.param}")
            yield request.param
            note(f"down-{request.param}")
        """
    write(suite, tests, conftest)
    assert suite.run_in(mode, n="3").counts() == {"passed": 12}
    assert Counter(events(suite)) == {f"{way}-{name}": 1 for way in ("up", "down") for name in "xyz"}


@pytest.mark.parametrize("mode", RUN_MODES[1:])
def test_a_worker_that_asks_late_finds_the_fixture_set_up(suite: Suite, mode: str) -> None:
    conftest = """
        import pytest

        @pytest.fixture(scope="session")
        def server(tmp_path_factory):
            path = tmp_path_factory.mktemp("server") / "alive"
            path.write_text("x")
            yield str(path)
            path.unlink()
        """
    suite.write(
        {
            "test_a.py": "import os\ndef test_it(server): assert os.path.exists(server)",
            "test_b.py": """
                import os, time
                def test_slow(): time.sleep(1)
                def test_it(server): assert os.path.exists(server)
                """,
        }
    )
    write(suite, "", conftest)
    assert suite.run_in(mode, "--dist=loadfile").counts() == {"passed": 3}


def test_what_is_registered_with_the_session_runs_once(suite: Suite) -> None:
    conftest = """
        import pytest
        from events import note

        @pytest.fixture(scope="session")
        def server(request):
            request.addfinalizer(lambda: note("fixture"))
            request.node.addfinalizer(lambda: note("session"))
        """
    write(suite, MANY_TESTS, conftest)
    assert suite.run("--rustpar-start=template").counts() == {"passed": 6}
    assert events(suite) == ["fixture", "session"]


def test_daemons_of_a_set_up_are_terminated_at_the_end(suite: Suite) -> None:
    conftest = """
        import multiprocessing, time
        import pytest

        def serve():
            time.sleep(300)

        @pytest.fixture(scope="session")
        def server():
            process = multiprocessing.get_context("fork").Process(target=serve, daemon=True)
            process.start()
            return process.pid
        """
    write(suite, MANY_TESTS, conftest)
    assert suite.run("--rustpar-start=template", limit=100).counts() == {"passed": 6}


@pytest.mark.parametrize("mode", ["template", "early"])
def test_what_a_fixture_asks_for_while_it_is_set_up_is_torn_down_after_it(suite: Suite, mode: str) -> None:
    conftest = """
        import pytest
        from events import note

        @pytest.fixture(scope="session")
        def below():
            yield
            note("below-down")

        @pytest.fixture(scope="session")
        def server(request):
            request.getfixturevalue("below")
            yield
            note("server-down")
        """
    write(suite, MANY_TESTS, conftest)
    assert suite.run_in(mode).counts() == {"passed": 6}
    assert events(suite) == ["server-down", "below-down"]
