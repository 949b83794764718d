"""The signal with which the processes of a run interrupt each other.

It is ``SIGINT``, unless that is ignored, as in background processes of a shell script and in jobs that a CI system
starts with ``nohup``. ``SIGTERM`` and time limits must end a run in order there, too, but Ctrl-C must stay ignored, and
tests must see that it is. So another signal raises ``KeyboardInterrupt`` then.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from rustpar.process.system import signal

if TYPE_CHECKING:
    from collections.abc import Iterable

# A real-time signal, as that of `stack_dump`.
_OTHER = signal.SIGRTMAX - 6

_number: int = signal.SIGINT

Handlers = list[tuple[int, Any]]


def choose() -> None:
    """Choose the signal for this process and those that are forked from it."""
    global _number
    _number = signal.SIGINT
    is_ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if is_ignored and threading.current_thread() is threading.main_thread():
        signal.signal(_OTHER, signal.default_int_handler)
        _number = _OTHER


def chosen() -> int:
    """Return the number of the signal."""
    return _number


def forget() -> None:
    """Restore the signal that was chosen."""
    global _number
    if _number != signal.SIGINT:
        signal.signal(_number, signal.SIG_DFL)
        _number = signal.SIGINT


def ignore() -> Handlers:
    """Ignore interrupts; return the handlers of their signals."""
    return [(number, signal.signal(number, signal.SIG_IGN)) for number in {signal.SIGINT, _number}]


def restore(handlers: Iterable[tuple[int, Any]]) -> None:
    """Restore the handlers that :func:`ignore` has returned."""
    for number, handler in handlers:
        signal.signal(number, handler)


def restore_default(handlers: Iterable[tuple[int, Any]]) -> None:
    """Have interrupts raise ``KeyboardInterrupt``, as in a new interpreter; what was ignored stays ignored."""
    restore((number, signal.default_int_handler) for number, handler in handlers if handler is not signal.SIG_IGN)
