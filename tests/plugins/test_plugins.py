"""Popular plugins behave under rustpar as under pytest-xdist; docs/plugins.md shows the results."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.plugins import table
from tests.plugins.sides import run_side
from tests.plugins.suites import frameworks, kinds, measures, reports, running, together

if TYPE_CHECKING:
    from tests.plugins.sides import Case
    from tests.plugins.table import Verdict

DOCUMENT = Path(__file__).parents[2] / "docs" / "plugins.md"

ALONE = [case for room in (frameworks, kinds, measures, reports, running) for case in room.CASES]
CASES = [*sorted(ALONE, key=lambda case: case.name), *together.CASES]


def _parameter(case: Case) -> object:
    expected = pytest.mark.xfail(raises=AssertionError, strict=True, reason=case.wrong)
    return pytest.param(case, id=case.name, marks=[expected] if case.wrong else [])


@pytest.fixture(scope="module")
def verdicts() -> dict[str, Verdict]:
    """Return the results by the names of the cases."""
    return {}


@pytest.mark.parametrize("case", [_parameter(case) for case in CASES])
def test_a_plugin_does_what_it_does_under_xdist(case: Case, tmp_path: Path, verdicts: dict[str, Verdict]) -> None:
    with ThreadPoolExecutor() as pool:
        runs = {side: pool.submit(run_side, case, side, tmp_path / side / "suite") for side in case.sides}
        found = {side: run.result() for side, run in runs.items()}
    verdict = verdicts[case.name] = table.judge(found)
    print(*(side.text for side in found.values()), sep="\n")
    if found["rustpar"].start is None:
        pytest.fail("no line said how rustpar started")
    if bool(verdict.differs) != bool(case.differs):
        pytest.fail("pytest-xdist and plain pytest:\n" + "\n".join(verdict.differs or ["no difference"]))
    if bool(verdict.better) != bool(case.better):
        pytest.fail("where rustpar is better:\n" + "\n".join(verdict.better or ["nowhere"]))
    assert not verdict.worse, "\n".join(["pytest-xdist and rustpar:", *verdict.worse])


def test_the_table_in_the_documentation_is_up_to_date(
    verdicts: dict[str, Verdict], pytestconfig: pytest.Config
) -> None:
    if len(verdicts) < len(CASES):
        pytest.skip("not every plugin was run")
    found = table.render([(case, verdicts[case.name]) for case in CASES])
    document = DOCUMENT.read_text(encoding="utf-8")
    if pytestconfig.getoption("write_table"):
        DOCUMENT.write_text(table.rewritten(document, found), encoding="utf-8")
    else:
        is_up_to_date = table.without_start(found) == table.without_start(table.written(document))
        assert is_up_to_date, f"docs/plugins.md is stale: run `python3 dev.py plugins`. Found was:\n{found}"
