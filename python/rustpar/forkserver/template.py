"""The template: a process that configures and collects once, as worker gw0 would, and is then forked into workers.

The hazard it handles: after the fork there are many processes where plugins think there is one. The template itself
never goes on to run tests unless it goes on as gw0; else it only forks, waits for its workers, and at the very end runs
the exit functions that were registered before the fork, once, when no worker needs what they remove.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rustpar import _core
from rustpar.coverage import measuring
from rustpar.forkserver import loop
from rustpar.process import crash_files, forking, gc_freeze, open_files, shutdown, timers
from rustpar.process.identity import become
from rustpar.process.system import os, signal
from rustpar.worker.session import make_line

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from rustpar.process.random_state import RandomState


class ForkPoint:
    """The place in the template's life where workers are forked: inside ``pytest_runtestloop``."""

    def __init__(
        self,
        config: pytest.Config,
        loop: loop.ForkLoop,
        shared: _core.Shared,
        seeds: RandomState,
        settle: Callable[[], None],
    ) -> None:
        """Fork what `loop` is asked for; `settle` ends what was different while collecting."""
        self._config = config
        self._loop = loop
        self._shared = shared
        self._seeds = seeds
        self._settle = settle

    def wait(self, speak_through: Callable[[_core.Line], None]) -> None:
        """Fork workers until the controller has no more requests, then end the template.

        Returns in each forked worker, or here when the template is to go on as one. First of all `speak_through` is
        given the worker's line: whatever goes wrong from there on, the worker tells it.
        """
        gc_freeze.freeze_what_is_new()
        # After that: Python would collect garbage at once, and that took 6 ms with pandas loaded.
        self._settle()
        files, running = open_files.shared(), timers.stop()
        gc_freeze.fill_pools()
        # Workers answer to interrupts; the template has nothing to be interrupted in.
        interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
        request = self._loop.serve()
        if request is None:
            if self._loop.has_forked:
                # What was registered runs in each worker, as in one that has collected for itself.
                measuring.save_own()
            else:
                shutdown.run_exit_functions()
            forking.leave(0)
        line = make_line(self._shared, request.message["slot"])
        speak_through(line)
        self._loop.close()
        signal.signal(signal.SIGINT, interrupt)
        if "fork" in request.message:
            shutdown.adopt_finalizers(os.getppid())
            open_files.open_again(files)
            self._seeds.restore()
            measuring.restart(self._config, request.message["workerinput"]["testrunuid"])
        become(self._config, request.message["workerinput"], request.output)
        crash_files.use(self._config, request.message["crash_files"], keep="fork" not in request.message)
        timers.start(running)
        if "fork" in request.message:
            shutdown.Inherited(line)
