"""Starting the workers' processes: from one template, or every worker early.

For `--rustpar-start=auto` this module decides: by the remembered decision of an earlier run, or else by the reasons
that the template has found when it has collected.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.compat.sessions import basetemp_of
from rustpar.compat.terminal import writer_of
from rustpar.controller import collect_decision, last_run
from rustpar.controller.start_decision import DecisionCache, StartDecision
from rustpar.debugger.availability import can_debug
from rustpar.forkserver import loop
from rustpar.forkserver import server as forkserver
from rustpar.process.crash_files import CrashFiles
from rustpar.process.system import os
from rustpar.recording.resumed_run import resumption_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rustpar.collection.shared_order import SharedOrder
    from rustpar.controller.nodes import WorkerController


@contextlib.contextmanager
def output_pipe() -> Iterator[tuple[int, int]]:
    """Yield the two ends of a pipe for a process's standard output; others duplicate them, and they are closed here."""
    reading, writing = os.pipe()
    try:
        yield reading, writing
    finally:
        os.close(reading)
        os.close(writing)


@contextlib.contextmanager
def run_ended_if_impossible(who: str) -> Iterator[None]:
    """End the run with a line that says why `who` cannot be started, if memory or descriptors are exhausted."""
    try:
        yield
    except OSError as error:
        raise pytest.exit.Exception(
            f"could not start {who}: {error}; raise the limit (ulimit -a), or use fewer workers",
            returncode=pytest.ExitCode.TESTS_FAILED,
        ) from None


class Startup:
    """Has the fork server and the template fork the processes of a run.

    Attributes:
        verdict: The decision how workers start; None until the template has collected.
        reasons: The reasons against forking the template, whatever was decided.
        is_settled: Whether ``early`` was decided before anything was collected.
        server: The fork server.
        template_pid: The template's process id, once it is forked.
        template_size: Resident bytes of the template when it had collected, if workers are forked from it.
        order: Where workers that collect a part of the files each find the order of all tests; None without those.
        is_divided: Whether the tests of the run are those that they have collected.
        is_compared: Whether what they collect is compared with what one process collects.
    """

    def __init__(self, config: pytest.Config, server: forkserver.ForkServer) -> None:
        """Decide what can be decided before anything is collected."""
        self._config = config
        self.server = server
        self._option = forkserver.start_option(config)
        self._memory = DecisionCache(config)
        self.verdict: StartDecision | None = None
        self.reasons: tuple[str, ...] = ()
        if self._option == "early":
            self.verdict = StartDecision("early", ())
        elif self._option == "auto" and not collect_decision.may_be_parallel(config):
            # Otherwise a reason in a test file does not count: workers import those themselves.
            self.verdict = self._memory.recall()
        self.is_settled = self.is_early
        # Set by `use`, when the engine and the nodes exist.
        self._engine: _core.Engine
        self._identity: list[str] = []
        self.template_pid: int | None = None
        self.template_size: int | None = None
        self.order: SharedOrder | None = None
        self.is_divided = False
        self.is_compared = False

    @property
    def is_early(self) -> bool:
        """Whether each worker collects for itself."""
        return self.verdict is not None and self.verdict.start == "early"

    def use(self, engine: _core.Engine, identity: list[str]) -> None:
        """Set the engine, which reads the output of processes, and the workerinput keys that vary between workers."""
        self._engine = engine
        self._identity = identity

    def start_template(self, node: WorkerController, output: int) -> None:
        """Have the template forked, as the worker `node`."""
        self.server.fork_process(loop.TEMPLATE, self._process_parameters(node, 0), output)

    def start_worker(self, node: WorkerController) -> None:
        """Have a worker forked, from the template or early."""
        with run_ended_if_impossible(f"worker {node.gateway.id}"), output_pipe() as (reading, writing):
            slot = self._add_worker(node, reading)
            if self.is_early:
                self.server.fork_process(
                    node.number, self._process_parameters(node, slot) | self._worker_parameters(node, slot), writing
                )
            else:
                self.server.fork_worker(node.number, self._worker_parameters(node, slot), writing)

    def dismiss(self, node: WorkerController) -> None:
        """Let a worker exit when its session has finished, without waiting for the end of the run."""
        if node.slot is not None:
            self.server.shared.dismiss(node.slot)

    def become_worker(self, node: WorkerController) -> None:
        """Have the template continue as the worker that it was configured as."""
        with run_ended_if_impossible(f"worker {node.gateway.id}"), output_pipe() as (reading, writing):
            node.pid = self.template_pid
            self.server.become_worker(
                node.number, self._worker_parameters(node, self._add_worker(node, reading)), writing
            )

    def _add_worker(self, node: WorkerController, output: int) -> int:
        slot = node.slot = self._engine.add_worker(node.number, output, node, node.gateway.id)
        return slot

    def _worker_parameters(self, node: WorkerController, slot: int) -> dict[str, Any]:
        """Return the parameters that make a worker of the template or of a fork of it."""
        node.crash_files = CrashFiles()
        return {
            "slot": slot,
            "workerinput": dict(node.workerinput),
            "crash_files": node.crash_files.address,
            "order": None if self.order is None else self.order.address,
            "is_compared": self.is_compared,
        }

    def _process_parameters(self, node: WorkerController, slot: int) -> dict[str, Any]:
        """Return the parameters of a process that is forked before conftests are loaded."""
        basetemp = basetemp_of(self._config)
        terminal: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        resumption = resumption_of(self._config)
        return {
            "slot": slot,
            "workerinput": node.workerinput,
            "basetemp": None if basetemp is None else str(basetemp / f"popen-{node.gateway.id}"),
            "identity": self._identity,
            "is_decided": self.is_settled,
            "will_fork": self._will_fork(),
            "is_divided": collect_decision.is_parallel(self._config),
            # xdist's workers inherit what conftests and plugins have changed since the fork server was forked.
            "environment": {os.fsencode(key): os.fsencode(value) for key, value in os.environ.items()},
            "directory": str(Path.cwd()),
            "resumed": None if resumption is None else (str(resumption.earlier.path), resumption.saved),
            "has_terminal": can_debug(self._config),
            "hasmarkup": bool(getattr(writer_of(terminal), "hasmarkup", False)),
        }

    def _will_fork(self) -> bool | None:
        """Whether workers will be forked from the template; None if that depends on the reasons that it finds."""
        if self.verdict is not None:
            return self.verdict.start == "template"
        return True if self._option == "template" else None

    def template_forked(self, pid: int) -> None:
        """Record the template's process id; the controller is about to wait, so it releases memory."""
        self.template_pid = pid
        _core.drop_clean_pages()

    def decide_after_mismatch(self, gw0: str, other: str, mine: list[str], theirs: list[str]) -> StartDecision:
        """Decide to fork the template although workers were early, because they have collected different tests.

        Args:
            gw0: The name of the worker that the template was to become.
            other: The name of a worker that has collected different tests.
            mine: The node ids that the template has collected.
            theirs: The node ids that the other worker has collected.
        """
        self.verdict = StartDecision("template", (f"{other} collected different tests than {gw0}",))
        if self._option == "auto":
            root = self._config.rootpath
            files = {str(root / node_id.partition("::")[0]) for node_id in {*mine} ^ {*theirs}}
            self._memory.remember(self.verdict, {*self._conftests, *filter(os.path.isfile, files)})
        if self.template_pid is not None:
            self.template_size = _core.resident_memory(self.template_pid)
        return self.verdict

    def fork_from_template(self) -> None:
        """Fork all further workers from the template."""
        self.server.use_template()

    def start_early_because(self, reason: str) -> bool:
        """Decide for ``early`` because of `reason`, found during collection; return whether to start workers now."""
        if self._option != "auto" or self.verdict is not None:
            return False
        self.verdict = StartDecision("early", (reason,))
        return True

    def decide(self, reasons: list[str], conftests: list[str]) -> StartDecision:
        """Decide when the template has collected, and remember the decision.

        Args:
            reasons: The reasons against forking workers from the template.
            conftests: The conftest files that it has loaded.
        """
        self.reasons = tuple(reasons)
        files = [reason.partition(":")[0] for reason in reasons]
        self._conftests = {*conftests, *filter(os.path.isfile, files)}
        if self.is_settled or (self.verdict is not None and self.verdict.remembered):
            assert self.verdict is not None
            start = self.verdict.start
        else:
            start = "early" if reasons and self._option == "auto" else "template"
            self.verdict = StartDecision(start, self.reasons if start == "early" else ())
            if self._option == "auto":
                self._memory.remember(self.verdict, self._conftests)
        if start == "template" and self.template_pid is not None:
            self.template_size = _core.resident_memory(self.template_pid)
        return self.verdict

    def within_memory(self, choice: _core.Choice) -> _core.Choice:
        """Return the choice, reduced if memory is insufficient for so many forks of the template."""
        left = _core.memory_left()
        if choice.is_explicit or self.template_size is None or left is None:
            return choice
        last = last_run.recall(self._config)
        return choice.within_memory(left, self.template_size, None if last is None else last.growth)

    def retire_fork_server(self) -> None:
        """Let the fork server exit, because all further workers are forked from the template."""
        if self.template_pid is not None:
            self.server.retire(self.template_pid)
