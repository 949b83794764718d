"""The template's objects, kept out of the garbage collector's way in the workers.

A collector that visits every object writes to every page, and a page that is written is no longer shared. So what is
there at the fork is frozen. The hazard it handles: frozen objects are invisible to ``gc.get_referrers`` and
``gc.get_objects``, and ``gc.collect`` finds no garbage among them; code that looks would see what it does not see in
plain pytest. So the heap thaws the moment somebody reaches for one of these, and then all is as it always was.
"""

from __future__ import annotations

import gc
from types import ModuleType
from typing import Any

_REVEALING = frozenset({"collect", "get_objects", "get_referrers", "get_freeze_count", "unfreeze"})
_unfreeze = gc.unfreeze

# New objects between two collections while the heap grows; 700 is Python's own number.
_GROWTH = 50_000
_threshold = gc.get_threshold()


class _Thawing(ModuleType):
    """The class of the ``gc`` module while its heap is frozen."""

    def __getattribute__(self, name: str) -> Any:
        if name in _REVEALING:
            _thaw()
        return ModuleType.__getattribute__(self, name)


def grow() -> None:
    """Collect garbage seldom while the template collects tests, which are there to stay.

    10,000 trivial tests are collected in 0.91 s instead of 0.97 s.
    """
    global _threshold
    _threshold = gc.get_threshold()
    gc.set_threshold(_GROWTH, *_threshold[1:])


def freeze() -> None:
    """Freeze what is there, until somebody looks.

    Garbage is frozen with it: to look for it first takes longer than it saves (13 ms of a second with pandas loaded).
    """
    gc.set_threshold(*_threshold)
    gc.freeze()
    gc.__class__ = _Thawing


def stop_watching() -> None:
    """Leave a heap frozen that nobody has looked at: at the end of a session pytest collects garbage several times."""
    gc.__class__ = ModuleType


def _thaw() -> None:
    stop_watching()
    _unfreeze()
