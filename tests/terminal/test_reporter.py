"""Terminal output during the run and in the summary."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

FOUR = """
    import pytest

    @pytest.mark.parametrize("n", range(4))
    def test_it(n):
        assert n != 2
"""


def test_verbose_lines_name_worker_percentage_outcome_and_test(suite: Suite) -> None:
    suite.test(FOUR)
    run = suite.run("-v")
    found = [
        re.fullmatch(r"\[gw[01]\] \[ *(\d+)%\] (PASSED|FAILED) (test_it\.py::test_it\[\d\]) *", x) for x in run.lines
    ]
    matches = [match.groups() for match in found if match]
    assert [match[0] for match in matches] == ["25", "50", "75", "100"]
    assert {(match[2], match[1]) for match in matches} == {
        (f"test_it.py::test_it[{n}]", "FAILED" if n == 2 else "PASSED") for n in range(4)
    }


def test_quiet_output_shows_only_progress_and_counts(suite: Suite) -> None:
    suite.test("def test_it(): pass")
    run = suite.run("-q")
    lines = [line for line in run.lines if line and not line.startswith("bringing up nodes")]
    assert re.fullmatch(r"\. +\[100%\]", lines[0])
    assert re.fullmatch(r"1 passed in .*s", lines[1])
    assert len(lines) == 2


def test_the_output_has_the_start_mode_the_progress_and_each_failure_once(suite: Suite) -> None:
    suite.test(FOUR)
    run = suite.run()
    assert run.line("rustpar: start") == "rustpar: start: template"
    assert re.fullmatch(r"[.F]{4} +\[100%\]", run.line("[100%]"))
    version = ".".join(map(str, sys.version_info[:3]))
    assert re.fullmatch(
        rf"\[gw[01]\] {sys.platform} -- Python {version} {re.escape(sys.executable)}", run.line("] linux")
    )
    assert [line for line in run.lines if line.startswith("FAILED")] == [
        "FAILED test_it.py::test_it[2] - assert 2 != 2"
    ]


def test_the_header_has_the_start_mode_of_early_workers(suite: Suite) -> None:
    suite.test(FOUR)
    assert re.fullmatch(r"rustpar: \S+, start: early", suite.run("--rustpar-start=early").line("rustpar: "))


def test_durations_are_shown(suite: Suite) -> None:
    suite.test("import time\ndef test_slow(): time.sleep(0.05)\ndef test_fast(): pass\n")
    run = suite.run("--durations=5", "--durations-min=0.04")
    assert "call" in run.line("test_it.py::test_slow")
    assert "test_fast" not in run.text


def test_live_logs_appear_with_their_test(suite: Suite) -> None:
    suite.test("import logging\ndef test_it(): logging.getLogger().warning('a live word')\n")
    run = suite.run("-o", "log_cli=true")
    assert "WARNING" in run.line("a live word")
    assert any("live log call" in line for line in run.lines)


def test_setup_show_shows_fixtures_of_every_worker(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.fixture
        def thing(): yield

        def test_it(thing): pass
        """
    )
    run = suite.run("--setup-show")
    assert "SETUP    F thing" in run.line("SETUP ")
    assert "TEARDOWN F thing" in run.line("TEARDOWN ")


@pytest.mark.parametrize("option", ["--setup-only", "--setup-plan"])
def test_setup_only_options_run_no_test(suite: Suite, option: str) -> None:
    suite.test("from support import note\ndef test_it(tmp_path): note('ran')\n")
    run = suite.run(option)
    assert run.ret == 0
    assert suite.notes() == []
    assert "tmp_path" in run.out


def test_a_run_without_terminal_plugin_has_the_same_status(suite: Suite) -> None:
    suite.test(FOUR)
    run = suite.run("-p", "no:terminal")
    assert run.ret == 1
    assert len(run.runs) == 4
    assert run.err == ""


def test_tests_that_conftests_deselect_are_counted(suite: Suite) -> None:
    suite.conftest(
        """
        def pytest_collection_modifyitems(config, items):
            config.hook.pytest_deselected(items=items[2:])
            del items[2:]
        """
    )
    suite.test(FOUR)
    assert suite.run().counts() == {"passed": 2, "deselected": 2}


def test_colours_are_used_when_asked_for(suite: Suite) -> None:
    suite.test(FOUR)
    assert "\x1b[32m" in suite.run("--color=yes").out
    assert "\x1b" not in suite.run("--color=no").out


def test_line_tracebacks_and_no_tracebacks_are_those_of_plain_pytest(suite: Suite) -> None:
    suite.test(FOUR)
    styles = ("line", "no", "short", "native")
    for style in styles:
        suite.part(style).test(FOUR)
    plain_runs = suite.run_each({style: ["-pno:rustpar", "-pno:xdist", f"--tb={style}"] for style in styles})
    for style, plain in plain_runs.items():
        run = suite.run(f"--tb={style}", "test_it.py")
        longrepr = plain.report("test_it[2]")["longrepr"].replace(f"{suite.path}/{style}/", f"{suite.path}/")
        assert run.report("test_it[2]")["longrepr"] == longrepr, style
        if style == "line":
            line = plain.line("test_it.py:6:").replace(f"{suite.path}/{style}/", f"{suite.path}/")
            assert run.line("test_it.py:6:") == line


def test_showing_locals_works_in_workers(suite: Suite) -> None:
    suite.test("def test_it():\n    secret = 'a local value'\n    assert not secret\n")
    assert any("secret     = 'a local value'" in line for line in suite.run("--showlocals").lines)


def test_a_report_section_and_header_of_a_conftest_appear_once(suite: Suite) -> None:
    suite.conftest(
        """
        def pytest_report_header(config): return "header of ours"
        def pytest_terminal_summary(terminalreporter): terminalreporter.write_line("summary of ours")
        def pytest_report_collectionfinish(config, items): return f"collected {len(items)} of ours"
        """
    )
    suite.test(FOUR)
    run = suite.run()
    assert run.lines.count("header of ours") == 1
    assert run.lines.count("summary of ours") == 1
    assert run.lines.count("collected 4 of ours") == 1


def test_hooks_of_the_reporter_are_called_once_in_each_process_as_with_xdist(suite: Suite) -> None:
    suite.conftest(
        """
        import os

        def note(name):
            with open("notes.log", "a") as file:
                print(name, os.environ.get("PYTEST_XDIST_WORKER", "main"), file=file)

        def pytest_report_header(): note("header")
        def pytest_report_collectionfinish(): note("collection")
        def pytest_terminal_summary(): note("summary")
        """
    )
    suite.test(FOUR)
    noted = []
    for start in ("xdist", "early"):
        suite.run(f"--rustpar-start={start}")
        noted.append(sorted(suite.notes()))
        (suite.path / "notes.log").unlink()
    assert noted[0] == noted[1]
    assert len(noted[0]) == 8
    suite.run("--rustpar-start=template")
    assert sorted(suite.notes()) == [
        one for one in noted[0] if one.split() not in (["header", "gw1"], ["collection", "gw1"])
    ]


def test_text_that_a_plugin_writes_to_the_workers_reporter_does_not_appear(suite: Suite) -> None:
    suite.conftest(
        """
        def pytest_sessionfinish(session):
            if hasattr(session.config, "workerinput"):
                session.config.pluginmanager.get_plugin("terminalreporter").write_line("worker says")
        """
    )
    suite.test(FOUR)
    assert "worker says" not in suite.run().text
