"""``python -m tests.chaos``: rounds of chaos, each of which can be reproduced from its seed."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.play import play
from tests.chaos.rounds import KINDS, make_round


def main() -> int:
    """Play rounds; return 1 if an invariant was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="how many rounds (default: 20)")
    parser.add_argument("--seed", default=None, help="of the first: 4711, or 4711-17 for a single round of those")
    parser.add_argument("--only", choices=KINDS, help="only faults of this kind")
    parser.add_argument("--seconds", type=float, default=None, help="begin no round after this many seconds")
    options = parser.parse_args()
    seed = options.seed or str(random.randrange(10_000))
    seeds = [seed] if "-" in seed else [f"{seed}-{number}" for number in range(1, options.rounds + 1)]
    began = time.monotonic()
    violated = played = 0
    for number, single in enumerate(seeds, 1):
        if options.seconds is not None and time.monotonic() - began > options.seconds:
            break
        directory = Path(tempfile.mkdtemp(prefix="chaos-"))
        round_ = make_round(single, options.only)
        result = play(round_, directory)
        played += 1
        violated += bool(result.violations)
        print(f"round {number} {round_} [{'; '.join(result.done)}]: {result.verdict()}", flush=True)
        if result.violations:
            again = f" --only '{options.only}'" if options.only else ""
            print(f"  again: python -m tests.chaos --seed {single}{again}; files: {directory}", flush=True)
        else:
            shutil.rmtree(directory)
    print(f"{played} rounds in {time.monotonic() - began:.0f} s, {violated} with violations")
    return int(violated > 0)


if __name__ == "__main__":
    sys.exit(main())
