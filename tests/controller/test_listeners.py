"""Hooks of passing tests: told directly if only pytest's own and rustpar's plugins listen, and otherwise called.

The recorder of other tests is a listener, so these do without it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.harness import Run, Suite

# Passing tests for more than two lines of progress, before and after others.
MIXED = """
    import logging
    import pytest

    @pytest.mark.parametrize("number", range(90))
    def test_early(number, record_property):
        record_property("number", number)
        print("printed")
        logging.warning("logged")

    def test_fails(): assert 0
    @pytest.mark.skip(reason="not now")
    def test_skipped(): pass
    @pytest.mark.xfail
    def test_xfailed(): assert 0
    @pytest.mark.xfail
    def test_xpassed(): pass

    @pytest.fixture
    def broken():
        raise ValueError

    @pytest.fixture
    def breaking():
        yield
        raise ValueError

    def test_error_in_setup(broken): pass
    def test_error_in_teardown(breaking): pass
    def test_unicode_id_\u4e2d(): pass

    @pytest.mark.parametrize("number", range(90))
    def test_late(number): pass
"""

# Listens to all hooks, and does nothing.
LISTENER = """
    def pytest_runtest_logstart(nodeid, location): pass
    def pytest_runtest_logreport(report): pass
    def pytest_runtest_logfinish(nodeid, location): pass
    def pytest_report_teststatus(report, config): pass
"""

# Writes what the terminal reporter knows at the end, and how often its method for reports was executed. The profile
# function is not seen by the plugin, as a replaced method would be.
PROBE = """
    import json
    import sys

    import pytest
    from _pytest.terminal import TerminalReporter

    CODE = TerminalReporter.pytest_runtest_logreport.__code__
    calls = 0

    def count(frame, event, argument):
        global calls
        calls += event == "call" and frame.f_code is CODE

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(session):
        if not hasattr(session.config, "workerinput"):
            sys.setprofile(count)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(terminalreporter, config):
        sys.setprofile(None)
        entries = {
            category: [[entry.nodeid, entry.when, entry.outcome] for entry in found if hasattr(entry, "when")]
            for category, found in terminalreporter.stats.items()
        }
        known = {
            "calls": calls,
            "stats": entries,
            "progress": sorted(map(str, terminalreporter._progress_nodeids_reported)),
            "failed": terminalreporter._session.testsfailed,
            "last": getattr(getattr(terminalreporter, "_current_logreport", None), "nodeid", None),
        }
        with open("probe.json", "w") as file:
            json.dump(known, file)
"""


def _probed(suite: Suite) -> dict[str, Any]:
    path = suite.path / "probe.json"
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    path.unlink(missing_ok=True)
    return known


def _without_measurements(text: str) -> list[str]:
    """Return the lines without those of measured durations and memory, and without times in other lines."""
    measured = r'\d+\.\d+s|(time|timestamp|date_str)"?[=:] ?"[^"]*"|^=+ | =+$'
    lines = (re.sub(measured, "", line) for line in text.splitlines())
    return [line for line in lines if not re.search(r"\d (us|ms|s|MiB)\b|0x|p95|busy|duration", line)]


# Output of workers, and retries, come at any time.
UNORDERED = {"-s", "log_cli=true", "--rustpar-retries=1"}


def _state(suite: Suite, run: Run, *, is_ordered: bool) -> dict[str, Any]:
    """Return everything that a run with one worker has left, without times."""
    cache = suite.path / ".pytest_cache" / "v" / "cache"
    known = _probed(suite)
    known.pop("calls", None)
    found: dict[str, Any] = {"ret": run.ret, "known": known}
    if is_ordered:
        found["out"] = _without_measurements(run.out)
    else:
        known["last"] = None
        known["stats"] = {category: sorted(entries) for category, entries in known["stats"].items()}
    if "slowest durations" in run.out:
        # They are sorted by what was measured.
        found["out"].sort()
    for path in (cache / "lastfailed", cache / "stepwise", suite.path / "junit.xml"):
        found[path.name] = _without_measurements(path.read_text()) if path.exists() else None
        path.unlink(missing_ok=True)
    return found


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("-q",),
        ("-qq",),
        ("-v",),
        ("-vv", "-rA"),
        ("-rA", "--durations=0", "-vv"),
        ("--junitxml=junit.xml",),
        ("-x",),
        ("--maxfail=2", "-q"),
        ("--stepwise",),
        ("-s",),
        ("--color=yes",),
        ("-o", "console_output_style=count"),
        ("-o", "console_output_style=times"),
        ("-o", "console_output_style=classic"),
        ("-o", "log_cli=true", "--log-cli-level=WARNING"),
        ("-p", "no:cacheprovider", "-p", "no:logging"),
        ("--rustpar-retries=1",),
    ],
    ids=" ".join,
)
def test_a_listener_changes_nothing_of_what_a_run_shows_and_leaves(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write({"probe.py": PROBE})
    suite.test(MIXED)
    states = []
    for conftest in ("", LISTENER):
        suite.conftest(conftest)
        run = suite.run_unheard("-p", "probe", *arguments, n="1")
        states.append(_state(suite, run, is_ordered=UNORDERED.isdisjoint(arguments)))
    told, called = states
    assert told["known"]
    for what, value in told.items():
        assert value == called[what]


@pytest.mark.skipif(pytest.version_tuple < (9, 2), reason="another version of the reporter does something else")
def test_pytests_reporter_is_not_called_for_most_passing_tests(suite: Suite) -> None:
    suite.write({"probe.py": PROBE})
    suite.test(MIXED)
    reports = 3 * 188
    suite.run_unheard("-p", "probe")
    told = _probed(suite)["calls"]
    suite.conftest(LISTENER)
    suite.run_unheard("-p", "probe")
    called = _probed(suite)["calls"]
    assert called > 550 > reports // 4 > told > 0


LISTENING = """
    from support import note

    def pytest_runtest_logreport(report):
        note(f"{report.nodeid} {report.when} {type(report).__name__} {getattr(report, 'worker_id', None)}")
"""


def _heard(suite: Suite) -> list[str]:
    notes = [line.removeprefix("main ") for line in suite.notes() if line.startswith("main ")]
    (suite.path / "notes.log").unlink()
    return notes


TWENTY = """
    import pytest

    @pytest.mark.parametrize("number", range(20))
    def test_it(number): pass
"""
ALL_OF_TWENTY = [
    f"test_it.py::test_it[{number}] {when} TestReport gw0"
    for number in range(20)
    for when in ("setup", "call", "teardown")
]


def test_a_conftest_hears_every_report(suite: Suite) -> None:
    suite.test(TWENTY)
    suite.conftest(LISTENING)
    assert suite.run_unheard(n="1").ret == 0
    assert _heard(suite) == ALL_OF_TWENTY


def test_a_plugin_that_registers_when_the_session_starts_hears_every_report(suite: Suite) -> None:
    suite.test(TWENTY)
    suite.write({"late.py": LISTENING})
    suite.conftest(
        """
        import pytest

        @pytest.hookimpl(trylast=True)
        def pytest_sessionstart(session):
            import late

            session.config.pluginmanager.register(late)
        """
    )
    assert suite.run_unheard(n="1").ret == 0
    assert _heard(suite) == ALL_OF_TWENTY


@pytest.mark.parametrize(
    "wrapper",
    [
        """
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_logreport(report):
            note(f"before {report.when} {len(stats.get('passed', ()))}")
            result = yield
            note(f"after {report.when} {len(stats.get('passed', ()))}")
            return result
        """,
        """
        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_logreport(report):
            note(f"before {report.when} {len(stats.get('passed', ()))}")
            yield
            note(f"after {report.when} {len(stats.get('passed', ()))}")
        """,
        """
        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_logreport(report):
            note(f"before {report.when} {len(stats.get('passed', ()))}")

        class Last:
            @pytest.hookimpl(trylast=True)
            def pytest_runtest_logreport(self, report):
                note(f"after {report.when} {len(stats.get('passed', ()))}")
        """,
    ],
    ids=["wrapper", "old wrapper", "first and last"],
)
def test_listeners_are_called_around_the_terminal_reporter(suite: Suite, wrapper: str) -> None:
    suite.test(TWENTY)
    start = """
        import pytest
        from support import note

        def pytest_sessionstart(session):
            global stats
            stats = session.config.pluginmanager.get_plugin("terminalreporter").stats
            if "Last" in globals():
                session.config.pluginmanager.register(Last())
        """
    suite.conftest(start + wrapper)
    assert suite.run_unheard(n="1").ret == 0
    assert _heard(suite) == [
        f"{moment} {when} {number + (moment == 'after' and when == 'call') + (when == 'teardown')}"
        for number in range(20)
        for when in ("setup", "call", "teardown")
        for moment in ("before", "after")
    ]


def test_a_status_of_a_conftest_is_used(suite: Suite) -> None:
    suite.test(TWENTY)
    suite.conftest(
        """
        def pytest_report_teststatus(report, config):
            if report.when == "call" and report.passed and "[7]" in report.nodeid:
                return "lucky", "L", "LUCKY"
        """
    )
    run = suite.run_unheard(n="1")
    assert ".......L............" in run.out
    assert "19 passed, 1 lucky" in run.out


def test_a_status_of_a_plugin_that_registers_during_the_run_is_used(suite: Suite) -> None:
    suite.test(TWENTY)
    suite.conftest(
        """
        class Status:
            def pytest_report_teststatus(self, report):
                if report.when == "call":
                    return "lucky", "L", "LUCKY"

        def pytest_runtest_logfinish(nodeid):
            if "[7]" in nodeid:
                manager.register(Status())

        def pytest_configure(config):
            global manager
            manager = config.pluginmanager
        """
    )
    run = suite.run_unheard(n="1")
    assert "........LLLLLLLLLLLL" in run.out


def test_listeners_can_come_and_go_during_the_run(suite: Suite) -> None:
    suite.test(TWENTY)
    suite.conftest(
        """
        from support import note

        class Listener:
            def pytest_runtest_logreport(self, report):
                note(f"{report.nodeid} {report.when} {type(report).__name__} {getattr(report, 'worker_id', None)}")

        listener = Listener()

        def pytest_runtest_logstart(nodeid):
            if "[5]" in nodeid:
                manager.register(listener)
            if "[11]" in nodeid:
                manager.unregister(listener)

        def pytest_configure(config):
            global manager
            manager = config.pluginmanager
        """
    )
    assert suite.run_unheard(n="1").ret == 0
    assert _heard(suite) == ALL_OF_TWENTY[15:33]


def test_a_reporter_with_methods_of_its_own_is_called(suite: Suite) -> None:
    suite.test(TWENTY)
    suite.conftest(
        """
        from support import note

        def pytest_sessionstart(session):
            reporter = session.config.pluginmanager.get_plugin("terminalreporter")
            original = reporter._add_stats

            def add(category, items):
                note(f"{category} {len(items)}")
                original(category, items)

            reporter._add_stats = add
        """
    )
    assert suite.run_unheard(n="1").ret == 0
    assert _heard(suite) == [" 1", "passed 1", " 1"] * 20


def test_statistics_that_a_plugin_replaces_are_used(suite: Suite) -> None:
    suite.write({"probe.py": PROBE})
    suite.test(TWENTY)
    suite.conftest(
        """
        def pytest_runtest_logstart(nodeid):
            if "[12]" in nodeid:
                reporter.stats["passed"] = []

        def pytest_sessionstart(session):
            global reporter
            reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        """
    )
    suite.run_unheard("-p", "probe", n="1")
    assert len(_probed(suite)["stats"]["passed"]) == 8
