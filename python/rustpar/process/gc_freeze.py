"""The objects of a process that is about to be forked, kept out of the garbage collector's way.

A collector that visits every object writes to every page, and a page that is written is no longer shared. So what is
there at a fork is frozen: in the controller before the fork server is forked, there again while it is idle, and in the
template before its workers.

The hazards it handles. Frozen objects are invisible to ``gc.get_referrers`` and ``gc.get_objects``, and ``gc.collect``
finds no garbage among them. So garbage is collected before a heap is frozen for others, and the heap thaws the moment
somebody reaches for one of these: then all is as it always was. Whoever has bound one of them to a name of their own
(``from gc import collect``) would not be noticed reaching for it, so then nothing is frozen at all. Neither is it where
the suite has taken garbage into its own hands: with the collector switched off, or with a heap that it froze itself.
"""

from __future__ import annotations

import gc
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from rustpar import _core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# What shows, or changes, which objects are frozen.
_REVEALING = frozenset({"collect", "freeze", "get_freeze_count", "get_objects", "get_referrers", "unfreeze"})
_THRESHOLDS = frozenset({"get_threshold", "set_threshold"})

# Where pytest collects garbage five times at its end, each time visiting every report: for 10,000 tests 0.1 s.
_AT_THE_END = "_pytest.unraisableexception"

# New objects between two collections while a heap grows that is there to stay; 700 is Python's own number. With half of
# this, importing pandas takes 8 ms more.
_GROWTH = 100_000

# The state of this process, which those forked from it begin with.
_frozen = False
_frozen_by_others = False
_thresholds: tuple[tuple[int, int, int], tuple[int, int, int]] | None = None


class _Watched(ModuleType):
    """The class of the ``gc`` module in a run's processes, where there may be something to put back first."""

    def __getattribute__(self, name: str) -> Any:
        if name in _REVEALING:
            if name != "collect" or sys._getframe(1).f_globals.get("__name__") != _AT_THE_END:
                _reveal(name)
        elif name in _THRESHOLDS:
            _settle()
        elif name == "__dict__":
            _thaw()
            _settle()
        return ModuleType.__getattribute__(self, name)


def _own(name: str) -> Any:
    """A function of ``gc``, without being noticed."""
    return ModuleType.__getattribute__(gc, name)


def _is_bound(names: Iterable[str]) -> bool:
    """Whether anybody but the module itself holds one of its functions."""
    namespace: dict[str, Any] = _own("__dict__")
    alone = {"probe": object()}
    # How many references the reading itself takes differs between Python's versions, so it is done alike for both.
    unbound = sys.getrefcount(alone["probe"])
    return any(sys.getrefcount(namespace[name]) > unbound for name in names)


def _may_freeze() -> bool:
    """Whether nobody could tell, and nobody minds, that the heap is frozen and garbage collected now."""
    if _frozen_by_others or not _own("isenabled")() or _own("get_debug")():
        return False
    # Who holds `unfreeze` can only thaw.
    return not _is_bound(_REVEALING - {"unfreeze"})


def freeze() -> Callable[[], None]:
    """Freeze what is there, as quickly as it can be done, and return what thaws it.

    Garbage is frozen with it, so :func:`refreeze` is to follow, in both processes of the fork, while they are idle.
    Nothing happens in a worker whose test runs pytest: there a heap is frozen already, or has thawed for that test.
    """
    global _frozen
    # The number of frozen objects would tell nothing: Python 3.12 freezes some hundred of them when it starts.
    if type(gc) is not ModuleType:
        return _leave
    if _may_freeze():
        _own("freeze")()
        _frozen = True
    _watch()
    return _end


def _leave() -> None:
    """What was frozen by a run around this one stays frozen."""


def refreeze() -> None:
    """Collect garbage among what is frozen, too, and freeze the rest; nothing happens if it has thawed."""
    if _frozen:
        collect_and_freeze()


def objects() -> list[Any]:
    """All objects that the collector knows and that are not frozen."""
    found: list[Any] = _own("get_objects")()
    return found


def collect_and_freeze(look: Callable[[], None] | None = None) -> None:
    """Collect garbage, also among what is frozen, and freeze all the rest until somebody looks.

    Args:
        look: What is to be done in between, with a heap that is not frozen.
    """
    global _frozen
    _thaw()
    may_freeze = _may_freeze()
    if may_freeze:
        _collect()
    if look is not None:
        look()
    if may_freeze:
        _own("freeze")()
        _frozen = True
        _watch()


def fill_pools() -> None:
    """Fill the places that garbage has left, so that new objects come to lie on pages of their own."""
    import _tracemalloc

    # Whoever traces memory would find it here.
    if not _tracemalloc.is_tracing():
        _core.fill_pools()


def freeze_what_is_new() -> None:
    """Collect garbage among what has come since the heap was frozen, and freeze the rest.

    A collection of all would cost a run of three tests 9 ms. What lay there before was looked through by
    :func:`collect_and_freeze`; what has become garbage since is found when the heap thaws.
    """
    global _frozen
    if _may_freeze():
        _collect()
        _own("freeze")()
        _frozen = True
        _watch()
    else:
        _thaw()


def add_to_frozen() -> None:
    """The same if the heap is still frozen; in a controller that waits for workers to leave.

    When pytest ends it collects garbage five times, and nobody finds anything then.
    """
    if _frozen:
        freeze_what_is_new()


def _collect() -> None:
    """Collect garbage unseen by callbacks: plain pytest does not collect here."""
    callbacks: list[Any] = _own("callbacks")
    held = callbacks[:]
    callbacks.clear()
    try:
        _own("collect")()
    finally:
        callbacks[:0] = held


def grow() -> Callable[[], None]:
    """Collect garbage seldom while there comes what is there to stay (tests, reports); return what ends that.

    10,000 trivial tests are collected in 0.91 s instead of 0.97 s. Thresholds are the suite's own: they are put back
    the moment that somebody asks for them, and only if nobody has changed them.
    """
    global _thresholds
    before = _own("get_threshold")()
    # Zero means that nothing is collected by itself.
    if not 0 < before[0] < _GROWTH or _thresholds is not None or _is_bound(_THRESHOLDS):
        return _leave
    _own("set_threshold")(_GROWTH, *before[1:])
    _thresholds = before, _own("get_threshold")()
    _watch()
    return _settle


def _settle() -> None:
    """Put thresholds back where they are still those of :func:`grow`."""
    global _thresholds
    if _thresholds is not None:
        before, grown = _thresholds
        _thresholds = None
        if _own("get_threshold")() == grown:
            _own("set_threshold")(*before)


def _reveal(name: str) -> None:
    """Thaw for somebody who has asked for this function."""
    global _frozen_by_others
    _thaw()
    if name == "freeze":
        # From here on it is theirs, what is frozen and when that ends.
        _frozen_by_others = True


def _thaw() -> None:
    global _frozen
    if _frozen:
        _frozen = False
        _own("unfreeze")()


def _watch() -> None:
    """Notice who reaches for the module, also when nothing is frozen: somebody may freeze the heap themselves."""
    gc.__class__ = _Watched


def _end() -> None:
    """Thaw, and watch no longer."""
    _settle()
    _thaw()
    gc.__class__ = ModuleType
