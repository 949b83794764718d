"""The garbage collector does not visit reports in the controller, and they live as long as elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

TESTS = """
    import pytest

    def test_passes(record_property):
        record_property("key", "value")
        print("printed")

    def test_fails():
        assert False

    @pytest.mark.skip(reason="no")
    def test_skipped(): ...

    @pytest.mark.parametrize("number", range(20))
    def test_more(number): ...
"""


def test_the_collector_does_not_visit_reports_nor_what_only_they_have(suite: Suite) -> None:
    suite.conftest(
        """
        import gc

        def of(report):
            attributes = vars(report)
            lists = [report.sections, report.user_properties]
            return [report, attributes, report.keywords, report.location, attributes.get("_id"), *lists]

        def pytest_terminal_summary(terminalreporter):
            stats = terminalreporter.stats
            reports = [*stats[""], *stats["passed"]]
            # Plugins may add anything.
            stats["others"] = [int, object, None, (), "text", type("Own", (), {}), 1.5]
            visited = [each for report in reports for each in of(report) if gc.is_tracked(each)]
            terminalreporter.write_line(f"{len(reports)} reports: {visited}")
        """
    )
    suite.test(TESTS)
    result = suite.run("-n2")
    assert result.counts() == {"passed": 21, "failed": 1, "skipped": 1, "others": 7}
    # Three of each test that passes, two of the one that fails, and the teardown of the skipped one.
    assert "66 reports: []" in result.lines


@pytest.mark.parametrize("when", ["setup", "teardown"])
def test_the_collector_visits_all_reports_as_soon_as_somebody_looks(suite: Suite, when: str) -> None:
    suite.conftest(
        f"""
        import gc
        import os

        looked = []

        def pytest_runtest_logreport(report):
            if "PYTEST_XDIST_WORKER" not in os.environ and report.when == "{when}" and not looked:
                looked.append(len(gc.get_objects()))

        def pytest_terminal_summary(terminalreporter):
            stats = terminalreporter.stats
            reports = [*stats[""], *stats["passed"]]
            of = [each for report in reports for each in (report, vars(report), report.sections)]
            terminalreporter.write_line(f"{{len(reports)}} reports, hidden: {{sum(not gc.is_tracked(o) for o in of)}}")
        """
    )
    suite.test(TESTS)
    result = suite.run("-n2")
    assert "66 reports, hidden: 0" in result.lines


@pytest.mark.parametrize("n", [None, "2"])
@pytest.mark.parametrize("kept", ["", "report", "report, report.attached"])
@pytest.mark.parametrize("options", [(), ("-p", "no:terminal")])
def test_what_plugins_attach_to_reports_is_freed(
    suite: Suite, options: tuple[str, ...], kept: str, n: str | None
) -> None:
    suite.conftest(
        f"""
        import os

        import pytest

        class Attached:
            # At the end of the interpreter, names of modules may be gone.
            def __del__(self, write=os.write):
                write(2, f"freed {{self.node_id}}\\n".encode())

        class Keeper:
            def __init__(self, config):
                self.config = config
                self.kept = []

            @pytest.hookimpl(trylast=True)
            def pytest_runtest_logreport(self, report):
                if report.when == "call":
                    report.attached = Attached()
                    report.attached.node_id = report.nodeid
                    report.attached.config = self.config
                    report.sections.append(("more", "text"))
                    self.kept.append([{kept}])

        def pytest_configure(config):
            if not hasattr(config, "workerinput"):
                config.pluginmanager.register(Keeper(config))
        """
    )
    suite.test(TESTS)
    result = suite.run(*options, n=n)
    assert result.ret == 1
    freed = [line for line in result.err.splitlines() if line.startswith("freed ")]
    assert len(freed) == len(set(freed)) == 22
