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
FILES = {
    "the ini_options of pyproject.toml": (TOML_FORMS, range(5)),
    **({"pyproject.toml": (NATIVE_FORMS, range(5)), "pytest.toml": (NATIVE_FORMS, [3])} if NATIVE else {}),
    "pytest.ini": (TEXT_FORMS, range(3)),
    "tox.ini": (TEXT_FORMS, [2]),
    "setup.cfg": (TEXT_FORMS, [2]),
}

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


def test_entries_can_have_all_their_forms(suite: Suite) -> None:
    files = {
        f"{kind} {number}": {name: values[number % len(values)] for name, values in forms.items()}
        for kind, (forms, numbers) in FILES.items()
        for number in numbers
    }
    for file, values in files.items():
        part = suite.part(file)
        configure(part, file.rpartition(" ")[0], *(f"rustpar_{name} = {value}" for name, value in values.items()))
        part.test(MARKED)
    for file, run in suite.run_each(dict.fromkeys(files, ())).items():
        assert order_of(run) == IN_ORDER, file
        assert run.ret == 1, file
        assert ("count<1" if "slow" in files[file]["thresholds"] else "count<3") in run.text, file
        assert sum("test_it.py::test_slow" in line for line in run.lines) == 1, f"{file}\n{run.text}"
        suite.part(file).test(MEETING)
    for file, run in suite.run_each(dict.fromkeys(files, ("-n2",))).items():
        assert run.counts() == {"passed": 2}, f"{file}\n{run.text}"
        assert journals(suite.part(file)) == KEPT[files[file]["journals"]], file


def test_entries_that_are_the_same_as_no_entry(suite: Suite) -> None:
    names = ["slow", "order", "resources", "thresholds", "max_rss"]
    files = {(kind, "false"): names for kind in [*TOML_FILES, "pytest.ini"]}
    files |= {(kind, value): names[1:4] for kind in DIFFERENT_FILES for value in ('""', "[]")}
    for number, ((kind, value), entries) in enumerate(files.items()):
        configure(suite.part(f"{number}"), kind, *(f"rustpar_{name} = {value}" for name in entries))
        suite.part(f"{number}").test(MARKED)
    runs = suite.run_each({f"{number}": () for number in range(len(files))})
    for file, run in zip(files, runs.values(), strict=True):
        assert order_of(run) == ["test_slow", "test_other", "test_smoke"], file
        assert run.ret == 0, file


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
    ('rustpar_start = "later"', "rustpar_start = later: use auto, template, early or xdist"),
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


def test_a_wrong_value_is_one_line_with_the_expected_form(suite: Suite) -> None:
    wrong = [("the ini_options of pyproject.toml", *one) for one in (CONVERTED if NATIVE else WRONG)]
    wrong += [("pyproject.toml", *one) for one in WRONG if NATIVE]
    for number, (kind, entry, _) in enumerate(wrong):
        configure(suite.part(f"{number}"), kind, entry)
    runs = suite.run_each({f"{number}": ("-n2",) for number in range(len(wrong))})
    for (kind, entry, words), run in zip(wrong, runs.values(), strict=True):
        assert run.ret == pytest.ExitCode.USAGE_ERROR, f"{entry} in {kind}"
        # Only native tables distinguish true from "True".
        assert usage_error(run).replace("True", "true").startswith(f"ERROR: {words}"), f"{entry} in {kind}"


@pytest.mark.skipif(not NATIVE, reason="pytest 9 brought native tables")
def test_a_path_must_be_a_string(suite: Suite) -> None:
    values = ("true", "5", "1979-05-27")
    for value in values:
        configure(suite.part(value), "pyproject.toml", f"rustpar_history = {value}")
    for value, run in suite.run_each(dict.fromkeys(values, ())).items():
        assert usage_error(run).startswith("ERROR: rustpar_history = "), value


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
    runs = {f"{name}{n}": (n,) for name in known for n in ("-n0", "-n2")}
    for directory in runs:
        configure(suite.part(directory), "pyproject.toml", f"{directory[:-3]} = [[1], [2]]")
    for directory, run in suite.run_each(runs).items():
        name = directory[:-3]
        assert run.ret == pytest.ExitCode.USAGE_ERROR, directory
        assert run.err.startswith(f"ERROR: {name}")
        assert "Traceback" not in run.text


def test_ini_options_are_read_in_one_module_only() -> None:
    package = Path(rustpar.__file__).parent
    found = {path.name for path in package.glob("**/*.py") if re.search(r'getini\(\W*"?rustpar_', path.read_text())}
    assert found == set()
