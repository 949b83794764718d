"""The objects of a process that is about to be forked, kept out of the garbage collector's way.

A collector that visits every object writes to every page, and a page that is written is no longer shared. So what is
there at a fork is frozen: in the controller before the fork server is forked, and in the template before its workers.
The hazard it handles: frozen objects are invisible to ``gc.get_referrers`` and ``gc.get_objects``, and ``gc.collect``
finds no garbage among them; code that looks would see what it does not see in plain pytest. So where tests are, the
heap thaws the moment somebody reaches for one of these, and then all is as it always was. In the controller it thaws
for those who search it: plugins do, hypothesis for one.
"""

from __future__ import annotations

import gc
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_SEARCHING = frozenset({"get_objects", "get_referrers"})
_REVEALING = _SEARCHING | {"collect", "get_freeze_count", "unfreeze"}
_unfreeze = gc.unfreeze

# New objects between two collections while a heap grows that is there to stay; 700 is Python's own number.
_GROWTH = 50_000


class _Thawing(ModuleType):
    """The class of the ``gc`` module while a frozen heap is watched."""

    def __getattribute__(self, name: str) -> Any:
        if name in _REVEALING:
            _thaw()
        return ModuleType.__getattribute__(self, name)


class _Searched(ModuleType):
    """The class of the ``gc`` module in a controller, where no test misses the garbage that is frozen."""

    def __getattribute__(self, name: str) -> Any:
        if name in _SEARCHING:
            _thaw()
        return ModuleType.__getattribute__(self, name)


def freeze() -> Callable[[], None]:
    """Freeze what is there until somebody searches it, and return what thaws it.

    Nothing happens in a worker whose test runs pytest: there the heap is frozen already.
    """
    # Their number would tell nothing: Python 3.12 freezes some hundred objects when it starts.
    if type(gc) is not ModuleType:
        return _leave
    gc.freeze()
    gc.__class__ = _Searched
    return _thaw


def _leave() -> None:
    """What was frozen by a run around this one stays frozen."""


def add_to_frozen() -> None:
    """Freeze what has come since, too, if the heap is still frozen.

    When pytest ends it collects garbage five times, and each of them visits every report of the run: for 10,000 tests
    0.1 s, in which nobody finds anything.
    """
    if type(gc) is _Searched:
        gc.freeze()


def grow() -> Callable[[], None]:
    """Collect garbage seldom while there comes what is there to stay (tests, reports); return what ends that.

    10,000 trivial tests are collected in 0.91 s instead of 0.97 s.
    """
    threshold = gc.get_threshold()
    gc.set_threshold(_GROWTH, *threshold[1:])
    return lambda: gc.set_threshold(*threshold)


def watch() -> None:
    """Keep what is frozen so until somebody looks."""
    gc.__class__ = _Thawing


def freeze_and_watch() -> None:
    """Freeze what is there until somebody looks.

    Garbage is frozen with it: to look for it first takes longer than it saves (13 ms of a second with pandas loaded).
    """
    gc.freeze()
    watch()


def stop_watching() -> None:
    """Leave a heap frozen that nobody has looked at: at the end of a session pytest collects garbage several times."""
    gc.__class__ = ModuleType


def _thaw() -> None:
    stop_watching()
    _unfreeze()
