"""Order classes: tests run in the order of their markers, with workers and without."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Run, Suite

MARKERS = "[pytest]\nmarkers =\n    smoke\n    slow\n"
ORDERED = MARKERS + "rustpar_order = smoke, *, slow\n"
MIXED = """
    import pytest

    @pytest.mark.slow
    def test_slow_1(): pass
    def test_rest_1(): pass
    @pytest.mark.smoke
    def test_smoke_1(): pass
    @pytest.mark.slow
    def test_slow_2(): pass
    @pytest.mark.smoke
    def test_smoke_2(): pass
    def test_rest_2(): pass
"""
SORTED = ["smoke_1", "smoke_2", "rest_1", "rest_2", "slow_1", "slow_2"]


def order(run: Run) -> list[str]:
    """Return the tests in the order in which they ran, without the common prefix of their names."""
    return [r["nodeid"].rpartition("test_")[2] for r in run.reports if r["when"] == "teardown"]


def error(run: Run) -> str:
    """Return the single line of a usage error."""
    assert run.ret == pytest.ExitCode.USAGE_ERROR, run.text
    assert run.reports == []
    assert "Traceback" not in run.text
    (line,) = [line for line in run.err.splitlines() if line.startswith("ERROR: ")]
    return line


@pytest.mark.parametrize("run_mode", ["plain", "template", "early"])
def test_order_classes_run_in_order_and_are_stable(suite: Suite, run_mode: str) -> None:
    suite.write({"pytest.ini": ORDERED})
    suite.test(MIXED)
    # With one worker, tests run in collection order.
    run = suite.run_in(run_mode, n="1")
    assert run.counts() == {"passed": 6}
    assert order(run) == SORTED


def test_two_workers_run_every_test_once(suite: Suite) -> None:
    suite.write({"pytest.ini": ORDERED})
    suite.test(MIXED)
    for start in ("template", "early"):
        run = suite.run(f"--rustpar-start={start}")
        assert run.counts() == {"passed": 6}
        assert set(run.runs.values()) == {1}


def test_the_option_overrides_the_ini_file(suite: Suite) -> None:
    suite.write({"pytest.ini": ORDERED})
    suite.test(MIXED)
    run = suite.run("--rustpar-order=slow,*,smoke", n=None)
    assert order(run) == ["slow_1", "slow_2", "rest_1", "rest_2", "smoke_1", "smoke_2"]


def test_a_star_alone_overrides_the_ini_file(suite: Suite) -> None:
    suite.write({"pytest.ini": ORDERED})
    suite.test(MIXED)
    run = suite.run("--rustpar-order=*", n=None)
    assert order(run) == ["slow_1", "rest_1", "smoke_1", "slow_2", "smoke_2", "rest_2"]


def test_unmarked_tests_run_last_without_a_star(suite: Suite) -> None:
    suite.write({"pytest.ini": MARKERS})
    suite.test(MIXED)
    run = suite.run("--rustpar-order=slow", n=None)
    assert order(run) == ["slow_1", "slow_2", "rest_1", "smoke_1", "smoke_2", "rest_2"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pytest.ini", "[pytest]\nrustpar_order =\n  smoke\n  *\n  slow\n"),
        ("pytest.ini", "[pytest]\nrustpar_order =\n  smoke,\n  *, slow\n"),
        ("pyproject.toml", '[tool.pytest.ini_options]\nrustpar_order = "smoke, *, slow"\n'),
        ("pyproject.toml", '[tool.pytest.ini_options]\nrustpar_order = ["smoke", "*", "slow"]\n'),
    ],
    ids=["lines", "lines and commas", "toml text", "toml list"],
)
def test_lines_commas_and_lists_are_separators(suite: Suite, file: str, text: str) -> None:
    (suite.path / file).write_text(text)
    suite.test(MIXED)
    assert order(suite.run(n=None)) == SORTED


def test_the_first_marker_decides_and_markers_are_inherited(suite: Suite) -> None:
    suite.write(
        {
            "pytest.ini": ORDERED,
            "test_a.py": """
                import pytest
                pytestmark = pytest.mark.slow
                def test_module(): pass
                @pytest.mark.smoke
                def test_both(): pass
            """,
            "test_b.py": """
                import pytest
                @pytest.mark.slow
                class TestIt:
                    def test_class(self): pass
                @pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.smoke)])
                def test_parameter(n): pass
            """,
        }
    )
    run = suite.run(n=None)
    assert order(run) == ["both", "parameter[2]", "parameter[1]", "module", "class"]


def test_fixtures_of_a_module_keep_their_order_within_a_class(suite: Suite) -> None:
    suite.write({"pytest.ini": ORDERED})
    suite.test(
        """
        import pytest

        @pytest.fixture(scope="module", params="ab")
        def letter(request): return request.param

        @pytest.mark.slow
        def test_slow(letter): pass
        def test_one(letter): pass
        def test_two(letter): pass
        """
    )
    run = suite.run(n=None)
    assert order(run) == ["one[a]", "two[a]", "one[b]", "two[b]", "slow[a]", "slow[b]"]


def test_the_order_is_applied_after_a_conftest_has_reordered_tests(suite: Suite) -> None:
    suite.write({"pytest.ini": ORDERED})
    suite.conftest(
        """
        import pytest

        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(items):
            items.reverse()
            items[0].add_marker("smoke")
        """
    )
    suite.test(MIXED)
    run = suite.run(n=None)
    assert order(run) == ["rest_2", "smoke_2", "smoke_1", "rest_1", "slow_2", "slow_1"]


def test_failed_first_takes_precedence_over_the_order(suite: Suite) -> None:
    suite.write({"pytest.ini": ORDERED})
    suite.test(MIXED.replace("slow_2(): pass", "slow_2(): assert 0"))
    suite.run(n=None)
    assert order(suite.run("--ff", n=None)) == ["slow_2", *[name for name in SORTED if name != "slow_2"]]


@pytest.mark.parametrize("start", ["template", "early"])
def test_an_unknown_marker_is_warned_about_once(suite: Suite, start: str) -> None:
    suite.test("def test_1(): pass\ndef test_2(): pass\n")
    run = suite.run("--rustpar-order=smoek, *", f"--rustpar-start={start}")
    assert run.counts() == {"passed": 2, "warnings": 1}
    assert run.out.count("PytestUnknownMarkWarning: Unknown pytest.mark.smoek - is this a typo?") == 1


@pytest.mark.parametrize(
    ("args", "place"),
    [
        ([], "pytest.ini:3: "),
        (["--rustpar-order=smoek"], "--rustpar-order:1: "),
        (["-o", "rustpar_order=smoek", "-c", "other.ini"], "rustpar_order:1: "),
    ],
)
def test_the_warning_about_an_unknown_marker_names_its_source(suite: Suite, args: list[str], place: str) -> None:
    suite.test("def test_it(): pass")
    suite.write({"pytest.ini": "[pytest]\naddopts = -q\nrustpar_order = smoek, *\n", "other.ini": "[pytest]\n"})
    run = suite.run(*args, n=None)
    assert f"{place}PytestUnknownMarkWarning: Unknown pytest.mark.smoek" in run.line("PytestUnknownMarkWarning")


@pytest.mark.parametrize("n", [None, "2"])
@pytest.mark.parametrize("arguments", [["--strict-markers"], ["-W", "error"]], ids=" ".join)
def test_an_unknown_marker_is_an_error_with_strict_markers(suite: Suite, arguments: list[str], n: str | None) -> None:
    suite.test("def test_1(): pass\ndef test_2(): pass\n")
    line = error(suite.run("--rustpar-order=smoek", *arguments, n=n))
    assert line.startswith("ERROR: --rustpar-order: ")
    assert "smoek" in line


def test_an_invalid_order_is_one_line_with_the_expected_syntax(suite: Suite) -> None:
    suite.test("def test_it(): pass\n")
    words = "invalid order 'smoke,,slow': a marker is missing; expected for example smoke, *, slow"
    assert error(suite.run("--rustpar-order=smoke,,slow")) == f"ERROR: --rustpar-order: {words}"
    assert error(suite.run("--rustpar-order=")).startswith("ERROR: --rustpar-order: invalid order '': ")


def test_an_invalid_order_in_the_ini_file_names_the_entry(suite: Suite) -> None:
    suite.write({"pytest.ini": "[pytest]\nrustpar_order = smoke, smoke\n"})
    suite.test("def test_it(): pass\n")
    for n in (None, "2"):
        line = error(suite.run(n=n))
        assert line.startswith("ERROR: rustpar_order: invalid order 'smoke, smoke': smoke appears twice")


def test_marks_collected_in_bulk_match_those_of_each_test(suite: Suite) -> None:
    suite.write({"pytest.ini": ORDERED})
    suite.conftest(
        """
        from rustpar.collection import markers, order

        def pytest_collection_finish(session):
            found = markers.marked(session.items, ["smoke", "slow"])
            for index, item in enumerate(session.items):
                marks = [mark for mark in item.iter_markers() if mark.name in ("smoke", "slow")]
                assert list(found.get(index, ())) == marks
            print("CLASSES", order.classes_of(session.config, session.items))
        """
    )
    suite.test(MIXED)
    assert "CLASSES [0, 0, 1, 1, 2, 2]" in suite.run("-s", n=None).out
    assert "CLASSES []" in suite.run("-s", "--rustpar-order=*", n=None).out


def test_any_order_of_classes_is_a_stable_sort(suite: Suite) -> None:
    suite.write({"pytest.ini": MARKERS})
    suite.test(MIXED)
    names = order(suite.run(n=None))
    for classes in itertools.permutations(["smoke", "*", "slow"]):
        wanted = [name for one in classes for name in names if name.startswith(one.replace("*", "rest"))]
        assert order(suite.run(f"--rustpar-order={','.join(classes)}", n=None)) == wanted
