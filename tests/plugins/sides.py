"""Runs a small suite for a plugin with plain pytest, pytest-xdist and rustpar, and extracts comparable results.

Two runs of one suite never have the same output. Paths, worker names, durations, dates and
addresses are removed before the comparison, and nothing else.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import MARK, RUN_LIMIT
from tests.suite_modules import SUPPORT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

# Facts about one run; each entry is compared separately.
Facts = dict[str, Any]

SIDES: Mapping[str, tuple[str, ...]] = {
    "plain": ("-p", "no:rustpar", "-p", "no:xdist"),
    "xdist": ("-p", "xdist", "-p", "no:rustpar", "-n", "2"),
    "rustpar": ("-p", "rustpar", "-n", "2"),
}

# A plugin that records the reports and warnings of the process that the user started. In a worker it delays
# the first test until the other worker has one too: otherwise one worker could run the whole small suite.
RECORDER = """
    import json
    import os
    import pytest
    import support

    def pytest_configure(config):
        config.pluginmanager.register(Meeting() if hasattr(config, "workerinput") else Recorder())

    class Meeting:
        met = False

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_runtest_protocol(self, item):
            name = os.environ["PYTEST_XDIST_WORKER"]
            if not self.met and name in ("gw0", "gw1"):
                self.met = True
                support.meet(name, "gw0", "gw1")
            return (yield)

    class Recorder:
        @pytest.hookimpl(trylast=True)
        def pytest_runtest_logreport(self, report):
            context = getattr(report, "context", None)
            expected = " as expected" if hasattr(report, "wasxfail") else ""
            self.write(
                nodeid=report.nodeid,
                what=f"{report.when} {report.outcome}{expected}{f' {context}' if context else ''}",
                text=str(report.longrepr) if report.longrepr else None,
                properties=[[str(name), repr(value)] for name, value in report.user_properties],
            )

        def pytest_warning_recorded(self, warning_message):
            self.write(warning=f"{warning_message.category.__name__}: {warning_message.message}")

        def write(self, **values):
            with open(os.path.join(support.HERE, "recorded.jsonl"), "a", encoding="utf-8") as file:
                file.write(json.dumps(values) + "\\n")
"""


@dataclass(frozen=True)
class Case:
    """A suite that uses a plugin, and the results of its runs that are compared.

    Attributes:
        plugin: the distribution the case is about.
        compared: text for the table: what is compared besides outcomes, failure texts, warnings and exit status.
        files: the suite.
        runs: the arguments of each run; the runs are executed one after another in the same directory.
        options: arguments for all runs of every side.
        aspect: distinguishes several cases of one plugin.
        needs: other distributions whose plugins are loaded.
        autoload: whether all plugins that are installed are loaded instead.
        artefact: reads the files that the plugin wrote, from the directory of the suite.
        terminal: a regular expression for the plugin's part of each output line.
        plain: whether plain pytest runs it too.
        differs: how pytest-xdist differs from plain pytest, if it does.
        better: where rustpar does what plain pytest does and pytest-xdist does not.
        wrong: how rustpar differs for the worse. The case is expected to fail.
    """

    plugin: str
    compared: str
    files: Mapping[str, str]
    runs: tuple[str, ...] = ("",)
    aspect: str = ""
    needs: tuple[str, ...] = ()
    autoload: bool = False
    artefact: Callable[[Path], Any] = field(default=lambda path: notes(path))
    terminal: str = r"(?!)"
    plain: bool = True
    differs: str = ""
    better: str = ""
    wrong: str = ""

    @property
    def name(self) -> str:
        """The plugin, and the aspect of it."""
        return f"{self.plugin}: {self.aspect}" if self.aspect else self.plugin

    @property
    def sides(self) -> tuple[str, ...]:
        """Names of the runners of the case."""
        return tuple(side for side in SIDES if self.plain or side != "plain")


@dataclass(frozen=True)
class Found:
    """Results of the runs of a case with one runner."""

    facts: list[Facts]
    start: str | None
    text: str


def run_side(case: Case, side: str, path: Path) -> Found:
    """Write the suite of a case into a directory and run it there."""
    _write(path, {"recorder.py": RECORDER, "support.py": SUPPORT, "pytest.ini": "[pytest]\n", **case.files})
    command = [sys.executable, "-m", "pytest", *SIDES[side], *_plugins(case), "-p", "recorder"]
    # Some plugins behave differently if a variable indicates a CI system.
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG", MARK) if name in os.environ}
    environment |= {"COLUMNS": "100"} if case.autoload else {"COLUMNS": "100", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    facts, texts = [], []
    for run in case.runs:
        # Options that only have a meaning with workers.
        arguments = [arg for arg in shlex.split(run) if side != "plain" or not arg.startswith("--dist=")]
        done = subprocess.run(
            [*command, *arguments],
            cwd=path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=RUN_LIMIT,
        )
        facts.append(_facts(case, path, done.returncode, done.stdout))
        texts.append(f"{side}: pytest {run}\n{done.stdout}")
        _clean(path)
    starts = re.findall(r"^rustpar: (?:\S+, )?start: (\w+)", "\n".join(texts), re.MULTILINE)
    return Found(facts, starts[-1] if starts else None, "\n".join(texts))


def _write(path: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")


def _plugins(case: Case) -> Iterable[str]:
    for distribution in () if case.autoload else (*case.needs, case.plugin):
        for entry in metadata.distribution(distribution).entry_points.select(group="pytest11"):
            yield from ("-p", entry.name)


def _clean(path: Path) -> None:
    """Delete the records of a run before the next one."""
    for file in [*path.glob("*.here"), path / "recorded.jsonl", path / "notes.log"]:
        file.unlink(missing_ok=True)


def _facts(case: Case, path: Path, status: int, text: str) -> Facts:
    recorded = read_lines(path / "recorded.jsonl")
    outcomes: dict[str, list[str]] = {}
    failures: dict[str, list[str]] = {}
    properties: dict[str, list[list[str]]] = {}
    for report in recorded:
        if "nodeid" in report:
            name = normal(report["nodeid"], path)
            outcomes.setdefault(name, []).append(report["what"])
            properties[name] = report["properties"]
            if report["text"]:
                failures.setdefault(name, []).append(_without_circumstances(normal(report["text"], path)))
    lines = normal(text, path).splitlines()
    return {
        "exit status": status,
        "counts": _counts(text.splitlines()),
        "outcomes": outcomes,
        "failure texts": failures,
        "user properties": properties,
        "warnings": sorted({normal(entry["warning"], path) for entry in recorded if "warning" in entry}),
        "terminal": sorted(found[0] for line in lines if (found := re.search(case.terminal, line))),
        "artefact": case.artefact(path),
    }


def _without_circumstances(text: str) -> str:
    """Return the text of a crash without what only rustpar says: its circumstances, and what to do."""
    return re.sub(r"\A(worker 'gwN' crashed while running .*)\n\n[\s\S]*", r"\1", text)


def _counts(lines: list[str]) -> dict[str, int]:
    """The numbers in pytest's closing line, without the warnings: each of xdist's workers counts its own."""
    try:
        counts: dict[str, int] = pytest.RunResult.parse_summary_nouns(lines)
    except ValueError:
        return {}
    counts.pop("warnings", None)
    return counts


# Removing everything that differs between any two runs


def normal(text: str, path: Path | None = None) -> str:
    """Return a text without paths, worker names, durations, dates and addresses."""
    if path is not None:
        text = text.replace(str(path), "<suite>")
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    text = re.sub(r"^\[gw\d+\] \w+ -- Python .*\n*", "", text, flags=re.MULTILINE)
    text = re.sub(r"(?<![a-z])gw\d+\b", "gwN", text)
    text = re.sub(r"0x[0-9a-f]{6,}|(?<=id=')\d{9,}", "0x…", text)
    text = re.sub(r"(\W)\1* (Stack of \S+) \(\d+\) \1*", r"\2", text)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*", "<date>", text)
    text = re.sub(r"\b\d\d:\d\d:\d\d\b|\b\d+ ms\b|(?<=Typical runtimes: ).*", "…", text)
    return re.sub(r"\b\d+(\.\d+)?(?= ?(s|ms|seconds)\b)", "…", text)


def notes(path: Path) -> list[str]:
    """Return the sorted notes of tests without repetitions."""
    return sorted(set(every_note(path)))


def every_note(path: Path) -> list[str]:
    """Return the sorted notes of tests with repetitions."""
    file = path / "notes.log"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return sorted(normal(line.partition(" ")[2], path) for line in lines)


def read_lines(file: Path) -> list[dict[str, Any]]:
    """Return the objects in a file of JSON lines."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
