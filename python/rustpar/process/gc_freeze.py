"""Freezing of a process's objects before a fork, so that the garbage collector does not touch them.

A collection writes to every page with objects, and a page that was written is no longer shared. So existing objects are
frozen before a fork: in the controller before the fork server is forked, there again while it is idle, and in the
template before its workers.

The hazards it handles: frozen objects are invisible to ``gc.get_referrers`` and ``gc.get_objects``, and ``gc.collect``
finds no garbage among them. So garbage is collected before a heap is frozen, and the heap is unfrozen ("thaws") as soon
as one of these functions is accessed. Accesses through other names (``from gc import collect``) would not be noticed,
so then nothing is frozen. Nor is it if the suite controls garbage collection itself: with the collector disabled, or
with a heap that it has frozen.
"""

from __future__ import annotations

import gc
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from rustpar import _core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Functions that reveal or change which objects are frozen.
_REVEALING = frozenset({"collect", "freeze", "get_freeze_count", "get_objects", "get_referrers", "unfreeze"})
_THRESHOLDS = frozenset({"get_threshold", "set_threshold"})

# pytest collects garbage five times at its end, each time visiting every report: 0.1 s for 10,000 tests.
_FINAL_COLLECTIONS = "_pytest.unraisableexception"

# The threshold of generation 0 while many long-lived objects are created; Python's own is 700. With half of this,
# importing pandas takes 8 ms more.
_RARE_THRESHOLD = 100_000

# The state of this process, which forks inherit.
_frozen = False
_frozen_by_others = False
_thresholds: tuple[tuple[int, int, int], tuple[int, int, int]] | None = None
# Shows the collector what was hidden from it.
_reveal: Callable[[], None] | None = None
# Whether what is frozen was examined by a warm server, which this process was forked from.
_was_examined = False


class _Watched(ModuleType):
    """The class of the ``gc`` module during a run; it restores the original state before certain accesses."""

    def __getattribute__(self, name: str) -> Any:
        if name in _REVEALING:
            if name != "collect" or sys._getframe(1).f_globals.get("__name__") != _FINAL_COLLECTIONS:
                _thaw_for(name)
        elif name in _THRESHOLDS:
            _restore_thresholds()
        elif name == "__dict__":
            _thaw_for(name)
            _restore_thresholds()
        return ModuleType.__getattribute__(self, name)


def _gc_attribute(name: str) -> Any:
    """Return a function of ``gc`` without triggering a thaw."""
    return ModuleType.__getattribute__(gc, name)


def _is_bound(names: Iterable[str]) -> bool:
    """Whether anything but the module itself refers to one of these functions."""
    namespace: dict[str, Any] = _gc_attribute("__dict__")
    alone = {"probe": object()}
    # The number of temporary references differs between Python versions, so it is measured with the same expression.
    unbound = sys.getrefcount(alone["probe"])
    return any(sys.getrefcount(namespace[name]) > unbound for name in names)


def _may_freeze() -> bool:
    """Whether nobody would notice or object if garbage were collected and the heap frozen now."""
    if _frozen_by_others or not _gc_attribute("isenabled")() or _gc_attribute("get_debug")():
        return False
    # A reference to `unfreeze` can only thaw.
    return not _is_bound(_REVEALING - {"unfreeze"})


def freeze() -> Callable[[], None]:
    """Freeze all objects as quickly as possible; return a function that unfreezes them.

    Garbage is frozen too, so :func:`refreeze` should follow, in both processes of the fork, when they are idle. Does
    nothing in a worker whose test runs pytest: there the heap is already frozen, or has thawed for that test.
    """
    global _frozen
    # gc.get_freeze_count is no criterion: Python 3.12 freezes some hundred objects at its start.
    if type(gc) is not ModuleType:
        return _do_nothing
    if _may_freeze():
        _gc_attribute("freeze")()
        _frozen = True
    _watch()
    return _stop


def _do_nothing() -> None:
    """Do nothing; returned if there is nothing to undo."""


def refreeze() -> None:
    """Collect garbage, including frozen objects, and freeze the rest; do nothing if the heap has thawed."""
    if _frozen:
        collect_and_freeze()


def objects() -> list[Any]:
    """Return all tracked objects that are not frozen."""
    found: list[Any] = _gc_attribute("get_objects")()
    return found


def collect_and_freeze(look: Callable[[], None] | None = None) -> None:
    """Collect garbage, including frozen objects, and freeze the rest.

    Args:
        look: Called in between, with a heap that is not frozen.
    """
    global _frozen
    if not _was_examined:
        _thaw()
    may_freeze = _may_freeze()
    if may_freeze:
        _collect()
    if look is not None:
        look()
    if may_freeze:
        _gc_attribute("freeze")()
        _frozen = True
        _watch()


def keep_frozen() -> None:
    """Let forks of this process leave frozen what is frozen now; for a warm server."""
    global _was_examined
    _was_examined = _frozen


def may_hide(reveal: Callable[[], None]) -> bool:
    """Whether objects may be hidden from the collector until `reveal` is called, when somebody looks at the heap."""
    global _reveal
    if _frozen:
        _reveal = reveal
    return _frozen


def fill_pools() -> None:
    """Fill the free places in memory pools, so that new objects are allocated on pages of their own."""
    import _tracemalloc

    # Users of tracemalloc would see the allocations.
    if not _tracemalloc.is_tracing():
        _core.fill_pools()


def freeze_new_objects() -> None:
    """Collect garbage among the objects created since the last freeze, and freeze the rest.

    Collecting everything would take 9 ms in a run of three tests. Older objects were examined by
    :func:`collect_and_freeze`; those that have become garbage since are found when the heap thaws.
    """
    global _frozen
    if _may_freeze():
        _collect()
        _gc_attribute("freeze")()
        _frozen = True
        _watch()
    else:
        _thaw()


def freeze_more() -> None:
    """Freeze new objects too if the heap is still frozen; for a controller that waits for workers to exit.

    pytest collects garbage five times when it ends, and would not find any.
    """
    if _frozen:
        freeze_new_objects()


def _collect() -> None:
    """Collect garbage without gc callbacks, because plain pytest would not collect here."""
    callbacks: list[Any] = _gc_attribute("callbacks")
    held = callbacks[:]
    callbacks.clear()
    try:
        _gc_attribute("collect")()
    finally:
        callbacks[:0] = held


def collect_rarely() -> Callable[[], None]:
    """Collect garbage rarely while long-lived objects (tests, reports) are created; return a function that ends that.

    10,000 trivial tests are collected in 0.91 s instead of 0.97 s. The suite's own thresholds are restored as soon as
    somebody asks for them, unless they were changed meanwhile.
    """
    global _thresholds
    before = _gc_attribute("get_threshold")()
    # Zero means that automatic collection is disabled.
    if not 0 < before[0] < _RARE_THRESHOLD or _thresholds is not None or _is_bound(_THRESHOLDS):
        return _do_nothing
    _gc_attribute("set_threshold")(_RARE_THRESHOLD, *before[1:])
    _thresholds = before, _gc_attribute("get_threshold")()
    _watch()
    return _restore_thresholds


def _restore_thresholds() -> None:
    """Restore the thresholds if they are still those of :func:`collect_rarely`."""
    global _thresholds
    if _thresholds is not None:
        before, grown = _thresholds
        _thresholds = None
        if _gc_attribute("get_threshold")() == grown:
            _gc_attribute("set_threshold")(*before)


def _thaw_for(name: str) -> None:
    """Thaw because this function was accessed, and show what is hidden."""
    global _frozen_by_others, _reveal
    _thaw()
    if _reveal is not None:
        reveal, _reveal = _reveal, None
        reveal()
    if name == "freeze":
        # From now on the suite controls what is frozen and when.
        _frozen_by_others = True


def _thaw() -> None:
    global _frozen, _was_examined
    if _frozen:
        _frozen = _was_examined = False
        _gc_attribute("unfreeze")()


def _watch() -> None:
    """Watch accesses to the module, even if nothing is frozen, because somebody else may freeze the heap."""
    gc.__class__ = _Watched


def _stop() -> None:
    """Thaw, and stop watching."""
    global _reveal
    _reveal = None
    _restore_thresholds()
    _thaw()
    gc.__class__ = ModuleType
