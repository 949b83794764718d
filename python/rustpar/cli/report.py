"""The command ``rustpar report``: what a journal tells, in a terminal and in the formats of other programs."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rustpar import _core
from rustpar.cli.command import Failed, guarded, write
from rustpar.cli.journal_lookup import add_path, journals, reports
from rustpar.recording.timeline import timeline
from rustpar.terminal import timing_text

_HELP = "tell what came of a run, from its journal"

# Tests that the list of the slowest has.
_MOST_SLOW = 10

# Formats that are files: what the option is called, and what the help says.
_FORMATS = {
    "junit": "write JUnit XML, as pytest's own --junitxml",
    "ctrf": "write the Common Test Report Format (JSON)",
    "trace": "write Chrome trace events, which Perfetto opens",
    "timeline": "write a page of HTML that shows the run, beside the run before it",
}


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("report", help=_HELP, description=f"{_HELP}. FILE - is standard output.")
    parser.add_argument(
        "journal",
        nargs="?",
        default="latest",
        help="a journal, the id of a run that is kept, or the first letters of it (default: latest, the latest run)",
    )
    add_path(parser)
    for name, help_ in _FORMATS.items():
        parser.add_argument(f"--{name}", metavar="FILE", help=help_)
    parser.add_argument(
        "--github",
        action="store_true",
        help="print annotations for GitHub Actions, and append a job summary to the file $GITHUB_STEP_SUMMARY",
    )
    parser.set_defaults(run=guarded("report", _report))


def _report(options: argparse.Namespace) -> None:
    journal = _journal(options.journal, options.path)
    report = _core.Report([journal])
    if not report.runs():
        raise Failed("the journal was cut before it said of which run it is; there is nothing to tell")
    asked = {name: getattr(options, name) for name in _FORMATS if getattr(options, name) is not None}
    for name, file in asked.items():
        content: bytes = timeline(journal) if name == "timeline" else getattr(report, name)()
        write(file, content)
    if options.github:
        sys.stdout.write(report.annotations())
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if summary:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(report.job_summary())
    elif not asked:
        *sections, overview = report.sections(_MOST_SLOW)
        print("\n".join([*sections, *_timing(journal), overview]), end="")


def _timing(journal: Path) -> list[str]:
    """Where the time went, as sections."""
    timing = _core.Timing.read(journal)
    lines = list(timing_text.percentile_lines(timing))
    if timing.bound() is not None and timing.workers()[0][0] != "main":
        lines += ["", *timing_text.bound_lines(timing, str)]
    judged = [line for line, _ in timing_text.threshold_lines(timing.judge())]
    sections = {"durations": lines, "thresholds": judged}
    return ["\n".join([name, *(f"  {line}".rstrip() for line in told), ""]) for name, told in sections.items() if told]


def _journal(wanted: str, directory: Path | None) -> Path:
    """The journal that is meant.

    Raises:
        Failed: When there is none, or when several could be meant.
    """
    if wanted == "latest":
        return journals(directory)[-1]
    if Path(wanted).exists():
        return Path(wanted)
    if os.sep in wanted or wanted.endswith(".jsonl"):
        raise Failed(f"there is no file {wanted}")
    found = [
        path
        for path, report in reports("report", directory)
        if any(id_.startswith(wanted) for id_, *_ in report.runs())
    ]
    if len(found) != 1:
        raise Failed(f"{len(found)} of the kept runs have an id that begins with {wanted!r}; `rustpar runs` lists them")
    return found[0]
