"""The attempts of a test in pytest's own ``--junitxml``: one ``testcase``, with elements as of Maven Surefire.

pytest would write a ``testcase`` for each attempt, and one that failed would look as if it had passed. A test that
passes when it is tried again gets a ``flakyFailure`` for each failed attempt, one that fails again a ``rerunFailure``.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from _pytest.junitxml import bin_xml_escape

from rustpar.compat.sessions import junit_file

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    import pytest


class MergedCases:
    """The test cases of tests that were tried again."""

    def __init__(self, config: pytest.Config) -> None:
        """Merge cases in the file of `config`, if there is one."""
        self._config = config
        # By test: each case with the failed report of its attempt, if it was retried.
        self._cases: dict[Hashable, list[tuple[Any, pytest.TestReport | None]]] = {}

    @contextlib.contextmanager
    def recording(self, report: pytest.TestReport, test: Hashable) -> Iterator[None]:
        """Record in which case pytest stores a report; `test` tells a test from all others."""
        xml = junit_file(self._config)
        if xml is None:
            yield
            return
        cases = self._cases.setdefault(test, [])
        is_failure = report.outcome == "rerun" and not hasattr(report, "rustpar_continued")  # type: ignore[comparison-overlap]
        case = xml.node_reporter(report)
        if is_failure:
            if cases and cases[-1][0] is case:
                cases[-1] = (case, report)
            else:
                cases.append((case, report))
        elif not cases or cases[-1][0] is not case:
            cases.append((case, None))
        yield

    def merge(self) -> None:
        """Merge the attempts of each test into the case of the last one, before the file is written."""
        xml = junit_file(self._config)
        for cases in self._cases.values() if xml is not None else ():
            self._merge(xml, cases)

    def _merge(self, xml: Any, cases: list[tuple[Any, pytest.TestReport | None]]) -> None:
        last, last_report = cases[-1]
        elements = [_element(case) for case, _ in cases]
        kept = elements[-1]
        total = sum(float(element.get("time", 0)) for element in elements)
        kept.set("time", f"{total:.3f}")
        has_failed = any(kept.find(name) is not None for name in ("failure", "error", "skipped"))
        tag = "rerunFailure" if has_failed or last_report is not None else "flakyFailure"
        for _, report in cases:
            if report is not None:
                kept.append(_failure(tag, report))
        earlier = {id(case) for case, _ in cases[:-1]} - {id(last)}
        xml.node_reporters_ordered[:] = [one for one in xml.node_reporters_ordered if id(one) not in earlier]
        last.to_xml = lambda: kept


def _element(case: Any) -> ET.Element:
    element: ET.Element = case.to_xml()
    return element


def _failure(tag: str, report: pytest.TestReport) -> ET.Element:
    crash = getattr(report.longrepr, "reprcrash", None)
    message = str(report.longrepr) if crash is None else str(crash.message)
    first = message.partition("\n")[0]
    found = re.match(r"[\w.]+(?=:|$)", first)
    kind = "failure" if found is None else found.group()
    element = ET.Element(tag, message=bin_xml_escape(first), type=kind)
    ET.SubElement(element, "stackTrace").text = bin_xml_escape(str(report.longrepr))
    return element
