"""The faults of chaos rounds: what is done to a run, and when."""

from __future__ import annotations

import random
import resource
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ROLES = ("worker", "template", "fork server", "controller")


@dataclass(frozen=True)
class Moment:
    """As soon as so many tests have begun, and then after so many seconds."""

    tests: int
    seconds: float

    def __str__(self) -> str:
        after = f"after {self.seconds:.2f} s"
        return f"{after} and {self.tests} tests" if self.tests else after


@dataclass(frozen=True)
class Signal:
    """A signal to one process of a role, or to all processes ("everything").

    Attributes:
        role: One of `ROLES`, or "everything".
        number: The signal.
        moment: When it is sent.
        pause: Seconds until SIGCONT follows a SIGSTOP.
        choice: Which process of the role: a part of 1 in the order of their ids.
    """

    role: str
    number: int
    moment: Moment
    pause: float
    choice: float

    def __str__(self) -> str:
        until = f" for {self.pause:.2f} s" if self.number == signal.SIGSTOP else ""
        return f"{signal.Signals(self.number).name} of {self.role}{until} {self.moment}"

    def ends_controller(self) -> bool:
        """Return whether this kills the process that the user has started."""
        return self.role in ("controller", "everything") and self.number not in (signal.SIGSTOP, signal.SIGINT)


@dataclass(frozen=True)
class Delays:
    """Random processes of the run are stopped again and again, each for some milliseconds."""

    seed: int
    seconds: float

    def __str__(self) -> str:
        return f"delays for {self.seconds:.2f} s"


@dataclass(frozen=True)
class Limit:
    """A resource limit of all processes of the run: "NOFILE", "NPROC", "AS" or "FSIZE"."""

    name: str
    value: int

    def __str__(self) -> str:
        return f"RLIMIT_{self.name} {self.value:,}"

    def apply(self) -> None:
        """Limit the calling process and its descendants."""
        resource.setrlimit(getattr(resource, f"RLIMIT_{self.name}"), (self.value, self.value))


@dataclass(frozen=True)
class FullDisk:
    """The cache is on a disk of so many bytes."""

    size: int

    def __str__(self) -> str:
        return f"full disk of {self.size:,} bytes"


@dataclass(frozen=True)
class Damage:
    """Files that an earlier run has left are cut, or some of their bytes are overwritten, before the run.

    Attributes:
        files: "journal" or "history".
        how: "cut", "overwritten" or "replaced".
        seed: Determines where, and by what.
    """

    files: str
    how: str
    seed: int

    def __str__(self) -> str:
        return f"{self.files} {self.how}"

    def apply(self, cache: Path) -> None:
        """Damage the files in the cache directory of rustpar."""
        dice = random.Random(self.seed)
        for path in sorted(cache.glob("runs/*.jsonl" if self.files == "journal" else "history.json")):
            data = bytearray(path.read_bytes())
            if self.how == "cut":
                del data[dice.randrange(len(data)) :]
            elif self.how == "overwritten":
                for _ in range(dice.randint(1, 40)):
                    data[dice.randrange(len(data))] = dice.randrange(256)
            else:
                data = bytearray(dice.randbytes(dice.randint(0, 4096)))
            path.write_bytes(data)


Fault = Signal | Delays | Limit | FullDisk | Damage
