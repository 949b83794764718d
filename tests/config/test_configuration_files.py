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
# Without pytest.toml, whose table is read like the native one of pyproject.toml.
DIFFERENT_FILES = [kind for kind in TOML_FILES if kind != "pytest.toml"]
NATIVE_PYPROJECT = [kind for kind in NATIVE_FILES if kind != "pytest.toml"]

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

# All forms of the entries of a file: an order, resources, thresholds, a number, a duration, and on or off. Each list is
# one file; forms that are fewer are repeated.
TOML_FORMS = {
    "order": [
        '"smoke, *, slow"',
        '["smoke", "*", "slow"]',
        '["smoke, *", "slow"]',
        '"""\nsmoke\n*\nslow\n"""',
    ],
    "resources": ['"db: 2"', '["db: 2"]', '["a: 1, db: 2"]'],
    "thresholds": ['"count<3, max<1h"', '["max<1h", "count<3"]', '["count<3,", "max<1h"]'],
    "journals": ["1", '"1"', "false", "0", "true"],
    "slow": ["0", "0.0", '"0ms"', '"0"'],
    "progress": ["true", "false", '"on"', '"auto"'],
}
NATIVE_FORMS = TOML_FORMS | {
    "resources": [*TOML_FORMS["resources"], "{ db = 2 }", '{ "db" = "2", a = 1 }'],
    "thresholds": [*TOML_FORMS["thresholds"], '{ slow = "count<1" }'],
}
TEXT_FORMS = {
    "order": ["smoke, *, slow", "\n  smoke\n  *\n  slow", "\n  smoke, *,\n  slow"],
    "resources": ["db: 2"],
    "thresholds": ["count<3, max<1h"],
    "journals": ["1"],
    "slow": ["0"],
    "progress": ["true", "False", "off"],
}

# All forms in one kind of file; the others are read by the same code of pytest.
FILES = [
    *(("the ini_options of pyproject.toml", TOML_FORMS, number) for number in range(5)),
    *(("pyproject.toml", NATIVE_FORMS, number) for number in range(5) if NATIVE),
    *(("pytest.toml", NATIVE_FORMS, number) for number in (3,) if NATIVE),
    *(("pytest.ini", TEXT_FORMS, number) for number in range(3)),
    *((kind, TEXT_FORMS, 2) for kind in ("tox.ini", "setup.cfg")),
]

# How many of the journals of two runs are kept.
KEPT = {"1": 1, '"1"': 1, "false": 0, "0": 0, "true": 2}


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
    assert run.counts() == {"passed": 3}, run.text
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


@pytest.mark.parametrize(("kind", "forms", "number"), FILES, ids=lambda value: "" if isinstance(value, dict) else None)
def test_entries_can_have_all_their_forms(suite: Suite, kind: str, forms: dict[str, list[str]], number: int) -> None:
    values = {name: all_forms[number % len(all_forms)] for name, all_forms in forms.items()}
    configure(suite, kind, *(f"rustpar_{name} = {value}" for name, value in values.items()))
    suite.test(MARKED)
    run = suite.run(n=None)
    assert order_of(run) == IN_ORDER
    assert run.ret == 1
    assert ("count<1" if "slow" in values["thresholds"] else "count<3") in run.text
    assert sum("test_it.py::test_slow" in line for line in run.lines) == 1, run.text
    suite.test(MEETING)
    assert suite.run().counts() == {"passed": 2}
    assert journals(suite) == KEPT[values["journals"]]


@pytest.mark.parametrize("kind", [*TOML_FILES, "pytest.ini"])
def test_false_is_the_same_as_no_entry(suite: Suite, kind: str) -> None:
    names = ["slow", "order", "resources", "thresholds", "max_rss"]
    configure(suite, kind, *(f"rustpar_{name} = false" for name in names))
    suite.test(MARKED)
    run = suite.run(n=None)
    assert order_of(run) == ["test_slow", "test_other", "test_smoke"]
    assert run.ret == 0


@pytest.mark.parametrize("kind", DIFFERENT_FILES)
@pytest.mark.parametrize("value", ['""', "[]"])
def test_an_empty_string_or_list_is_the_same_as_no_entry(suite: Suite, kind: str, value: str) -> None:
    configure(suite, kind, *(f"rustpar_{name} = {value}" for name in ("order", "resources", "thresholds")))
    suite.test(MARKED)
    run = suite.run(n=None)
    assert order_of(run) == ["test_slow", "test_other", "test_smoke"]
    assert run.ret == 0


@pytest.mark.parametrize("kind", DIFFERENT_FILES)
def test_a_start_mode_a_size_and_a_path_are_strings(suite: Suite, kind: str) -> None:
    entries = ['rustpar_start = "early"', 'rustpar_max_rss = "8G"', 'rustpar_history = "kept.json"']
    configure(suite, kind, *entries)
    suite.test(MARKED)
    run = suite.run()
    assert run.counts() == {"passed": 3}
    assert run.start() == "early"
    assert (suite.path / "kept.json").is_file()


# An entry of a wrong type, and the beginning of the message.
WRONG = [
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
]
# One of each entry is also read from the table whose values pytest converts.
CONVERTED = list({entry.partition(" ")[0]: (entry, words) for entry, words in WRONG}.values())


@pytest.mark.parametrize(
    ("kind", "entry", "words"),
    [
        *(("the ini_options of pyproject.toml", *wrong) for wrong in (CONVERTED if NATIVE else WRONG)),
        *(("pyproject.toml", *wrong) for wrong in WRONG if NATIVE),
    ],
)
def test_a_value_of_the_wrong_type_is_one_line_with_the_expected_form(
    suite: Suite, kind: str, entry: str, words: str
) -> None:
    configure(suite, kind, entry)
    suite.test(MARKED)
    # Only native tables distinguish true from "True".
    assert usage_error(suite.run()).replace("True", "true").startswith(f"ERROR: {words}")


@pytest.mark.parametrize("kind", NATIVE_PYPROJECT)
@pytest.mark.parametrize("value", ["true", "5", "1979-05-27"])
def test_a_path_must_be_a_string(suite: Suite, kind: str, value: str) -> None:
    configure(suite, kind, f"rustpar_history = {value}")
    suite.test(MARKED)
    assert usage_error(suite.run(n=None)).startswith("ERROR: rustpar_history = ")


@pytest.mark.parametrize("kind", NATIVE_PYPROJECT)
def test_the_command_line_overrides_the_file(suite: Suite, kind: str) -> None:
    configure(suite, kind, "rustpar_slow = 1000", 'rustpar_order = ["slow", "smoke"]', "rustpar_journals = 5")
    suite.test(MARKED)
    overridden = ("-o", "rustpar_order=smoke, *, slow", "-o", "rustpar_journals=0", "--rustpar-slow=0")
    run = suite.run(*overridden, n=None)
    assert run.ret == 0
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
