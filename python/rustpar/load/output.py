"""Output, logs and warnings of a load test: bounded, because an hour of them would not fit into memory.

Of what iterations print and log, the beginning is kept, and a warning is recorded once for each place.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
from typing import TYPE_CHECKING, Any

from rustpar.compat.capture import LoadOutput

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

# Seconds between looks at how much there is.
_INTERVAL = 1.0


@contextlib.contextmanager
def bounded_output(item: pytest.Item) -> Iterator[None]:
    """Bound what is kept while a load test runs."""
    output = LoadOutput(item)
    ended = threading.Event()

    def bound() -> None:
        while not ended.wait(_INTERVAL):
            output.bound()

    thread = threading.Thread(target=bound, name="load-output", daemon=True)
    thread.start()
    try:
        with _each_warning_once():
            yield
    finally:
        ended.set()
        thread.join()
        output.finish()


@contextlib.contextmanager
def _each_warning_once() -> Iterator[None]:
    original: Any = warnings._showwarnmsg_impl  # type: ignore[attr-defined]
    shown: set[tuple[Any, ...]] = set()

    def show(message: Any, category: type[Warning], filename: str, lineno: int, *more: Any, **named: Any) -> None:
        key = (category, str(message), filename, lineno)
        if key not in shown:
            shown.add(key)
            original(warnings.WarningMessage(message, category, filename, lineno, *more, **named))

    before = warnings.showwarning
    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before
