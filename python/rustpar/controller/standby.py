"""What a run that may have workers holds ready until that is known: the fork server, and handlers of signals.

The hazard it handles: it is prepared before the first conftest is loaded, and the decision is made when pytest has been
configured. Until then a signal may arrive, any step may fail, and each of these things has to be undone at the end.
Modules that the fork server does not need are imported after the fork.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from rustpar.forkserver import server as forkserver
from rustpar.process import gc_freeze, interrupt_signal, report_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def prepare(config: pytest.Config) -> Standby | None:
    """Fork the fork server, and handle signals.

    Returns:
        None in a process that the fork server has forked: it continues as a worker or as the template.
    """
    if getattr(config.known_args_namespace, "verbose", -1) >= 0:
        from rustpar.compat import default_plugins

        default_plugins.import_for_header()
    thaw = gc_freeze.freeze()
    server = forkserver.start()
    if isinstance(server, forkserver.ForkServer):
        return Standby(config, server, thaw)
    server.enter(config)
    return None


class Standby:
    """The fork server and the handlers of signals, in the process that the user has started."""

    def __init__(self, config: pytest.Config, server: forkserver.ForkServer, thaw: Callable[[], None]) -> None:
        """Handle signals until `config` is cleaned up; `thaw` unfreezes the heap."""
        from rustpar.controller.interrupts import Termination
        from rustpar.controller.status_signals import StatusSignals

        self._config = config
        self._server = server
        self._thaw = thaw
        self._status_signals, self._termination = StatusSignals(), Termination(server.shared)
        config.pluginmanager.register(self._status_signals, "rustpar-status-signals")
        # pytest calls cleanup functions in reverse order.
        config.add_cleanup(self._termination.end)
        config.add_cleanup(interrupt_signal.forget)
        config.add_cleanup(self._status_signals.close)
        config.add_cleanup(thaw)
        config.add_cleanup(functools.partial(report_memory.reveal, config))
        config.add_cleanup(server.close)

    def give_up(self) -> None:
        """Undo the preparation, because there will be no workers."""
        # Killed: it may still be importing modules, 20 ms that nobody should wait for.
        self._server.kill()
        self._status_signals.close()
        self._termination.cancel()
        self._thaw()

    def replace(self, dsession: object) -> None:
        """Register our controller in the place of this plugin, which is xdist's."""
        from rustpar.controller.session import Controller

        self._config.pluginmanager.unregister(dsession)
        controller = Controller(self._config, self._server, self._status_signals, self._termination)
        self._config.pluginmanager.register(controller, "dsession")
