"""Compares the results of the runners of a case, and writes the table in the documentation."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.plugins.sides import Case, Facts, Found

BEGIN = "<!-- made by `python3 dev.py plugins` -->"
END = "<!-- end of what is made -->"

HEAD = ["plugin", "version", "compared", "pytest-xdist", "rustpar", "start"]


@dataclass(frozen=True)
class Verdict:
    """Result of comparing the sides of a case; each entry names a run and a fact about it."""

    differs: list[str]
    better: list[str]
    worse: list[str]
    start: str | None

    def row(self, case: Case, footnotes: list[str]) -> list[str]:
        """Return the cells of the row in the table, and add to the footnotes."""
        xdist = "-" if not case.plain else "differs" if self.differs else "as plain"
        rustpar = "differs" if self.worse else "better" if self.better else "same"
        marks = {"xdist": case.differs, "rustpar": case.wrong or case.better}
        notes = {side: _mark(text, footnotes) for side, text in marks.items()}
        name = case.aspect if case.autoload else case.name
        cells = [name, metadata.version(case.plugin), case.compared, xdist + notes["xdist"], rustpar + notes["rustpar"]]
        return [*cells, str(self.start)]


def _mark(text: str, footnotes: list[str]) -> str:
    if not text:
        return ""
    if text not in footnotes:
        footnotes.append(text)
    return f" [{footnotes.index(text) + 1}]"


def judge(found: Mapping[str, Found]) -> Verdict:
    """Compare the results of the sides, fact by fact.

    Where rustpar and pytest-xdist differ, rustpar is better if it shows what plain pytest shows; or, where plain pytest
    could not run the suite, if its output contains everything that pytest-xdist's does and more.
    """
    xdist, rustpar = found["xdist"].facts, found["rustpar"].facts
    plain: Sequence[Facts | None] = found["plain"].facts if "plain" in found else [None] * len(xdist)
    differs: list[str] = []
    better: list[str] = []
    worse: list[str] = []
    for run, (there, here, alone) in enumerate(zip(xdist, rustpar, plain, strict=True), 1):
        for name in there:
            where = f"run {run}, {name}"
            if alone is not None and alone[name] != there[name]:
                differs.append("\n".join([where, *_difference(alone[name], there[name])]))
            if here[name] != there[name]:
                text = "\n".join([where, *_difference(there[name], here[name])])
                (better if _is_better(name, here, there, alone) else worse).append(text)
    return Verdict(differs, better, worse, found["rustpar"].start)


def _is_better(name: str, here: Facts, there: Facts, alone: Facts | None) -> bool:
    if alone is not None:
        return bool(here[name] == alone[name])
    return name == "terminal" and Counter(there[name]) <= Counter(here[name])


def _difference(one: Any, other: Any, where: str = "") -> Iterator[str]:
    """Return the paths at which two values differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            yield from _difference(one.get(key), other.get(key), f"{where}/{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, pair in enumerate(zip(one, other, strict=True)):
            yield from _difference(*pair, f"{where}/{index}")
    elif one != other:
        yield f"  {where or 'it'}:\n    {one!r}\n    {other!r}"


def render(verdicts: Sequence[tuple[Case, Verdict]]) -> str:
    """Return the table and its footnotes."""
    footnotes: list[str] = []
    rows = [HEAD, ["---"] * len(HEAD), *(verdict.row(case, footnotes) for case, verdict in verdicts)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*lines, "", *(f"{number}. {text}" for number, text in enumerate(footnotes, 1))])


def without_start(table: str) -> str:
    """Return the table without its last column, because start modes are tested elsewhere."""
    return re.sub(r"^(\|.*\|)[^|]+\|$", r"\1", table, flags=re.MULTILINE)


def written(document: str) -> str:
    """Return the table in a document."""
    return document.partition(BEGIN)[2].partition(END)[0].strip()


def rewritten(document: str, table: str) -> str:
    """Return the document with another table."""
    before, _, rest = document.partition(BEGIN)
    return f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}"
