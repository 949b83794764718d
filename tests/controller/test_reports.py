"""Reports arrive with everything that plugins add to them, with any characters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.harness import Suite


def test_unicode_in_ids_output_and_messages_arrives(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.mark.parametrize("text", ["äöü", "日本語", "\\U0001f40d", "\\u0000", "a\\nb", "\\x1b[31m"])
        def test_it(text):
            print("printed äöü 日本語 \\U0001f40d")
            assert not text, "message äöü 日本語 \\U0001f40d"
        """
    )
    plain, run = suite.plain(), suite.run()
    assert run.outcomes == plain.outcomes
    assert len(run.runs) == 6
    for report in run.reports:
        if report["when"] == "call":
            assert "message äöü 日本語 🐍" in report["longrepr"]
            assert dict(report["sections"])["Captured stdout call"] == "printed äöü 日本語 🐍\n"


def test_unicode_ids_can_be_kept_unescaped(suite: Suite) -> None:
    option = "disable_test_id_escaping_and_forfeit_all_rights_to_community_support"
    suite.write({"pytest.ini": f"[pytest]\n{option} = True\n"})
    suite.test("import pytest\n@pytest.mark.parametrize('text', ['äöü', '日本語'])\ndef test_it(text): pass\n")
    run = suite.run()
    assert run.ret == 0
    assert set(run.runs) == {"test_it.py::test_it[äöü]", "test_it.py::test_it[日本語]"}


def test_lone_surrogates_lose_no_test(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.mark.parametrize("text", ["\\udc80", "ok"])
        def test_id(text): pass

        def test_message(): assert False, "lone \\udcff here"
        def test_property(record_property): record_property("key", "lone \\udcff")

        @pytest.mark.skip(reason="lone \\udcff")
        def test_skip(): pass

        def test_bytes():
            import os
            os.write(1, b"\\xff\\xfe")
            assert False
        """
    )
    run = suite.wait_for_exit(suite.start())  # pytester itself only reads UTF-8
    assert run.ret == 1, run.text
    assert len(run.runs) == 6
    assert {node_id.rpartition("::")[2]: o[1][1] for node_id, o in run.outcomes.items() if len(o) == 3} == {
        "test_id[\\udc80]": "passed",
        "test_id[ok]": "passed",
        "test_message": "failed",
        "test_property": "passed",
        "test_bytes": "failed",
    }


def test_properties_that_cannot_be_sent_are_reported_and_the_test_is_kept(suite: Suite) -> None:
    suite.test(
        """
        class Strange:
            def __repr__(self): return "a strange thing"

        def test_it(record_property): record_property("key", Strange())
        def test_other(): pass
        """
    )
    run = suite.run()
    assert run.ret == 0
    assert run.counts() == {"passed": 2}
    assert "Strange" in run.line("rustpar: the report of test_it.py::test_it")
    assert run.report("test_it")["user_properties"] == [["key", "'a strange thing'"]]


def test_properties_keep_their_types(suite: Suite) -> None:
    suite.test(
        """
        def test_it(record_property):
            for value in (1, 2.5, None, True, "x", [1, [2]], {"a": {"b": 1}}, 10**30, float("inf"), -5):
                record_property("key", value)
        """
    )
    assert suite.run().report("test_it")["user_properties"] == suite.plain().report("test_it")["user_properties"]


def test_attributes_that_plugins_set_on_reports_arrive(suite: Suite) -> None:
    suite.conftest(
        """
        import os
        import pytest
        from support import note

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport(item, call):
            report = yield
            report.ours = {"name": item.name, "list": [1, 2]}
            report.sections.append(("our section", "our text"))
            return report

        def pytest_runtest_logreport(report):
            if "PYTEST_XDIST_WORKER" not in os.environ:
                note(f"{report.when} {report.ours}")
        """
    )
    suite.test("def test_it(): pass\n")
    run = suite.run()
    assert run.ret == 0
    about = "{'name': 'test_it', 'list': [1, 2]}"
    assert suite.notes() == [f"main {when} {about}" for when in ("setup", "call", "teardown")]
    assert ["our section", "our text"] in run.report("test_it")["sections"]


def test_a_plugin_that_runs_a_test_again_shows_each_attempt(suite: Suite) -> None:
    suite.conftest(
        """
        from _pytest.runner import runtestprotocol

        def pytest_runtest_protocol(item, nextitem):
            item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            for attempt in range(2):
                reports = runtestprotocol(item, nextitem=nextitem, log=False)
                failed = any(report.failed for report in reports)
                for report in reports:
                    if failed and attempt == 0:
                        report.outcome = "rerun" if report.failed else report.outcome
                    item.ihook.pytest_runtest_logreport(report=report)
                if not failed:
                    break
            item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
            return True

        def pytest_report_teststatus(report):
            if report.outcome == "rerun":
                return "rerun", "R", "RERUN"
        """
    )
    suite.test(
        """
        from support import HERE, arrive
        import os
        import pytest

        @pytest.fixture(scope="module")
        def shared(): return object()

        @pytest.mark.parametrize("n", range(8))
        def test_it(n, shared):
            name = f"seen{n}"
            if n % 2 and not os.path.exists(os.path.join(HERE, name + ".here")):
                arrive(name)
                assert False
        """
    )
    run = suite.run()
    assert run.ret == 0, run.text
    assert run.counts()["passed"] == 8
    reruns = {node_id for node_id, phases in run.outcomes.items() if ("call", "rerun", False) in phases}
    assert reruns == {f"test_it.py::test_it[{n}]" for n in (1, 3, 5, 7)}
    assert all(run.runs[f"test_it.py::test_it[{n}]"] == 1 + n % 2 for n in range(8))


def test_reports_of_a_custom_class_arrive(suite: Suite) -> None:
    suite.conftest(
        """
        import pytest

        class OurReport(pytest.TestReport):
            pass

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport(item, call):
            report = yield
            if call.when == "call":
                report.__class__ = OurReport
            return report

        def pytest_report_to_serializable(report):
            if isinstance(report, OurReport):
                return {**report._to_json(), "$report_type": "OurReport"}

        def pytest_report_from_serializable(data):
            if data.get("$report_type") == "OurReport":
                return OurReport._from_json(data)
        """
    )
    suite.test("def test_it(): pass\n")
    run = suite.run()
    assert run.ret == 0
    assert run.report("test_it")["type"] == "OurReport"
    assert run.report("test_it", "setup")["type"] == "TestReport"


def test_reports_that_no_plugin_can_serialize_keep_the_test(suite: Suite) -> None:
    suite.conftest(
        """
        import pytest

        class OurReport:
            def __init__(self, report):
                self.__dict__.update(report.__dict__)
                self.report = report

            def __getattr__(self, name):
                return getattr(self.report, name)

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport(item, call):
            report = yield
            return OurReport(report) if call.when == "call" else report
        """
    )
    suite.test("def test_it(): pass\n")
    run = suite.run(n="1")
    assert run.counts() == {"passed": 1}, run.text
    assert "test_it.py::test_it" in run.line("no plugin can serialize a OurReport")


def test_exceptions_with_causes_and_groups_are_shown_completely(suite: Suite) -> None:
    suite.test(
        """
        def test_it():
            try:
                raise KeyError("the cause")
            except KeyError as error:
                raise ValueError("the effect") from error
        """
    )
    text = suite.run().report("test_it")["longrepr"]
    assert "the cause" in text
    assert "direct cause of the following exception" in text
    assert "the effect" in text


def test_long_and_deep_assertions_are_explained_as_in_plain_pytest(suite: Suite) -> None:
    suite.test("def test_it(): assert {n: str(n) for n in range(50)} == {n: str(n + 1) for n in range(50)}\n")
    for option in ("-v", "-vv"):
        assert suite.run(option).report("test_it")["longrepr"] == suite.plain(option).report("test_it")["longrepr"]


def test_failures_without_a_traceback_are_shown_as_plain_pytest_shows_them(suite: Suite) -> None:
    suite.write(
        {
            "test_import.py": "import nowhere\n",
            "test_doc.py": "def three():\n    '''\n    >>> three()\n    3\n    '''\n    return 4\n",
            "test_fixture.py": "def test_it(no_such_fixture): pass\n",
            "test_own.py": "def test_it(): pass\n",
        }
    )
    options = ("--doctest-modules", "--continue-on-collection-errors", "--color=yes", "-rfE")
    for environment in ({"CI": ""}, {"CI": "1"}):
        plain = suite.run_with(environment, *options, "-p", "no:rustpar", n=None)
        run = suite.run_with(environment, *options)
        ours, theirs = [
            # The plugin has a fixture of this name.
            sorted(
                line.replace(" load,", "")
                for line in lines
                if line.strip() and "[gw" not in line and not re.search(r" in \d+\.", line)
            )
            for lines in (
                run.text.partition("= ERRORS =")[2].splitlines(),
                plain.text.partition("= ERRORS =")[2].splitlines(),
            )
        ]
        assert theirs
        assert ours == theirs
