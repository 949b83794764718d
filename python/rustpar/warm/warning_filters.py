"""Recording of the warning filters that modules add while they are imported, and adding them again.

The hazard it handles: a filter is added in front or at the end, and one that is added within ``catch_warnings`` is gone
when that ends. What a module is warned of that is imported in there would be seen if it were imported elsewhere.
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class _NoWarning(Warning):
    """A category that nobody uses."""


class Filter(NamedTuple):
    """A filter that was added.

    Attributes:
        item: As in :data:`warnings.filters`: action, message, category, module and line.
        is_last: Whether it was added at the end.
    """

    item: tuple[Any, ...]
    is_last: bool


class Importing(Protocol):
    """A module that is being imported, as :class:`.imports.Imported` describes it."""

    name: str
    filters: list[Filter]
    faults: list[str]


class _Context(NamedTuple):
    """A ``catch_warnings`` that is entered.

    Attributes:
        owner: The module that was being imported then, if any.
        ignored: Filters of its own that ignore warnings.
        is_recording: Whether it records warnings.
    """

    owner: Importing | None
    ignored: list[tuple[Any, ...]]
    is_recording: bool


class FilterRecorder:
    """Records filters, for the module that `running` returns: the one that is being executed."""

    def __init__(self, running: Callable[[], Importing | None], show: Callable[..., None]) -> None:
        """Have every warning shown by `show`, until :meth:`restore` is called."""
        module: Any = warnings
        self._running = running
        self._show = show
        self._before = list(warnings.filters), warnings.showwarning
        warnings.simplefilter("always")
        warnings.showwarning = show
        self._expected = list(warnings.filters)
        self._contexts: list[_Context] = []
        self._add: Callable[..., None] = module._add_filter
        self._enter: Callable[[Any], Any] = warnings.catch_warnings.__enter__
        self._exit: Callable[..., None] = warnings.catch_warnings.__exit__
        self.patches: tuple[tuple[Any, str, Any], ...] = (
            (warnings, "_add_filter", self._adding),
            (warnings.catch_warnings, "__enter__", lambda context: self._entering(context)),
            (warnings.catch_warnings, "__exit__", lambda context, *about: self._exiting(context, *about)),
        )

    def restore(self) -> None:
        """Put the filters back."""
        filters, warnings.showwarning = self._before
        _replace(filters)

    def update(self) -> list[str]:
        """Return what else the running module has done, as predicates."""
        if self._contexts:
            return []
        faults = []
        if list(warnings.filters) != self._expected:
            self._expected = list(warnings.filters)
            faults.append("changes warning filters")
        if warnings.showwarning != self._show:
            warnings.showwarning = self._show
            faults.append("changes how warnings are shown")
        return faults

    def started(self, module: Importing) -> None:
        """Note that a module is imported."""
        if any(context.is_recording for context in self._contexts):
            module.faults.append("is imported where warnings are recorded")

    def is_ignored(self, module: Importing, message: object, category: type[Warning], file: str) -> bool:
        """Whether a module ignores a warning, which is about a file, by a filter that it has added for a while."""
        is_about_it = getattr(sys.modules.get(module.name), "__file__", None) == file
        name = module.name if is_about_it else None
        return any(
            context.owner is module and _matches(item, message, category, name)
            for context in self._contexts
            for item in context.ignored
        )

    def _adding(self, *item: Any, append: bool) -> None:
        running = self._running()
        if not self._contexts:
            _add_to(self._expected, Filter(item, append))
            if running is not None:
                running.filters.append(Filter(item, append))
        elif running is not None and running is not self._contexts[-1].owner:
            running.faults.append("adds a warning filter that the module which imports it takes away again")
        elif item[0] == "ignore":
            # Modules that are imported in there may warn, too.
            self._contexts[-1].ignored.append(item)
            return
        self._add(*item, append=append)

    def _entering(self, context: Any) -> Any:
        # It may add a filter by itself: `catch_warnings(action="ignore")`.
        self._contexts.append(_Context(self._running(), [], bool(context._record)))
        try:
            return self._enter(context)
        except BaseException:
            self._contexts.pop()
            raise

    def _exiting(self, context: Any, *about: Any) -> None:
        if self._contexts:
            self._contexts.pop()
        self._exit(context, *about)


def add(filters: Iterable[Filter]) -> None:
    """Add filters again, in this order."""
    wanted = list(warnings.filters)
    for one in filters:
        _add_to(wanted, one)
    _replace(wanted)


def _add_to(filters: list[Any], new: Filter) -> None:
    """Add a filter as :func:`warnings.filterwarnings` does."""
    if new.is_last:
        if new.item not in filters:
            filters.append(new.item)
        return
    if new.item in filters:
        filters.remove(new.item)
    filters.insert(0, new.item)


def _replace(new: list[Any]) -> None:
    filters: Any = warnings.filters
    filters[:] = new
    # Only a change through a function makes modules forget what they have decided with the filters before.
    warnings.simplefilter("default", _NoWarning, append=True)
    filters.pop()


def _matches(item: tuple[Any, ...], message: object, category: type[Warning], name: str | None) -> bool:
    _, text, kind, module, line = item
    return (
        (text is None or text.match(str(message)) is not None)
        and issubclass(category, kind)
        and (module is None or (name is not None and module.match(name) is not None))
        and line == 0
    )
