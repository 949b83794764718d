"""The controller's node objects for workers, compatible with xdist's ``WorkerController``."""

from __future__ import annotations

import functools
import platform
import sys
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import execnet
import pytest

from rustpar.process.system import os

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rustpar import _core
    from rustpar.process.crash_files import CrashFiles


class NodeManager:
    """The subset of xdist's ``NodeManager`` that plugins use as ``node.nodemanager``.

    Attributes:
        specs: One execution specification per worker that was asked for.
        roots: Directories to rsync; always empty, workers are local.
        testrunuid: The run's unique id.
    """

    def __init__(self, config: pytest.Config) -> None:
        """Create the specifications for ``-n`` or ``--tx``."""
        self.config = config
        self.testrunuid: str = config.getoption("testrunuid") or uuid.uuid4().hex
        self.specs = [execnet.XSpec(f"execmodel=main_thread_only//{spec}") for spec in expanded(config.getoption("tx"))]
        self.roots: list[os.PathLike[str]] = []
        self.rsyncoptions: dict[str, Any] = {}
        self._next_number = 0
        for spec in self.specs:
            self.allocate_id(spec)

    def allocate_id(self, spec: execnet.XSpec) -> int:
        """Give a specification the next unused id; return its number."""
        number = self._next_number
        self._next_number += 1
        spec.id = f"gw{number}"
        return number


def expanded(tx: Sequence[str]) -> list[str]:
    """Return the execution specifications with ``N*`` expanded."""
    specs: list[str] = []
    for spec in tx:
        count, _, single = spec.rpartition("*")
        specs += [single] * int(count or 1)
    return specs


class Gateway:
    """The subset of execnet's ``Gateway`` that plugins use as ``node.gateway``."""

    def __init__(self, spec: execnet.XSpec) -> None:
        """Represent the worker named by `spec`."""
        self.spec = spec
        self.id = str(spec.id)

    def __repr__(self) -> str:
        return f"<Gateway id={self.id!r} forked>"

    def _rinfo(self, update: bool = False) -> SimpleNamespace:
        """Return platform, interpreter and directory of the worker, which are this process's own."""
        return SimpleNamespace(
            executable=sys.executable,
            version_info=tuple(sys.version_info),
            platform=sys.platform,
            cwd=str(Path.cwd()),
            pid=os.getpid(),
        )


def with_platform(reported: Mapping[str, Any]) -> dict[str, Any]:
    """Add the platform's name, as xdist's workers report it, to what a worker has reported of itself.

    Python finds it with a subprocess: 10 ms.
    """
    return {**reported, "platform": platform.platform()}


class Death(NamedTuple):
    """What is known of a worker that has died.

    Attributes:
        status: Its exit code, or minus the signal that killed it.
        memory: Its resident bytes when last measured, and at most; 0 if unknown.
        killed_for_memory: Whether, since the start of the run, the kernel has killed a process to get memory: of this
            control group, and of the machine.
        has_lost_parent: Whether the process that forks workers has died, and the kernel has killed its children.
        beside: The tests of other workers: the worker, the node id, and for how many seconds the test had been running.
    """

    status: int
    memory: tuple[int, int]
    killed_for_memory: tuple[bool, bool]
    has_lost_parent: bool
    beside: list[tuple[str, str, float]]


class WorkerController:
    """A worker, as seen by the controller, its plugins and schedulers written in Python.

    The class name is xdist's, because ``repr(node)`` shows it.

    Attributes:
        gateway: The gateway, with the worker's name.
        number: The worker's number, N in its name gwN.
        first: The number of the first of the workers that replaced one another; its own if it has replaced none.
        workerinput: The input for the worker.
        reported: What the worker has reported of its interpreter, once it is ready.
        workeroutput: The output of the worker, once its session has finished.
        pid: Its process id, once it is forked.
        slot: The worker's slot in the shared memory, once it has one.
        growth: Bytes by which the worker grew beyond the template, once its session has finished.
        over_limit: The test after which the worker exceeded its memory limit, and the resident bytes.
        timed_out: The test that has exceeded its time limit, and that limit in seconds.
        beside: The tests that other workers were running then; None if it has not.
        tried: How often the test in which it has crashed was tried before.
        is_replaced: Whether another worker replaces it for that reason.
        is_killed: Whether the controller has killed it.
        has_exited: Whether its process is gone.
        crash_files: The files that a crash leaves behind, once it is forked.
        given: The lists of tests that a scheduler written in Python has assigned to it.
        taken_back: The tests that were taken back from it.
    """

    workeroutput: dict[str, Any]

    def __init__(self, nodemanager: NodeManager, spec: execnet.XSpec, engine: _core.Engine | None = None) -> None:
        """Represent the worker named by `spec`."""
        self.nodemanager = nodemanager
        self.config = nodemanager.config
        self.gateway = Gateway(spec)
        self.number = int(self.gateway.id.removeprefix("gw"))
        self.first = self.number
        self.engine = engine
        self.pid: int | None = None
        self.slot: int | None = None
        self.growth: int | None = None
        self.over_limit: tuple[int, int] | None = None
        self.timed_out: tuple[int, float] | None = None
        self.beside: list[tuple[str, str, float]] | None = None
        self.tried = 0
        self.is_replaced = False
        self.is_killed = False
        self.has_exited = False
        self.crash_files: CrashFiles | None = None
        self.given: list[Sequence[int]] = []
        self.taken_back: list[int] = []
        self.workerinput: dict[str, Any] = {
            "workerid": self.gateway.id,
            "workercount": len(nodemanager.specs),
            "testrunuid": nodemanager.testrunuid,
            "mainargv": sys.argv,
        }
        self.reported: dict[str, Any] | None = None
        self.down = False
        self.test_count = 0
        self._shutdown_sent = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.gateway.id}>"

    @functools.cached_property
    def workerinfo(self) -> dict[str, Any]:
        """The worker's platform and interpreter; as in xdist, the attribute is missing until the worker is ready."""
        if self.reported is None:
            raise AttributeError(f"{self!r} has no workerinfo before it is ready")
        return with_platform(self.reported) | {"id": self.gateway.id, "spec": self.gateway.spec}

    @property
    def shutting_down(self) -> bool:
        """Whether the worker is gone, or gets no more tests."""
        return self.down or self._shutdown_sent

    def send_runtest_some(self, indices: Sequence[int]) -> None:
        """Assign tests, by their indices in the collection."""
        if self.engine is not None:
            tests = list(indices)
            self.given.append(tests)
            self.engine.assign(self.number, tests)

    def send_runtest_all(self) -> None:
        """Assign all tests."""
        self.send_runtest_some(range(self.test_count))

    def send_steal(self, indices: Sequence[int]) -> None:
        """Take back these tests, or none of them if one has been claimed."""
        if self.engine is not None:
            self.engine.steal(self.number, list(indices))

    def shutdown(self) -> None:
        """Let the worker finish when it has run its assigned tests."""
        if not self.down and not self._shutdown_sent and self.engine is not None:
            self.engine.close(self.number)
        self._shutdown_sent = True
