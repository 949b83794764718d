"""Generated runs for the timeline page, deterministic for given arguments, in the format that `timeline_page` reads."""

from __future__ import annotations

import random
from typing import Any

MIB = 1 << 20
OUTCOMES = ["passed", "failed", "error", "skipped", "xfailed", "xpassed", "rerun", "crashed", "flaky", "quarantined"]
BAD = ("failed", "error", "crashed")
# Relative frequency of each outcome, in the order above.
WEIGHTS = [960.0, 8.0, 2.0, 20.0, 5.0, 1.0, 3.0, 2.0, 1.0, 1.0]
PHASES = ("setup", "call", "teardown")
STARTED = 1_769_860_000

Data = dict[str, Any]

# Markup that must be escaped wherever it appears on the page.
HOSTILE = (
    "</script><script>window.broken = true</script><!-- <img src=x onerror='window.broken = true'>\u2028\u2029\0"
    "\x1b[31mred\x1b[0m \x1b]0;title\x07\ud800 ok"
)


def empty_run(workers: int = 0, environments: int = 1) -> Data:
    """Return a run in which no test has run."""
    return {
        "version": 1,
        "run": {
            "id": "7f3a2c",
            "command": f"pytest -n {workers} tests",
            "started": STARTED,
            "seconds": 0.5,
            "exit": 5,
            "complete": True,
            "collected": 0,
            "ran": 0,
            "slow": None,
        },
        "environments": [
            {
                "name": f"Linux, Python 3.{12 + number}.1, pytest 9.2.0",
                "details": {"python": f"3.{12 + number}.1", "pytest": "9.2.0", "machine": "x86_64, 8 CPUs"},
            }
            for number in range(environments)
        ],
        "workers": [],
        "outcomes": OUTCOMES,
        "tests": {
            name: [] for name in ("id", "worker", "start", *PHASES, "end", "outcome", "usual", "previous", "growth")
        },
        "failures": [],
        "superseded": [],
        "leaks": [],
        "once": [],
        "marks": [],
        "counts": {},
        "durations": {},
        "bound": None,
        "thresholds": [],
        "previous": None,
    }


class _Maker:
    """Simulates tests that run one after another, each on the first free worker."""

    def __init__(self, tests: int, workers: int, environments: int) -> None:
        self.dice = random.Random(f"{tests} {workers} {environments}")
        self.data = empty_run(workers, environments)
        self.environments = environments
        # For each worker slot: the current worker, the time when it is free, and its peak memory.
        self.places = [self.new_worker(place, 0.02 * self.dice.random()) for place in range(workers)]

    def new_worker(self, place: int, at: float) -> list[Any]:
        number = len(self.data["workers"])
        memory = (60 + 20 * self.dice.random()) * MIB
        self.data["workers"].append(
            {
                "name": f"gw{number}",
                "environment": place % self.environments,
                "pid": 4000 + number,
                "start": at,
                "end": None,
                "ended": None,
                "reason": None,
                "peak": None,
                "memory": [[at, int(memory), int(memory * 0.4)]],
            }
        )
        return [number, at + 0.05, memory]

    def run_test(self, number: int) -> None:
        place = min(range(len(self.places)), key=lambda index: self.places[index][1])
        worker, start, memory = self.places[place]
        outcome = self.dice.choices(range(len(OUTCOMES)), WEIGHTS)[0]
        call = self.dice.lognormvariate(-3.6, 1.5)
        took = [call * self.dice.random() * 0.4, call, call * 0.05]
        if OUTCOMES[outcome] == "skipped":
            took = [0.0004, 0.0, 0.0002]
        end = start + sum(took)
        grown = int(self.dice.random() ** 9 * 20 * MIB)
        row = {
            "id": f"tests/unit/test_module_{number // 40:03}.py::TestCase{number // 10 % 4}::test_case[{number}-a::b]",
            "worker": worker,
            "start": start,
            **dict(zip(PHASES, took, strict=True)),
            "end": end,
            "outcome": outcome,
            "usual": sum(took) * self.dice.uniform(0.5, 1.5) if number % 7 else None,
            "previous": sum(took) * self.dice.uniform(0.7, 1.3) if number % 11 else None,
            "growth": grown,
        }
        for name, column in self.data["tests"].items():
            column.append(_round(row[name]))
        self.places[place][1:] = [end + 0.0005, memory + grown]
        samples = self.data["workers"][worker]["memory"]
        if end - samples[-1][0] > 0.1:
            samples.append([_round(end), int(memory + grown), int((memory + grown) * 0.5)])
        if OUTCOMES[outcome] in BAD:
            self.fail(number, OUTCOMES[outcome])
        if OUTCOMES[outcome] == "crashed":
            self.replace(place, end)

    def fail(self, number: int, outcome: str) -> None:
        text = f"def test_case(one, two):\n>       assert one == two\nE       assert {number} == {number + 1}\n"
        failure: Data = {"test": number, "phase": "call", "text": text, "sections": []}
        if outcome == "error":
            failure["phase"] = "setup"
        if outcome == "crashed":
            failure["text"] = f"worker 'gw{self.data['tests']['worker'][-1]}' crashed while running it"
        elif number % 2:
            failure["sections"] = [["Captured stdout call", f"value {number}\n"], ["Captured log call", "WARNING x\n"]]
        self.data["failures"].append(failure)

    def replace(self, place: int, at: float) -> None:
        worker = self.places[place][0]
        self.data["workers"][worker] |= {"end": at, "ended": "crashed", "reason": "killed by signal 11"}
        self.data["marks"].append(
            {"at": at, "worker": worker, "kind": "crash", "text": "killed by signal 11 (SIGSEGV)"}
        )
        self.places[place] = self.new_worker(place, at + 0.01)
        replacement = self.places[place][0]
        text = f"takes the place of gw{worker}"
        self.data["marks"].append({"at": at + 0.01, "worker": replacement, "kind": "replaced", "text": text})

    def finish(self) -> Data:
        data, tests = self.data, self.data["tests"]
        seconds = max(tests["end"]) + 0.1
        for worker in data["workers"]:
            if worker["end"] is None:
                worker |= {"end": seconds - 0.02, "ended": "left"}
        counts = {name: tests["outcome"].count(index) for index, name in enumerate(OUTCOMES)}
        data["counts"] = {name: number for name, number in counts.items() if number}
        sums = [sum(phases) for phases in zip(*(tests[phase] for phase in PHASES), strict=True)]
        data["durations"] = {name: _percentiles(tests[name]) for name in PHASES} | {"test": _percentiles(sums)}
        data["bound"] = {
            "seconds": sum(sums) / len(self.places),
            "by": f"an even split over {len(self.places)} workers",
        }
        p95, longest = data["durations"]["test"]["p95"], data["durations"]["test"]["max"]
        data["thresholds"] = [
            {"text": "p(95)<10s", "value": f"{p95 * 1000:.0f} ms", "broken": False},
            {"text": "max<100ms", "value": f"{longest * 1000:.0f} ms", "broken": longest > 0.1},
        ]
        earlier = {**data["counts"], "passed": data["counts"].get("passed", 0) - 3}
        data["previous"] = {"id": "51c09e", "started": STARTED - 86_400, "seconds": seconds * 1.08, "counts": earlier}
        data["run"] |= {"seconds": seconds, "exit": 1, "collected": len(sums), "ran": len(sums), "slow": 1.0}
        return data


def _round(value: Any) -> Any:
    """Round to microseconds, as in a journal."""
    return round(value, 6) if isinstance(value, float) else value


def _percentiles(values: list[float]) -> dict[str, float]:
    ascending = sorted(values)
    at = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: ascending[min(len(ascending) - 1, int(part * len(ascending)))] for name, part in at.items()}


def a_run(tests: int, workers: int = 8, environments: int = 1) -> Data:
    """Return a run with random failures, crashes and replaced workers, and a previous run."""
    maker = _Maker(tests, workers, environments)
    for number in range(tests):
        maker.run_test(number)
    return maker.finish() if tests else empty_run(workers, environments)
