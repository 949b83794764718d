"""The template: a process that configures and collects once, as worker gw0 would, and from which workers are forked.

The hazard it handles: after the fork there are many processes where plugins expect one. The template runs no tests,
unless it continues as gw0. Otherwise it only forks and waits for its workers. Exit functions that were registered while
it collected are run by each worker; by the template only if it has forked no worker.

With a parallel collection, workers are forked when the files are known, and collect them (``worker/file_parts.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.coverage import measuring
from rustpar.forkserver import loop
from rustpar.process import crash_files, exit_functions, forking, gc_freeze, interrupt_signal, open_files, timers
from rustpar.process.identity import become_worker
from rustpar.process.system import os
from rustpar.worker.session import make_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest

    from rustpar.process.random_state import RandomState


class ForkPoint:
    """The point inside ``pytest_runtestloop`` at which workers are forked from the template."""

    def __init__(
        self,
        config: pytest.Config,
        loop: loop.ForkLoop,
        shared: _core.Shared,
        seeds: RandomState,
        settle: Callable[[], None],
        will_fork: bool | None,
    ) -> None:
        """Fork what `loop` is asked for; `settle` restores the settings that were changed for collecting.

        `will_fork` says whether workers will be forked here; None if it depends on reasons against it.
        """
        self.will_fork = will_fork
        self._is_worker = False
        self._config = config
        self._loop = loop
        self._shared = shared
        self._seeds = seeds
        self._settle = settle

    def wait(self, use_line: Callable[[_core.Line], None], end: Callable[[], None]) -> None:
        """Fork workers until the controller has no more requests, then call `end`, and end the template.

        Returns in each forked worker, or here if the template has to continue as one. The first action there is to call
        `use_line` with the worker's line, so that later errors can be reported through it. A worker that was forked by
        :meth:`fork_collectors` continues at once.
        """
        gc_freeze.freeze_new_objects()
        # Only after that: otherwise Python would collect garbage at once, which took 6 ms with pandas loaded.
        self._settle()
        if not self._is_worker:
            self._fork(use_line, end)

    def fork_collectors(self, use_line: Callable[[_core.Line], None]) -> Mapping[str, Any] | None:
        """Fork workers that collect, until the controller has no more requests, and end the template.

        Returns:
            In each forked worker, after a call of `use_line` as in :meth:`wait`, the request for it. In the template,
            if it has to collect itself, None.
        """
        self._seeds.keep()
        gc_freeze.freeze_new_objects()
        request = self._fork(use_line, lambda: None)
        self._is_worker = request is not None
        return request

    def _fork(self, use_line: Callable[[_core.Line], None], end: Callable[[], None]) -> Mapping[str, Any] | None:
        files, running = open_files.shared(), timers.stop()
        gc_freeze.fill_pools()
        # Workers handle interrupts; the template has nothing to interrupt.
        interrupts = interrupt_signal.ignore()
        request = self._loop.serve()
        if request is None:
            end()
            if self._loop.has_forked:
                # The exit functions run in each worker, as if it had collected itself.
                measuring.save_own()
            else:
                exit_functions.run_exit_functions()
            forking.leave(0)
        message = request.message
        if "collect" in message:
            interrupt_signal.restore(interrupts)
            timers.start(running)
            return None
        line = make_line(self._shared, message["slot"])
        use_line(line)
        self._loop.close()
        interrupt_signal.restore(interrupts)
        if "fork" in message:
            exit_functions.adopt_finalizers(os.getppid())
            open_files.reopen(files)
            self._seeds.restore()
            measuring.restart(self._config, message["workerinput"]["testrunuid"])
        become_worker(self._config, message["workerinput"], request.output)
        crash_files.use(self._config, message["crash_files"], keep="fork" not in message)
        timers.start(running)
        if "fork" in message:
            exit_functions.InheritedExitFunctions(line)
        return message
