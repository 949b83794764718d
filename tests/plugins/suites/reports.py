"""Plugins that write reports."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any

from tests.plugins.sides import Case, normal, read_lines

if TYPE_CHECKING:
    from pathlib import Path

# One test for each outcome, with output, logging and properties.
OUTCOMES = {
    "test_one.py": """
        import logging
        import warnings
        import pytest

        def test_passes(record_property):
            print("printed")
            logging.warning("logged")
            record_property("key", "value")

        def test_fails():
            print("printed before")
            assert [1, 2] == [1, 3]

        @pytest.mark.skip(reason="not now")
        def test_is_skipped(): pass

        @pytest.mark.xfail(reason="known", strict=True)
        def test_xfails(): assert False

        @pytest.mark.xfail(strict=True)
        def test_xpasses(): pass

        def test_warns(): warnings.warn("be warned", UserWarning)
        """,
    "test_two.py": """
        import pytest

        @pytest.fixture
        def broken(): raise ValueError("broken")

        @pytest.fixture
        def broken_late():
            yield
            raise ValueError("broken late")

        def test_error(broken): pass
        def test_late_error(broken_late): pass

        @pytest.mark.parametrize("text", ["a", "ä", "a::b"])
        def test_parameters(text): pass

        class TestClass:
            def test_in_class(self): pass
        """,
}

# Times and processes in JSON reports, and the attributes with which xdist identifies the worker of a test.
VARYING = (
    *("start", "stop", "duration", "created", "msecs", "relativeCreated"),
    *("process", "processName", "thread", "worker_id", "testrun_uid", "item_index", "node"),
)


def order(entries: list[Any]) -> list[Any]:
    """Return entries in an order that does not depend on the order of workers."""
    return sorted(entries, key=lambda entry: json.dumps(entry, sort_keys=True))


def without(value: Any, *names: str) -> Any:
    """Return a JSON value without the entries of these names, at any depth."""
    if isinstance(value, dict):
        return {key: without(inner, *names) for key, inner in value.items() if key not in names}
    if isinstance(value, list):
        return [without(inner, *names) for inner in value]
    return value


def load(path: Path, name: str) -> Any:
    """Load a JSON file of the suite, without values that differ between any two runs."""
    return _normal_values(json.loads((path / name).read_text(encoding="utf-8")), path)


def _normal_values(value: Any, path: Path) -> Any:
    if isinstance(value, dict):
        return {_normal_values(key, path): _normal_values(inner, path) for key, inner in value.items()}
    if isinstance(value, list):
        return [_normal_values(inner, path) for inner in value]
    return normal(value, path).strip() if isinstance(value, str) else value


def html_report(path: Path) -> Any:
    """Return the contents of the page: tests with results and cells, environment, numbers."""
    text = (path / "report.html").read_text(encoding="utf-8")
    blob = re.search(r'data-jsonblob="([^"]*)"', text)
    assert blob is not None
    data = _normal_values(json.loads(html.unescape(blob[1])), path)
    tests = {name: without(results, "resultsTableRow", "testId") for name, results in data["tests"].items()}
    rows = {name: [result["resultsTableRow"] for result in results] for name, results in data["tests"].items()}
    filters = re.findall(r'class="(\w+)">([\d,]+ \w+)', text)
    summary = re.search(r'class="run-count">([^<]*)<', text)
    assert summary is not None
    return [
        tests,
        rows,
        sorted(data["environment"]),
        filters,
        normal(summary[1]),
        re.findall(r"<p>(from .*)</p>", text),
    ]


HTML = Case(
    plugin="pytest-html",
    compared="tests, results, logs, extras, cells added by hooks, environment, numbers",
    needs=("pytest-metadata",),
    files={
        **OUTCOMES,
        "conftest.py": """
            import pytest

            @pytest.hookimpl(wrapper=True)
            def pytest_runtest_makereport(item, call):
                report = yield
                report.kind = "slow" if "passes" in item.name else "fast"
                return report

            def pytest_html_results_summary(prefix, summary, postfix):
                prefix.append("<p>from a hook</p>")

            def pytest_html_results_table_header(cells):
                cells.insert(1, "<th>Kind</th>")

            def pytest_html_results_table_row(report, cells):
                cells.insert(1, f"<td>{report.kind}</td>")
            """,
        "test_three.py": """
            import pytest_html

            def test_extras(extras):
                extras.append(pytest_html.extras.text("some text", name="Notes"))
                extras.append(pytest_html.extras.json({"a": 1}))
                extras.append(pytest_html.extras.url("https://example.org"))
            """,
    },
    runs=("--html=report.html --self-contained-html",),
    terminal=r"Generated html report: \S+",
    artefact=html_report,
    differs="The log of a test without output is empty, where plain pytest's says that it is.",
)


def report_log(path: Path) -> Any:
    """Return the lines of the report log."""
    entries = [_normal_values(entry, path) for entry in read_lines(path / "log.jsonl")]
    found = order(without(entries, *VARYING))
    # Each of pytest-xdist's workers reports the warnings of its own collection.
    return [entry for entry, next_one in zip(found, [*found[1:], None], strict=True) if entry != next_one]


REPORTLOG = Case(
    plugin="pytest-reportlog",
    compared="all lines but their order, times and worker names",
    files=OUTCOMES,
    runs=("--report-log=log.jsonl",),
    terminal=r"generated report log file: \S+",
    artefact=report_log,
    differs="There are no lines for what was collected.",
)


def json_report(path: Path) -> Any:
    """Return the report without the environment."""
    report = load(path, "report.json")
    report["tests"].sort(key=lambda test: str(test["nodeid"]))
    for phase in [phase for test in report["tests"] for phase in test.values() if isinstance(phase, dict)]:
        # Under pytest-xdist each phase has a text, at least the worker's name.
        phase["longrepr"] = phase.get("longrepr", "")
    report["warnings"] = sorted({warning["message"] for warning in report.get("warnings", [])})
    return without(report, *VARYING, "environment")


JSON_REPORT = Case(
    plugin="pytest-json-report",
    compared="tests with their phases, output and logs, summary, metadata of tests, warnings",
    needs=("pytest-metadata",),
    files={
        **OUTCOMES,
        "test_three.py": """
            def test_metadata(json_metadata):
                json_metadata["key"] = {"nested": [1, 2]}
            """,
        "conftest.py": """
            def pytest_json_modifyreport(json_report):
                json_report["modified"] = True
            def pytest_json_runtest_metadata(item, call):
                return {call.when: item.name}
            """,
    },
    runs=("--json-report --json-report-file=report.json",),
    terminal=r"JSON report|report saved to: \S+",
    artefact=json_report,
    differs="There is no list of what was collected.",
)


def allure_results(path: Path) -> Any:
    """Return the results, with the contents of attachments and the fixtures of each test."""
    results, containers = (
        [load(path, f"results/{file.name}") for file in (path / "results").glob(f"*-{kind}.json")]
        for kind in ("result", "container")
    )
    # To a skipped test allure-pytest attributes the fixtures of tests that ran before it in the same process, if any.
    skipped = {result["uuid"] for result in results if result["status"] == "skipped"}
    names = {result["uuid"]: result["fullName"] for result in results}
    for result in results:
        result["labels"] = order([label for label in result["labels"] if label["name"] not in ("host", "thread")])
        for attachment in _attachments(result):
            attachment["source"] = normal((path / "results" / attachment["source"]).read_text(), path)
    for container in containers:
        children = set(container.get("children", [])) - skipped
        container["children"] = sorted(names.get(child, "?") for child in children)
    named: dict[str, list[Any]] = {}
    for result in order(without(results, "uuid", "start", "stop")):
        named.setdefault(f"{result['fullName']} {result['name']}", []).append(result)
    return [named, _fixtures(containers)]


def _attachments(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        inner = [attachment for entry in value.values() for attachment in _attachments(entry)]
        return [*value.get("attachments", []), *inner] if "attachments" in value else inner
    return [attachment for entry in value for attachment in _attachments(entry)] if isinstance(value, list) else []


def _fixtures(containers: list[Any]) -> list[Any]:
    """Return the fixtures of each test, because a fixture of a wide scope is set up in every worker."""
    return sorted(
        {
            (child, kind, fixture["name"], fixture.get("status", ""))
            for container in containers
            for kind in ("befores", "afters")
            for fixture in container.get(kind, [])
            for child in container.get("children", [])
        }
    )


ALLURE = Case(
    plugin="allure-pytest",
    compared="results with status, steps, parameters, labels, links and attachments, fixtures of each test",
    files={
        **OUTCOMES,
        "test_three.py": """
            import allure
            import pytest

            @pytest.fixture(scope="module")
            def shop():
                yield "shop"

            @allure.epic("Shop")
            @allure.feature("Cart")
            @allure.severity(allure.severity_level.CRITICAL)
            @allure.link("https://example.org/1", name="issue")
            class TestCart:
                @allure.title("Adding {count} books")
                @pytest.mark.parametrize("count", [1, 2])
                def test_adding(self, shop, count):
                    with allure.step("open"):
                        with allure.step("inner"):
                            pass
                    allure.attach("the text", name="notes", attachment_type=allure.attachment_type.TEXT)
                    allure.dynamic.label("dynamic", f"value {count}")

                def test_step_fails(self, shop):
                    with allure.step("fails"):
                        assert False, "in a step"
            """,
    },
    runs=("--alluredir=results", "--alluredir=results --clean-alluredir --allure-epics=Shop"),
    artefact=allure_results,
    differs="The number of tests that were deselected is not shown.",
    better="The number of tests that were deselected is shown.",
)

CASES = [HTML, REPORTLOG, JSON_REPORT, ALLURE]
