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


def test_the_option_or_a_star_alone_overrides_the_ini_file_and_unmarked_tests_run_last_without_one(
    suite: Suite,
) -> None:
    expected = {
        "slow,*,smoke": ["slow_1", "slow_2", "rest_1", "rest_2", "smoke_1", "smoke_2"],
        "*": ["slow_1", "rest_1", "smoke_1", "slow_2", "smoke_2", "rest_2"],
        "slow": ["slow_1", "slow_2", "rest_1", "smoke_1", "smoke_2", "rest_2"],
    }
    for option in expected:
        suite.part(option).write({"pytest.ini": ORDERED, "test_it.py": MIXED})
    for option, run in suite.run_each({option: [f"--rustpar-order={option}"] for option in expected}).items():
        assert order(run) == expected[option], option


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


def test_the_warning_about_an_unknown_marker_names_its_source(suite: Suite) -> None:
    places = {
        "pytest.ini:3: ": [],
        "--rustpar-order:1: ": ["--rustpar-order=smoek"],
        "rustpar_order:1: ": ["-o", "rustpar_order=smoek", "-c", "other.ini"],
    }
    files = {"pytest.ini": "[pytest]\naddopts = -q\nrustpar_order = smoek, *\n", "other.ini": "[pytest]\n"}
    for number in range(len(places)):
        suite.part(f"{number}").write(files | {"test_it.py": "def test_it(): pass"})
    runs = suite.run_each({f"{number}": arguments for number, arguments in enumerate(places.values())})
    for place, run in zip(places, runs.values(), strict=True):
        assert f"{place}PytestUnknownMarkWarning: Unknown pytest.mark.smoek" in run.line("PytestUnknownMarkWarning")


# The arguments, an entry of the ini file, and the beginning and a part of the error.
ERRORS = [
    (["--rustpar-order=smoek", "--strict-markers"], "", "--rustpar-order: ", "smoek"),
    (["--rustpar-order=smoek", "--strict-markers", "-n2"], "", "--rustpar-order: ", "smoek"),
    (["--rustpar-order=smoek", "-W", "error"], "", "--rustpar-order: ", "smoek"),
    (["--rustpar-order=smoek", "-W", "error", "-n2"], "", "--rustpar-order: ", "smoek"),
    (
        ["--rustpar-order=smoke,,slow", "-n2"],
        "",
        "--rustpar-order: invalid order 'smoke,,slow': ",
        "': a marker is missing; expected for example smoke, *, slow",
    ),
    (["--rustpar-order=", "-n2"], "", "--rustpar-order: invalid order '': ", ""),
    ([], "smoke, smoke", "rustpar_order: invalid order 'smoke, smoke': smoke appears twice", ""),
    (["-n2"], "smoke, smoke", "rustpar_order: invalid order 'smoke, smoke': smoke appears twice", ""),
]


def test_an_invalid_order_or_an_unknown_marker_that_is_an_error_is_one_line(suite: Suite) -> None:
    for number, (_, entry, _, _) in enumerate(ERRORS):
        part = suite.part(f"{number}")
        part.test("def test_1(): pass\ndef test_2(): pass\n")
        part.write({"pytest.ini": f"[pytest]\nrustpar_order = {entry}\n"} if entry else {})
    runs = suite.run_each({f"{number}": arguments for number, (arguments, *_) in enumerate(ERRORS)})
    for (arguments, _, begin, words), run in zip(ERRORS, runs.values(), strict=True):
        line = error(run)
        assert line.startswith(f"ERROR: {begin}"), arguments
        assert words in line, arguments


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
    options = [",".join(classes) for classes in itertools.permutations(["smoke", "*", "slow"])]
    for option in ("none", *options):
        suite.part(option).write({"pytest.ini": MARKERS, "test_it.py": MIXED})
    runs = suite.run_each({"none": ()} | {option: [f"--rustpar-order={option}"] for option in options})
    names = order(runs["none"])
    for option in options:
        classes = option.split(",")
        wanted = [name for one in classes for name in names if name.startswith(one.replace("*", "rest"))]
        assert order(runs[option]) == wanted, option
