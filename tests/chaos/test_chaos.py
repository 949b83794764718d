"""Some rounds of chaos with fixed seeds; ``python -m tests.chaos`` plays more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.play import play
from tests.chaos.rounds import make_round

if TYPE_CHECKING:
    from pathlib import Path

# A round takes 1.5 s, nearly all of it in the two or three runs of pytest.
ROUNDS = 24


@pytest.mark.parametrize("seed", [f"2026-{number}" for number in range(1, ROUNDS + 1)])
def test_no_invariant_is_violated_whatever_happens_to_a_run(seed: str, tmp_path: Path) -> None:
    round_ = make_round(seed)
    result = play(round_, tmp_path)
    assert not result.violations, (
        f"round {round_} {result.done}: {result.verdict()}\nagain: python -m tests.chaos --seed {seed}"
    )
