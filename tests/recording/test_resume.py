"""``--rustpar-resume``: what a killed run has not finished is run, and everything reported is that of the whole."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ET
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import RUN_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.harness import Run, Suite

# Seconds between two looks at a journal.
_POLL_INTERVAL = 0.01

MODES = {"plain": "0", "template": "2", "early": "2"}

FILES = {
    "pytest.ini": "[pytest]\njunit_family = xunit1\n",
    "helper.py": "VALUE = 1\n",
    "test_all.py": """
        import sys
        import warnings
        import pytest
        import helper
        from support import note

        @pytest.fixture(autouse=True)
        def noted(request):
            note(request.node.name)

        @pytest.mark.parametrize("n", range(6))
        def test_many(n): pass

        def test_fails(record_property):
            record_property("number", 5)
            print("some output")
            assert helper.VALUE == 2, "wrong"

        def test_prints():
            print("é" * 9)
            print("to stderr", file=sys.stderr)

        @pytest.fixture
        def broken():
            print("set-up")
            yield
            raise ValueError("teardown")

        def test_error_in_teardown(broken): pass
        def test_skipped(): pytest.skip("reason")
        @pytest.mark.xfail(reason="known")
        def test_xfail(): assert 0
        @pytest.mark.xfail(reason="known")
        def test_xpass(): pass
        @pytest.mark.parametrize("n", [1, 2])
        def test_warns(n): warnings.warn("careful")
        def test_missing_fixture(nothing): pass
    """,
    # Last in the collection: a run is killed here.
    "test_zz.py": """
        import os
        import time
        import support

        def test_stuck():
            if not os.path.exists(os.path.join(support.HERE, "free")):
                support.arrive("stuck")
                time.sleep(600)
            support.note("test_stuck")
    """,
}
FINISHED = 15


def free(suite: Suite) -> None:
    """Let the test that is killed pass."""
    (suite.path / "free").touch()


def kill(suite: Suite, *args: str, n: str = "2", finished: int = FINISHED) -> None:
    """Kill the controller of a run when so many tests have finished, and another one is running."""
    (suite.path / "stuck.here").unlink(missing_ok=True)
    process = suite.start(*args, n=n)
    suite.wait_for("stuck")
    end = time.monotonic() + RUN_LIMIT
    while last_journal(suite).read_text().count('"e":"teardown"') < finished:
        assert time.monotonic() < end
        time.sleep(_POLL_INTERVAL)
    process.kill()
    suite.wait_for_exit(process)


def last_journal(suite: Suite) -> Path:
    """Return the latest journal in the cache."""
    journals: list[Path] = list((suite.path / ".pytest_cache/d/rustpar/runs").glob("*.jsonl"))
    return max(journals, key=lambda path: path.stat().st_mtime_ns)


def described(run: Run) -> Counter[str]:
    """Return what is in all reports, except workers, indices among the tests that were run, and addresses."""
    omitted = ("worker", "worker_id", "testrun_uid", "item_index")
    known = [{name: value for name, value in report.items() if name not in omitted} for report in run.reports]
    return Counter(re.sub(r"0x[0-9a-f]+", "", repr(sorted(report.items()))) for report in known)


def junit(suite: Suite) -> tuple[dict[str, str], Counter[str]]:
    """Return the numbers in `junit.xml` and its test cases, without times."""
    root = ET.parse(suite.path / "junit.xml").getroot()[0]
    numbers = {name: root.attrib[name] for name in ("tests", "failures", "errors", "skipped")}
    cases = []
    for case in root.iter("testcase"):
        case.attrib.pop("time")
        cases.append(re.sub(r"0x[0-9a-f]+|\[gw\d\]", "", ET.tostring(case, encoding="unicode")))
    return numbers, Counter(cases)


@pytest.mark.parametrize("mode", MODES)
def test_the_union_of_a_run_that_is_killed_twice_is_the_whole(mode: str, suite: Suite) -> None:
    suite.write(FILES)
    args = () if mode == "plain" else (f"--rustpar-start={mode}",)
    kill(suite, *args, n=MODES[mode])
    kill(suite, *args, "--rustpar-resume", n=MODES[mode])
    free(suite)
    once = Counter(line.split()[1] for line in suite.notes())
    resumed = suite.run(*args, "--rustpar-resume", "--junitxml=junit.xml", n=MODES[mode])
    found = junit(suite)
    assert resumed.line("rustpar: resumed").startswith("rustpar: resumed: 15 of 16 tests are from the run of 20")
    # A missing fixture is found before the fixture that notes the test.
    assert set(once.values()) == {1}
    assert Counter(line.split()[1] for line in suite.notes()) == once + Counter(["test_stuck"])
    undisturbed = suite.run(*args, "--junitxml=junit.xml", n=MODES[mode])
    assert described(resumed) == described(undisturbed)
    assert (
        resumed.counts()
        == undisturbed.counts()
        == {
            **{"failed": 1, "passed": 11, "skipped": 1, "xfailed": 1, "xpassed": 1},
            **{"warnings": 2, "errors": 2},
        }
    )
    assert resumed.ret == undisturbed.ret == pytest.ExitCode.TESTS_FAILED
    assert found == junit(suite)
    errors, undisturbed_errors = (sorted(re.findall("^E .*", run.out, re.MULTILINE)) for run in (resumed, undisturbed))
    assert errors == undisturbed_errors
    # The journal of the resumed run is that of the whole, too.
    report = suite.run("--rustpar-resume", *args, n=MODES[mode])
    assert "rustpar: nothing to resume: no earlier run is unfinished; all tests run" in report.lines


def test_results_are_refused_when_something_has_changed(suite: Suite) -> None:
    suite.write(FILES)
    kill(suite)
    free(suite)

    def refusal(*args: str) -> str:
        run = suite.run("--rustpar-resume", *args)
        assert run.ret == pytest.ExitCode.USAGE_ERROR, run.text
        assert not run.reports
        (line,) = re.findall("ERROR: .*", run.text)
        return str(line)

    ends = "; run all tests, without this option"
    assert re.fullmatch(
        r"ERROR: --rustpar-resume: the run of .* cannot be resumed: the option 'keyword' was not there, and is "
        rf'"many"{ends}',
        refusal("-k", "many"),
    )
    assert "--dist each" in refusal("--dist=each")
    assert "pytest-xdist's own engine" in refusal("--rustpar-start=xdist")
    assert "no single run 'nope'" in refusal("--rustpar-resume=nope")
    suite.write({"helper.py": "VALUE = 2\n"})
    assert "cannot be resumed: helper.py has changed, which finished tests may depend on; " in refusal()
    assert "helper.py has changed" in refusal("-n0")
    suite.write({"helper.py": FILES["helper.py"], "test_new.py": "def test_new(): pass"})
    assert "the collection has changed: test_new.py::test_new is new; " in refusal()
    (suite.path / "test_new.py").unlink()
    suite.write({"sub/conftest.py": ""})
    assert "sub/conftest.py is new, and finished tests may depend on it; " in refusal()
    (suite.path / "sub/conftest.py").unlink()
    suite.write({"test_zz.py": FILES["test_zz.py"] + "\n        def test_more(): pass"})
    assert "test_zz.py::test_more is new" in refusal()
    # A file whose tests have not finished may change.
    suite.write({"test_zz.py": FILES["test_zz.py"] + "\n        # changed"})
    run = suite.run("--rustpar-resume")
    assert (run.counts()["passed"], len(run.runs)) == (11, 16), run.text


def test_a_run_that_was_stopped_at_a_failure_goes_on_behind_it(suite: Suite) -> None:
    suite.test(
        """
        import pytest
        from support import note
        @pytest.mark.parametrize("n", range(9))
        def test_it(n):
            note(n)
            assert n % 4 != 2
        """
    )
    first = suite.run("-x", n="0")
    assert first.counts() == {"failed": 1, "passed": 2}
    second = suite.run("-x", "--rustpar-resume", n="1")
    assert second.counts() == {"failed": 2, "passed": 5}
    # A run with another number of workers, and a run that it resumes by its id.
    name = re.findall(r'"id":"([^"]+)"', last_journal(suite).read_text())[0]
    third = suite.run("-x", f"--rustpar-resume={name}", n="2")
    assert third.counts() == {"failed": 2, "passed": 7}
    assert third.ret == pytest.ExitCode.TESTS_FAILED
    assert Counter(line.split()[1] for line in suite.notes()) == Counter(map(str, range(9)))


def test_a_journal_can_be_resumed_and_replaced(suite: Suite, eventually: Callable[[Callable[[], bool]], None]) -> None:
    suite.write(FILES)
    journal = suite.path / "run.jsonl"
    args = ("--rustpar-journal=run.jsonl", "-p", "no:cacheprovider")
    process = suite.start(*args)
    suite.wait_for("stuck")
    eventually(lambda: '"e":"teardown"' in journal.read_text())
    process.kill()
    suite.wait_for_exit(process)
    before = journal.read_text()
    finished = len(set(re.findall(r'"e":"teardown","t":(\d+)', before)))
    assert finished
    # Refused: the journal is kept.
    assert suite.run(*args, "--rustpar-resume=run.jsonl", "test_zz.py").ret == pytest.ExitCode.USAGE_ERROR
    assert journal.read_text() == before
    free(suite)
    run = suite.run(*args, "--rustpar-resume=run.jsonl")
    assert len(run.runs) == 16
    assert '"e":"resumed"' in journal.read_text()
    assert not list(suite.path.glob("*.new"))


def test_a_report_that_the_journal_has_shortened_is_announced(suite: Suite) -> None:
    suite.write(FILES | {"pytest.ini": "[pytest]\nrustpar_journal_size = 1K\n"})
    kill(suite)
    free(suite)
    run = suite.run("--rustpar-resume")
    assert re.search(r"^rustpar: \d+ resumed reports? shortened: see rustpar_journal_size$", run.out, re.MULTILINE)
    assert run.counts()["failed"] == 1
    report: dict[str, Any] = run.report("test_fails")
    assert "AssertionError: wrong" in report["longrepr"]
    assert "FAILED test_all.py::test_fails - AssertionError: wrong" in run.out


def test_a_test_that_died_with_the_template_is_run_again(suite: Suite) -> None:
    suite.test(
        """
        import os, signal
        import support
        def test_first(): support.note("first")
        def test_crash(): os._exit(3)
        def test_kill():
            if not os.path.exists(os.path.join(support.HERE, "free")):
                os.kill(os.getppid(), signal.SIGKILL)
                support.wait_for("never")
        """
    )
    first = suite.run("--rustpar-start=template", n="1")
    assert "the template process died before all tests had run" in first.text
    free(suite)
    run = suite.run("--rustpar-resume", n="1")
    assert "resumed: 2 of 3 tests" in run.line("rustpar: resumed")
    assert run.counts() == {"failed": 1, "passed": 2}
    assert suite.notes() == ["gw0 first"]
    assert "worker 'gw0' crashed while running 'test_it.py::test_crash'" in run.out
