"""Bringing the workers' processes up: one template, or every worker early.

What `--rustpar-start=auto` decides, it decides here: from what it remembers of the last run, else from what the
template has seen of itself when it has collected.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.compat.sessions import basetemp_of
from rustpar.compat.terminal import writer_of
from rustpar.controller import last_run
from rustpar.controller.start_decision import Memory, StartDecision
from rustpar.forkserver import loop
from rustpar.forkserver import server as forkserver
from rustpar.process.crash_files import CrashFiles
from rustpar.process.system import os

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from rustpar.controller.nodes import WorkerController


@contextlib.contextmanager
def output_pipe() -> Iterator[tuple[int, int]]:
    """A pipe for the standard output of a process: both ends are taken over, as duplicates, by others."""
    reading, writing = os.pipe()
    try:
        yield reading, writing
    finally:
        os.close(reading)
        os.close(writing)


class Startup:
    """Has the fork server, and then the template, fork what is needed.

    Attributes:
        verdict: How workers come up; None until the template has collected.
        reasons: What the template has seen that speaks against forking it, whatever was decided.
        is_settled: Whether it was known before anything was collected that each worker collects for itself.
        server: The fork server.
        template_pid: The template's process id, once it is forked.
        template_size: Bytes of memory that the template had when it had collected, if it was to be forked then.
    """

    def __init__(self, config: pytest.Config, server: forkserver.ForkServer) -> None:
        """Decide what can be decided before anything is collected."""
        self._config = config
        self.server = server
        self._asked = forkserver.asked_start(config)
        self._memory = Memory(config)
        self.verdict: StartDecision | None = None
        self.reasons: tuple[str, ...] = ()
        if self._asked == "early":
            self.verdict = StartDecision("early", ())
        elif self._asked == "auto":
            self.verdict = self._memory.recall()
        self.is_settled = self.is_early
        # Known once the engine and the nodes exist.
        self._engine: _core.Engine
        self._identity: list[str] = []
        self.template_pid: int | None = None
        self.template_size: int | None = None

    @property
    def is_early(self) -> bool:
        """Whether each worker collects for itself."""
        return self.verdict is not None and self.verdict.start == "early"

    def use(self, engine: _core.Engine, identity: list[str]) -> None:
        """Start processes whose output `engine` reads; `identity` are the keys of workerinput that tell them apart."""
        self._engine = engine
        self._identity = identity

    def start_template(self, node: WorkerController, output: int) -> None:
        """Have the template forked, as the worker `node`."""
        self.server.begin(loop.TEMPLATE, self._setup(node, 0), output)

    def start_worker(self, node: WorkerController) -> None:
        """Have a worker forked: from the template, or early."""
        with output_pipe() as (reading, writing):
            slot = self._add(node, reading)
            if self.is_early:
                self.server.begin(node.number, self._setup(node, slot) | self._about(node, slot), writing)
            else:
                self.server.fork_worker(node.number, self._about(node, slot), writing)

    def dismiss(self, node: WorkerController) -> None:
        """Let a worker leave when its session is over, and not only when the run is."""
        if node.slot is not None:
            self.server.shared.dismiss(node.slot)

    def go_on(self, node: WorkerController) -> None:
        """Have the template go on as the worker that it was configured as."""
        with output_pipe() as (reading, writing):
            node.pid = self.template_pid
            self.server.go_on(node.number, self._about(node, self._add(node, reading)), writing)

    def _add(self, node: WorkerController, output: int) -> int:
        slot = node.slot = self._engine.add_worker(node.number, output, node, node.gateway.id)
        return slot

    def _about(self, node: WorkerController, slot: int) -> dict[str, Any]:
        """What makes a worker of the template, or of a fork of it."""
        node.crash_files = CrashFiles()
        return {"slot": slot, "workerinput": dict(node.workerinput), "crash_files": node.crash_files.address}

    def _setup(self, node: WorkerController, slot: int) -> dict[str, Any]:
        """What a process that is forked before conftests begins with."""
        basetemp = basetemp_of(self._config)
        terminal: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        return {
            "slot": slot,
            "workerinput": node.workerinput,
            "basetemp": None if basetemp is None else str(basetemp / f"popen-{node.gateway.id}"),
            "identity": self._identity,
            "is_decided": self.is_settled,
            # What conftests and plugins have set here since the fork server was forked, xdist's workers inherit.
            "environment": {os.fsencode(key): os.fsencode(value) for key, value in os.environ.items()},
            "directory": str(Path.cwd()),
            "hasmarkup": bool(getattr(writer_of(terminal), "hasmarkup", False)),
        }

    def template_forked(self, pid: int) -> None:
        """The template's process id is known, and the controller waits for it."""
        self.template_pid = pid
        _core.drop_clean_pages()

    def decide_for_differing(self, gw0: str, other: str, mine: list[str], theirs: list[str]) -> StartDecision:
        """Early workers have collected different tests: fork the template all the same, and remember it.

        Args:
            gw0: The name of the worker that the template was to be.
            other: The name of a worker that has collected other tests.
            mine: The node ids that the template has collected.
            theirs: Those of the other worker.
        """
        self.verdict = StartDecision("template", (f"{other} collected other tests than {gw0}",))
        if self._asked == "auto":
            root = self._config.rootpath
            files = {str(root / node_id.partition("::")[0]) for node_id in {*mine} ^ {*theirs}}
            self._memory.remember(self.verdict, {*self._conftests, *filter(os.path.isfile, files)})
        if self.template_pid is not None:
            self.template_size = _core.resident_memory(self.template_pid)
        return self.verdict

    def fork_from_template(self) -> None:
        """Workers are forked from the template from here on, and no longer early."""
        self.server.use_template()

    def expect_early(self, reason: str) -> bool:
        """The template, which still collects, has seen a reason: whether others shall collect beside it."""
        if self._asked != "auto" or self.verdict is not None:
            return False
        self.verdict = StartDecision("early", (reason,))
        return True

    def decide(self, reasons: list[str], conftests: list[str]) -> StartDecision:
        """The template has collected: decide, and remember it.

        Args:
            reasons: Why forks of the template would share what each worker needs alone.
            conftests: The conftest files that it has loaded.
        """
        self.reasons = tuple(reasons)
        named = [reason.partition(":")[0] for reason in reasons]
        self._conftests = {*conftests, *filter(os.path.isfile, named)}
        if self.is_settled or (self.verdict is not None and self.verdict.remembered):
            assert self.verdict is not None
            start = self.verdict.start
        else:
            start = "early" if reasons and self._asked == "auto" else "template"
            self.verdict = StartDecision(start, self.reasons if start == "early" else ())
            if self._asked == "auto":
                self._memory.remember(self.verdict, self._conftests)
        if start == "template" and self.template_pid is not None:
            self.template_size = _core.resident_memory(self.template_pid)
        return self.verdict

    def within_memory(self, choice: _core.Choice) -> _core.Choice:
        """The choice, or a lower one where memory is not enough for so many forks of the template."""
        left = _core.memory_left()
        if choice.is_explicit or self.template_size is None or left is None:
            return choice
        last = last_run.recall(self._config)
        return choice.within_memory(left, self.template_size, None if last is None else last.growth)

    def retire_fork_server(self) -> None:
        """All workers come from the template from here on."""
        if self.template_pid is not None:
            self.server.retire(self.template_pid)
