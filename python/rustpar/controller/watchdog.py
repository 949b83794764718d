"""The time limit of the run, and the watchdog in the engine's thread, which keeps it even if a plugin's hook hangs.

The hazard it handles: while a hook hangs, this process can neither notice the limit nor say what hangs. So the engine's
thread is told in advance how much time is left, and again when a debugger has had the terminal: that does not count.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from rustpar import _core
from rustpar.collection.time_limits import default_limit, run_limit
from rustpar.process import interrupt_signal

if TYPE_CHECKING:
    from rustpar.controller.status_signals import StatusSignals

# Seconds for which a plugin's hook may keep this process from handling results before it is reported, unless tests have
# a time limit of their own.
_HOOK_LIMIT = 60.0

# Seconds: no hook takes so long.
_NO_LIMIT = 1e9

# The exit status of a run that exceeds its time limit, as that of timeout(1).
_RUN_TIMEOUT_STATUS = 124


class Watchdog:
    """Watches over the time limit of a run, and over hooks that hang."""

    def __init__(self, config: pytest.Config, status_signals: StatusSignals) -> None:
        """Begin the time of the run; what hangs is written to the standard error that `status_signals` keeps."""
        self._config = config
        self._status_signals = status_signals
        self._started = _core.monotonic()
        self._limit = run_limit(config)
        self._engine: _core.Engine | None = None
        self._stack_signal: int | None = None

    def use(self, engine: _core.Engine, stack_signal: int | None) -> None:
        """Have the thread of `engine` watch; `stack_signal` makes this process write its stack."""
        self._engine = engine
        self._stack_signal = stack_signal

    def watch(self) -> None:
        """Report a hook that hangs, and end a run that has no time left but hangs."""
        self._watch(self._left())

    def ignore_limit(self) -> None:
        """Report only hooks that hang."""
        self._watch(None)

    def pause(self) -> None:
        """Report nothing as hanging until :meth:`watch` is called again."""
        self._watch(None, _NO_LIMIT)

    def postpone(self, seconds: float) -> None:
        """Extend the time limit of the run."""
        self._started += seconds

    def is_over(self) -> bool:
        """Whether the run has taken longer than its limit."""
        left = self._left()
        return left is not None and left < 0

    def end(self) -> Exception:
        """Return the exception that ends a run that has taken longer than its limit of time."""
        assert self._limit is not None
        reason = f"the run took longer than its limit of {_core.spoken(self._limit)}"
        return pytest.exit.Exception(reason, returncode=_RUN_TIMEOUT_STATUS)

    def _left(self) -> float | None:
        """Return the seconds that are left of the run's time limit; None without a limit."""
        return None if self._limit is None else self._started + self._limit - _core.monotonic()

    def _watch(self, left: float | None, limit: float | None = None) -> None:
        errors = self._status_signals.errors
        if self._engine is not None and errors is not None:
            limit = limit or default_limit(self._config) or _HOOK_LIMIT
            # It needs a descriptor, and the run does not need it.
            with contextlib.suppress(OSError):
                self._engine.watch(
                    limit,
                    left,
                    status=_RUN_TIMEOUT_STATUS,
                    errors=errors,
                    stack_signal=self._stack_signal,
                    interrupt_signal=interrupt_signal.chosen(),
                )
