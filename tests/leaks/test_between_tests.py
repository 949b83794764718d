"""What plugins leave between tests is not attributed to a test; without such plugins the state is read once."""

from __future__ import annotations

import textwrap

import pytest

from tests.harness import Suite

# The harness's own plugin would run between tests.
ALONE = ("-n0", "-p", "no:recorder", "--rustpar-leaks=warn")

LEAVE = """
    import os
    import pytest

    kept = []

    def leave():
        kept.append(open(os.devnull))
        os.environ[f"LEFT_{len(kept)}"] = "1"
"""

# Bodies of a conftest; each leaves something for every test, at a moment between two of them.
PLUGINS = {
    "logstart": "def pytest_runtest_logstart(): leave()",
    "logreport": """
        def pytest_runtest_logreport(report):
            if report.when == "teardown": leave()
    """,
    "logfinish": "def pytest_runtest_logfinish(): leave()",
    "protocol": """
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_protocol():
            leave()
            return (yield)
    """,
    "warning": "def pytest_warning_recorded(): leave()",
    "teststatus": """
        def pytest_report_teststatus(report):
            if report.when == "teardown": leave()
    """,
    "makereport": """
        class Plugin:
            # Registered last, it is the outermost.
            @pytest.hookimpl(wrapper=True, tryfirst=True)
            def pytest_runtest_makereport(self, call):
                report = yield
                if call.when == "teardown": leave()
                return report

        @pytest.fixture(scope="session", autouse=True)
        def register(request):
            request.config.pluginmanager.register(Plugin())
    """,
    "registered": """
        class Plugin:
            def pytest_runtest_logfinish(self): leave()

        @pytest.fixture(scope="session", autouse=True)
        def register(request):
            request.config.pluginmanager.register(Plugin())
    """,
}

TESTS = """
    import os
    import warnings

    def test_one(): pass
    def test_two(): warnings.warn("recorded when the test is over")
    def test_three(): pass
    def test_four(): os.environ["OF_TEST"] = "1"
    def test_five(): pass
"""


def test_what_plugins_leave_between_tests_is_of_no_test(suite: Suite) -> None:
    for name, text in PLUGINS.items():
        part = suite.part(name)
        part.write({"plugin_code.py": LEAVE})
        part.conftest(f"from plugin_code import *\n{textwrap.dedent(text)}")
        part.test(TESTS)
    for name, run in suite.run_each(dict.fromkeys(PLUGINS, ALONE)).items():
        assert run.counts() == {"passed": 5, "warnings": 1}, name
        assert run.section("leaks") == ["test_it.py::test_four left the environment changed: added OF_TEST"], name


KINDS = {
    "descriptor": ("kept.append(open(os.devnull))", "left a file open: /dev/null"),
    "variable": ("os.environ['LEFT'] = '1'", "left the environment changed: added LEFT"),
    "changed": ("os.environ['HOME'] = '/'", "left the environment changed: changed HOME"),
    "directory": ("os.chdir('/')", "left the working directory changed"),
    "file": ("kept.append(tempfile.mkdtemp(dir='.'))", "left a temporary directory"),
    "thread": ("threading.Thread(target=time.sleep, args=(30,), daemon=True).start()", "thread running"),
    "child": ("kept.append(subprocess.Popen(['true'])); os.waitid(os.P_PID, kept[-1].pid, ENDED)", "child process"),
}


@pytest.mark.parametrize("n", ["-n0", "-n1"])
def test_without_other_plugins_each_leak_is_of_the_test_that_left_it(suite: Suite, n: str) -> None:
    lines = [
        "import os, subprocess, tempfile, threading, time",
        "kept, ENDED = [], os.WEXITED | os.WNOWAIT",
        "def test_first(): pass",
    ]
    for name, (statement, _) in KINDS.items():
        lines += [f"def test_{name}(): {statement}", f"def test_after_{name}(): pass"]
    # A number that is free again is used for another file.
    lines += ["def test_closes(): kept[0].close()", "def test_opens_again(): kept.append(open(__file__))"]
    lines += ["def test_last(): pass"]
    suite.test("\n".join(lines))
    found = suite.run("-p", "no:recorder", "--rustpar-leaks=warn", n, n=None).section("leaks")
    expected = {f"test_it.py::test_{name}": text for name, (_, text) in KINDS.items()}
    expected["test_it.py::test_opens_again"] = "open"
    assert [line.split()[0] for line in found] == list(expected)
    for line, text in zip(found, expected.values(), strict=True):
        assert text in line


OUTERMOST = """
    import os
    import pytest

    class Plugin:
        # Registered last, it is the outermost.
        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_runtest_teardown(self, item):
            try:
                return (yield)
            finally:
                os.environ.pop("UNDONE", None)
                if item.name == "test_three": os.environ["OF_TEARDOWN"] = "1"

    @pytest.fixture(scope="session", autouse=True)
    def register(request):
        request.config.pluginmanager.register(Plugin())
"""


def test_what_a_plugin_does_after_all_others_in_a_teardown_is_of_its_test(suite: Suite) -> None:
    suite.conftest(OUTERMOST)
    leaving = "import os\n" + "".join(
        f"def test_{name}(): os.environ[{variable!r}] = '1'\n"
        for name, variable in {"one": "UNDONE", "two": "UNDONE", "three": "UNDONE", "four": "LEFT"}.items()
    )
    suite.test(leaving)
    assert suite.run(*ALONE, n=None).section("leaks") == [
        "test_it.py::test_three left the environment changed: added OF_TEARDOWN",
        "test_it.py::test_four left the environment changed: added LEFT",
    ]


FORKING = """
    import os
    import pickle
    import pytest
    from _pytest import runner

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(item, nextitem):
        if "child" not in item.name:
            return None
        reading, writing = os.pipe()
        if os.fork() == 0:
            reports = runner.runtestprotocol(item, nextitem=nextitem, log=False)
            with open(writing, "wb") as file:
                pickle.dump([report._to_json() for report in reports], file)
            os._exit(0)
        os.close(writing)
        with open(reading, "rb") as file:
            for data in pickle.load(file):
                item.ihook.pytest_runtest_logreport(report=pytest.TestReport._from_json(data))
        os.wait()
        return True
"""

MARKED = """
    import pytest

    def pytest_collection_modifyitems(items):
        for item in items:
            if "child" in item.name:
                item.add_marker(pytest.mark.forked)
"""


@pytest.mark.parametrize("conftest", [FORKING, MARKED])
def test_leaks_in_processes_of_some_tests_are_listed_with_those_of_others(suite: Suite, conftest: str) -> None:
    suite.conftest(conftest)
    names = ["clean", "child_leaves", "child_clean", "again", "leaves", "child_last"]
    body = "import os\n" + "".join(
        f"def test_{name}():\n    {'os.environ[' + repr(name) + '] = str()' if name != 'clean' else 'pass'}\n"
        for name in names
    )
    suite.test(body)
    found = suite.run(*ALONE, n=None).section("leaks")
    assert [line.split()[0].rpartition("test_")[2] for line in found] == names[1:]
