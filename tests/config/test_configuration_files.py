"""Ini options in each kind of configuration file, in all forms that are accepted.

In the table ``[tool.pytest]`` of pytest 9 values keep their TOML types; elsewhere pytest converts them to strings.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import rustpar

if TYPE_CHECKING:
    from tests.harness import Run, Suite

NATIVE = pytest.version_tuple >= (9, 0)

# Each kind of configuration file: its name and the header of pytest's table.
TEXT_FILES = {"pytest.ini": "[pytest]", "tox.ini": "[pytest]", "setup.cfg": "[tool:pytest]"}
NATIVE_FILES = {"pyproject.toml": "[tool.pytest]", "pytest.toml": "[pytest]"} if NATIVE else {}
TOML_FILES = {"the ini_options of pyproject.toml": "[tool.pytest.ini_options]", **NATIVE_FILES}

MARKED = """
    import pytest

    @pytest.mark.slow
    def test_slow(): pass

    def test_other(): pass

    @pytest.mark.smoke
    def test_smoke(): pass
"""
IN_ORDER = ["test_smoke", "test_other", "test_slow"]

# Two tests hold the resource at the same time and wait for each other.
MEETING = """
    import pytest
    from support import meet

    @pytest.mark.resource("db")
    def test_a(): meet("a", "b")

    @pytest.mark.resource("db")
    def test_b(): meet("b", "a")
"""


def configure(suite: Suite, kind: str, *entries: str) -> None:
    """Write a configuration file of a kind, with registered markers and the given entries."""
    if kind in TOML_FILES:
        file = kind.rpartition(" ")[2]
        lines = [TOML_FILES[kind], 'markers = ["smoke", "slow"]']
    else:
        file, lines = kind, [TEXT_FILES[kind], "markers =", "  smoke", "  slow"]
    suite.write({file: "\n".join([*lines, *entries, ""])})


def order_of(run: Run) -> list[str]:
    """Return the names of the tests of `MARKED` in the order in which they ran."""
    assert run.ret == 0, run.text
    return [report["nodeid"].partition("::")[2] for report in run.reports if report["when"] == "call"]


def usage_error(run: Run) -> str:
    """Return the single line of a usage error."""
    assert run.ret == pytest.ExitCode.USAGE_ERROR, run.text
    assert run.reports == []
    assert "Traceback" not in run.text
    (line,) = [line for line in run.err.splitlines() if line]
    return line


def journals(suite: Suite) -> int:
    """Return the number of kept journals."""
    return len(list((suite.path / ".pytest_cache").glob("d/rustpar/runs/*")))


@pytest.mark.parametrize("kind", TEXT_FILES)
@pytest.mark.parametrize("value", ["smoke, *, slow", "\n  smoke\n  *\n  slow", "\n  smoke, *,\n  slow"])
def test_an_order_can_be_one_line_or_several_lines(suite: Suite, kind: str, value: str) -> None:
    configure(suite, kind, f"rustpar_order = {value}")
    suite.test(MARKED)
    assert order_of(suite.run(n=None)) == IN_ORDER


@pytest.mark.parametrize("kind", TOML_FILES)
@pytest.mark.parametrize(
    "value",
    ['"smoke, *, slow"', '["smoke", "*", "slow"]', '["smoke, *", "slow"]', '"""\nsmoke\n*\nslow\n"""'],
    ids=["a text", "a list", "a list of texts with commas", "lines"],
)
def test_an_order_can_be_a_string_or_a_list(suite: Suite, kind: str, value: str) -> None:
    configure(suite, kind, f"rustpar_order = {value}")
    suite.test(MARKED)
    assert order_of(suite.run(n=None)) == IN_ORDER


@pytest.mark.parametrize("kind", TOML_FILES)
@pytest.mark.parametrize("value", ['"db: 2"', '["db: 2"]', '["a: 1, db: 2"]'])
def test_resources_can_be_a_string_or_a_list(suite: Suite, kind: str, value: str) -> None:
    configure(suite, kind, f"rustpar_resources = {value}")
    suite.test(MEETING)
    assert suite.run().counts() == {"passed": 2}


@pytest.mark.parametrize("kind", NATIVE_FILES)
@pytest.mark.parametrize("value", ["{ db = 2 }", '{ "db" = "2", a = 1 }'])
def test_resources_can_be_a_table_in_native_toml(suite: Suite, kind: str, value: str) -> None:
    configure(suite, kind, f"rustpar_resources = {value}")
    suite.test(MEETING)
    assert suite.run().counts() == {"passed": 2}


@pytest.mark.parametrize("kind", TOML_FILES)
@pytest.mark.parametrize("value", ['"count<3, max<1h"', '["max<1h", "count<3"]', '["count<3,", "max<1h"]'])
def test_thresholds_can_be_a_string_or_a_list(suite: Suite, kind: str, value: str) -> None:
    configure(suite, kind, f"rustpar_thresholds = {value}")
    suite.test(MARKED)
    run = suite.run(n=None)
    assert run.ret == 1
    assert "count<3" in run.text


@pytest.mark.parametrize("kind", NATIVE_FILES)
def test_thresholds_can_be_a_table_in_native_toml(suite: Suite, kind: str) -> None:
    configure(suite, kind, 'rustpar_thresholds = { slow = "count<1" }')
    suite.test(MARKED)
    run = suite.run(n=None)
    assert run.ret == 1
    assert "count<1" in run.text


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *((kind, value) for kind in TOML_FILES for value in ("2", '"2"')),
        *((kind, "2") for kind in TEXT_FILES),
    ],
)
def test_a_number_can_be_a_number_or_a_string(suite: Suite, kind: str, value: str) -> None:
    configure(suite, kind, f"rustpar_journals = {value}")
    suite.test(MARKED)
    for _ in range(3):
        assert suite.run(n=None).ret == 0
    assert journals(suite) == 2


@pytest.mark.parametrize("kind", TOML_FILES)
@pytest.mark.parametrize(("value", "kept"), [("false", 0), ("0", 0), ("true", 1)])
def test_journals_can_be_enabled_or_disabled(suite: Suite, kind: str, value: str, kept: int) -> None:
    configure(suite, kind, f"rustpar_journals = {value}")
    suite.test(MARKED)
    assert suite.run(n=None).ret == 0
    assert journals(suite) == kept


@pytest.mark.parametrize("kind", TOML_FILES)
@pytest.mark.parametrize("value", ["0", "0.0", '"0ms"', '"0"'])
def test_a_duration_can_be_a_number_of_seconds_or_a_string(suite: Suite, kind: str, value: str) -> None:
    configure(suite, kind, f"rustpar_slow = {value}")
    suite.test(MARKED)
    run = suite.run(n=None)
    assert run.ret == 0
    assert sum("test_it.py::test_slow" in line for line in run.lines) == 1, run.text


@pytest.mark.parametrize("kind", [*TOML_FILES, *TEXT_FILES])
def test_false_is_the_same_as_no_entry(suite: Suite, kind: str) -> None:
    names = ["slow", "order", "resources", "thresholds", "max_rss"]
    configure(suite, kind, *(f"rustpar_{name} = false" for name in names))
    suite.test(MARKED)
    run = suite.run(n=None)
    assert order_of(run) == ["test_slow", "test_other", "test_smoke"]
    assert run.counts() == {"passed": 3}


@pytest.mark.parametrize("kind", TOML_FILES)
@pytest.mark.parametrize("value", ['""', "[]"])
def test_an_empty_string_or_list_is_the_same_as_no_entry(suite: Suite, kind: str, value: str) -> None:
    configure(suite, kind, *(f"rustpar_{name} = {value}" for name in ("order", "resources", "thresholds")))
    suite.test(MARKED)
    assert order_of(suite.run(n=None)) == ["test_slow", "test_other", "test_smoke"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *((kind, value) for kind in TOML_FILES for value in ("true", "false", '"on"', '"auto"')),
        *((kind, value) for kind in TEXT_FILES for value in ("true", "False", "off")),
    ],
)
def test_progress_can_be_on_off_true_or_false(suite: Suite, kind: str, value: str) -> None:
    configure(suite, kind, f"rustpar_progress = {value}")
    suite.test(MARKED)
    assert suite.run().counts() == {"passed": 3}


@pytest.mark.parametrize("kind", TOML_FILES)
def test_a_start_mode_a_size_and_a_path_are_strings(suite: Suite, kind: str) -> None:
    entries = ['rustpar_start = "early"', 'rustpar_max_rss = "8G"', 'rustpar_history = "kept.json"']
    configure(suite, kind, *entries)
    suite.test(MARKED)
    run = suite.run()
    assert run.counts() == {"passed": 3}
    assert run.start() == "early"
    assert (suite.path / "kept.json").is_file()


@pytest.mark.parametrize("kind", [kind for kind in TOML_FILES if kind != "pytest.toml"])
@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("rustpar_start = true", "rustpar_start = true: use auto, template, early or xdist"),
        ('rustpar_start = ["early"]', "rustpar_start = ['early']: use auto, template, early or xdist"),
        ("rustpar_progress = 1", "rustpar_progress = 1: use auto, on or off"),
        (
            "rustpar_journals = 1.5",
            "rustpar_journals: invalid number '1.5': expected for example 10, or 0 for none",
        ),
        (
            "rustpar_journals = -1",
            "rustpar_journals: invalid number '-1': expected for example 10, or 0 for none",
        ),
        (
            "rustpar_journals = [3]",
            "rustpar_journals: invalid number '[3]': expected for example 10, or 0 for none",
        ),
        ("rustpar_slow = true", "rustpar_slow: invalid duration 'true': expected for example 500ms, 1s or 1.5m"),
        ("rustpar_slow = -1", "rustpar_slow: invalid duration '-1': expected for example 500ms, 1s or 1.5m"),
        ('rustpar_slow = ["1s"]', "rustpar_slow: invalid duration '['1s']': expected for example 500ms, 1s or 1.5m"),
        ("rustpar_max_rss = 500", "rustpar_max_rss: invalid size '500': expected a number with K, M, G or T"),
        ("rustpar_max_rss = true", "rustpar_max_rss: invalid size 'true': expected a number with K, M, G or T"),
        ("rustpar_order = 5", "rustpar_order: invalid order '5': '5' is not the name of a marker"),
        ("rustpar_order = [1, 2]", "rustpar_order: invalid order '1 2': '1' is not the name of a marker"),
        ("rustpar_resources = 2", "rustpar_resources: invalid limit '2': expected a name and a number from 1 on"),
        ('rustpar_resources = ["db", 2]', "rustpar_resources: invalid limit 'db': expected a name and a number"),
        ("rustpar_history = [1]", "rustpar_history = [1]: use a path"),
    ],
)
def test_a_value_of_the_wrong_type_is_one_line_with_the_expected_form(
    suite: Suite, kind: str, entry: str, words: str
) -> None:
    configure(suite, kind, entry)
    suite.test(MARKED)
    # Only native tables distinguish true from "True".
    assert usage_error(suite.run()).replace("True", "true").startswith(f"ERROR: {words}")


@pytest.mark.parametrize("kind", NATIVE_FILES)
@pytest.mark.parametrize("value", ["true", "5", "1979-05-27"])
def test_a_path_must_be_a_string(suite: Suite, kind: str, value: str) -> None:
    configure(suite, kind, f"rustpar_history = {value}")
    suite.test(MARKED)
    assert usage_error(suite.run(n=None)).startswith("ERROR: rustpar_history = ")


@pytest.mark.parametrize("kind", NATIVE_FILES)
def test_the_command_line_overrides_the_file(suite: Suite, kind: str) -> None:
    configure(suite, kind, "rustpar_slow = 1000", 'rustpar_order = ["slow", "smoke"]', "rustpar_journals = 5")
    suite.test(MARKED)
    overridden = ("-o", "rustpar_order=smoke, *, slow", "-o", "rustpar_journals=0", "--rustpar-slow=0")
    run = suite.run(*overridden, n=None)
    assert order_of(run) == IN_ORDER
    assert sum("test_it.py::test_slow" in line for line in run.lines) == 1, run.text
    assert journals(suite) == 0


@pytest.mark.skipif(not NATIVE, reason="pytest 9 brought native tables")
def test_no_ini_option_is_read_as_a_string_only(suite: Suite) -> None:
    known = re.findall(r"^  (rustpar_\w+) \(", suite.run("--help", n=None).out, re.MULTILINE)
    assert "rustpar_order" in known
    suite.test(MARKED)
    for name in known:
        configure(suite, "pyproject.toml", f"{name} = [[1], [2]]")
        run = suite.run()
        assert run.ret == pytest.ExitCode.USAGE_ERROR
        assert run.err.startswith(f"ERROR: {name}")
        assert "Traceback" not in run.text


def test_ini_options_are_read_in_one_module_only() -> None:
    package = Path(rustpar.__file__).parent
    found = {path.name for path in package.glob("**/*.py") if re.search(r'getini\(\W*"?rustpar_', path.read_text())}
    assert found == set()
