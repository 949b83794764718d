"""A round of chaos: a suite, the options of a run, and its faults, all derived from a seed."""

from __future__ import annotations

import os
import random
import signal
from dataclasses import dataclass

from tests.chaos.faults import ROLES, Damage, Delays, Fault, FullDisk, Limit, Moment, Signal
from tests.chaos.suites import Shape

# The kinds of faults, with how often one is chosen.
KINDS = {
    "worker": 6,
    "template": 3,
    "fork server": 3,
    "controller": 4,
    "everything": 1,
    "several": 4,
    "delays": 2,
    "limit": 4,
    "disk": 1,
    "damage": 3,
}

_MIB = 1 << 20
_SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGSEGV)


@dataclass(frozen=True)
class Round:
    """A round.

    Attributes:
        seed: What it is derived from.
        shape: The suite.
        arguments: The arguments of pytest.
        faults: What is done to the run.
        niceness: The niceness of the run's processes.
    """

    seed: str
    shape: Shape
    arguments: tuple[str, ...]
    faults: tuple[Fault, ...]
    niceness: int

    def __str__(self) -> str:
        nice = f", nice {self.niceness}" if self.niceness else ""
        return f"(seed {self.seed}): {' + '.join(map(str, self.faults))}, {' '.join(self.arguments)}{nice}"

    def pauses(self) -> float:
        """Return for how many seconds faults can stop the run."""
        return sum(
            fault.pause if isinstance(fault, Signal) else fault.seconds
            for fault in self.faults
            if isinstance(fault, Signal | Delays)
        )

    def ends_controller(self) -> bool:
        """Return whether a fault kills the process that the user has started."""
        return any(isinstance(fault, Signal) and fault.ends_controller() for fault in self.faults)

    def limits_resources(self) -> bool:
        """Return whether a resource is missing, so that a run may be unable to start or to write."""
        return any(isinstance(fault, Limit | FullDisk) for fault in self.faults)


def _signal(dice: random.Random, role: str, tests: int) -> Signal:
    number = dice.choice(_SIGNALS)
    if role == "controller" and dice.random() < 0.3:
        number = signal.SIGINT
    if role == "everything":
        number = dice.choice((signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM))
    # Half of them while it starts and collects.
    if dice.random() < 0.5:
        moment = Moment(0, round(dice.uniform(0, 0.9), 3))
    else:
        moment = Moment(dice.randint(1, tests), round(dice.uniform(0, 0.02), 4))
    pause = round(dice.uniform(0.05, 2.5), 2) if number == signal.SIGSTOP else 0.0
    return Signal(role, number, moment, pause, dice.random())


def _limit(dice: random.Random) -> Limit:
    name = dice.choice(("NOFILE", "AS", "FSIZE") if os.geteuid() == 0 else ("NOFILE", "AS", "FSIZE", "NPROC"))
    value = {
        "NOFILE": dice.randint(8, 60),
        "AS": dice.randint(60 * _MIB, 500 * _MIB),
        "FSIZE": dice.choice((0, dice.randint(1, 20_000))),
        "NPROC": dice.randint(1, 200),
    }[name]
    return Limit(name, value)


def _faults(dice: random.Random, kind: str, tests: int) -> tuple[Fault, ...]:
    if kind == "several":
        return tuple(_signal(dice, dice.choice(ROLES[:3]), tests) for _ in range(dice.randint(2, 4)))
    if kind == "delays":
        return (Delays(dice.randrange(1 << 30), round(dice.uniform(0.5, 2), 2)),)
    if kind == "limit":
        return (_limit(dice),)
    if kind == "disk":
        return (FullDisk(dice.randint(1, 16) * 4096),)
    if kind == "damage":
        how = ("cut", "overwritten", "replaced")
        damage = Damage(dice.choice(("journal", "history")), dice.choice(how), dice.randrange(1 << 30))
        return (damage, _signal(dice, dice.choice(ROLES), tests)) if dice.random() < 0.4 else (damage,)
    return (_signal(dice, kind, tests),)


def make_round(seed: str, only: str | None = None) -> Round:
    """Return the round of a seed.

    Args:
        seed: Any text.
        only: One of `KINDS`, to have only faults of this kind.
    """
    # Texts are seeded by their digest, so this does not depend on PYTHONHASHSEED.
    dice = random.Random(seed)
    kind = only or dice.choices(list(KINDS), list(KINDS.values()))[0]
    modules = dice.randint(1, 5)
    tests = 60 // modules
    options = ["-n", str(dice.randint(1, 4)), "--dist", dice.choice(("load", "worksteal", "loadfile", "loadscope"))]
    options.append(f"--rustpar-start={dice.choice(('template', 'early'))}")
    keeps = 0
    faults = _faults(dice, kind, modules * tests)
    resumed = any(isinstance(fault, Signal) and fault.ends_controller() for fault in faults)
    if dice.random() < 0.2:
        options.append("--rustpar-max-rss=80M")
        keeps = 4 * _MIB
    if dice.random() < 0.3:
        options.append(f"--rustpar-timeout={dice.choice(('1s', '5s'))}")
    if dice.random() < 0.3:
        options.append(f"--max-worker-restart={dice.choice((0, 1, 4))}")
    if dice.random() < 0.2 and not resumed:
        options.append(dice.choice(("-x", "--maxfail=2")))
    if dice.random() < 0.3:
        options.append(dice.choice(("-v", "-q", "--rustpar-leaks=warn", "--junitxml=junit.xml")))
    seconds = dice.choice((0.0, 0.002, 0.01))
    shape = Shape(modules, tests, seconds, dice.random() < 0.5, keeps, dice.random() < 0.5)
    return Round(seed, shape, tuple(options), faults, dice.choice((0, 0, 0, 10)))
