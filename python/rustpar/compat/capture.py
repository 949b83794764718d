"""pytest's capturing of file descriptors (``--capture=fd``), which has no public interface."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


def captures(config: pytest.Config) -> Iterator[tuple[str, Any]]:
    """Yield the objects that capture standard output and error, as ``out`` and ``err``; none without ``--capture=fd``.

    Each has ``targetfd`` (1 or 2), ``targetfd_save`` (a duplicate of the original descriptor) and ``tmpfile``, to which
    output is written.
    """
    manager: Any = config.pluginmanager.get_plugin("capturemanager")
    capturing = getattr(manager, "_global_capturing", None)
    for name in ("out", "err"):
        capture = getattr(capturing, name, None)
        # A capture in memory (--capture=sys) has no descriptor.
        if hasattr(capture, "targetfd_save"):
            yield name, capture


def descriptor_captures(config: pytest.Config) -> dict[int, Any]:
    """Return what :func:`captures` yields, and the capture of standard input, by their descriptors."""
    manager: Any = config.pluginmanager.get_plugin("capturemanager")
    capturing = getattr(manager, "_global_capturing", None)
    found = (getattr(capturing, name, None) for name in ("in_", "out", "err"))
    return {one.targetfd: one for one in found if one is not None and hasattr(one, "targetfd_save")}


def is_suspended(capture: Any) -> bool:
    """Whether one of :func:`captures` is suspended, so that output is not captured."""
    return bool(capture._state == "suspended")


class LoadOutput:
    """What pytest keeps of the output and the logs of a running test, limited to a length."""

    # Characters of each stream, and records of logs, that are kept.
    _LIMIT = 64 * 1024
    _RECORDS = 1000

    def __init__(self, item: pytest.Item) -> None:
        """Limit what is kept for this test."""
        self._item = item
        self._kept: dict[str, str] = {}
        self._manager: Any = item.config.pluginmanager.get_plugin("capturemanager")
        logs: Any = item.config.pluginmanager.get_plugin("logging-plugin")
        self._handlers = [] if logs is None else [logs.caplog_handler, logs.report_handler]

    def bound(self) -> None:
        """Drop what is beyond the limits."""
        capturing: Any = getattr(self._manager, "_global_capturing", None)
        for name in ("out", "err"):
            capture: Any = getattr(capturing, name, None)
            file = getattr(capture, "tmpfile", None)
            if file is None or is_suspended(capture) or file.seek(0, io.SEEK_CUR) < self._LIMIT:
                continue
            text = capture.snap()
            if isinstance(text, str) and name not in self._kept:
                self._kept[name] = text[: self._LIMIT]
        for handler in self._handlers:
            del handler.records[self._RECORDS :]
            if handler.stream.tell() > self._LIMIT:
                handler.setStream(io.StringIO(handler.stream.getvalue()[: self._LIMIT]))
                handler.stream.seek(0, io.SEEK_END)

    def finish(self) -> None:
        """Add what was kept to the test's report."""
        self.bound()
        for name, text in self._kept.items():
            note = f"\n... (only the first {self._LIMIT // 1024} KiB are kept)"
            self._item.add_report_section("call", f"std{name}", text + note)
