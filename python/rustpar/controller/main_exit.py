"""The end of the main process of a run with workers, without taking the interpreter apart.

That would take 30 of the 240 ms of three tests with ``-n 2``, and tests have run in other processes. The exit functions
of threads, of Python and of C run, and output is flushed.

The hazard it handles: whoever could tell the difference must not. So it only happens if pytest was started as a program
and nothing else decides its exit status; if nothing on the heap has to be finalized, as a file that has buffered what
was written to it, or an object with ``__del__``; and if nothing traces this process, has threads left or functions of
its own for their end, or asks for warnings of what is still open then.
"""

from __future__ import annotations

import io
import sys
import threading
import types
from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.process import exit_functions, forking, gc_freeze, program
from rustpar.process.system import os

if TYPE_CHECKING:
    from collections.abc import Generator

# Modules whose objects only warn when they are finalized, if at all.
_WARNING = ("subprocess", "socket", "_socket")

# What a suspended function has in its place in the code, by type.
_FRAMES = {types.GeneratorType: "gi_frame", types.CoroutineType: "cr_frame", types.AsyncGeneratorType: "ag_frame"}


class MainExit:
    """The plugin that ends this process."""

    def __init__(self, config: pytest.Config) -> None:
        """Prepare the end of the process that `config` belongs to."""
        self._config = config
        self._process = os.getpid()
        self._status: int | None = None
        if program.pytest_program(config) is None or not _is_ordinary():
            return
        # The first one, so the last one to be called.
        config.add_cleanup(self._check)
        # Before Python's own exit functions, which are run by `_end`.
        register: Any = getattr(threading, "_register_atexit", None)
        if register is not None:
            register(self._end)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_cmdline_main(self) -> Generator[None, object, object]:
        """Store the exit status, unless another plugin may still change it."""
        result = yield
        outermost = self._config.hook.pytest_cmdline_main.get_hookimpls()[-1].plugin
        if isinstance(result, int) and outermost is self:
            self._status = int(result)
        return result

    def _check(self) -> None:
        """Forget the exit status if an error is on its way, or if the output cannot be written."""
        try:
            is_broken = sys.exc_info()[0] is not None
            sys.stdout.flush()
            sys.stderr.flush()
        except Exception:
            is_broken = True
        if is_broken:
            self._status = None

    def _end(self) -> None:
        """End this process; called when its program has ended, before other threads are waited for."""
        status, functions = self._status, getattr(threading, "_threading_atexits", ())
        is_alone = threading.active_count() == 1 and len(functions) == 1
        if status is None or os.getpid() != self._process or not is_alone or not _is_ordinary():
            return
        # The program has ended with an error, or something is finalized.
        if hasattr(sys, "last_value") or not all(map(_is_harmless, _finalized())):
            return
        # The functions of threads are called once more.
        self._status = None
        exit_functions.run_exit_functions()
        forking.flush()
        _core.exit_process(status)


def _is_ordinary() -> bool:
    """Whether nobody wants to see what happens at the end of the interpreter, or afterwards."""
    flags = sys.flags
    has_options = flags.inspect or flags.interactive or flags.dev_mode or sys.warnoptions
    return not (has_options or "PYTHONINSPECT" in os.environ or program.is_traced())


def _finalized() -> list[object]:
    """Return the objects that are told of their end."""
    objects = gc_freeze.objects()
    kinds = {kind for kind in set(map(type, objects)) if hasattr(kind, "__del__")}
    return [one for one in objects if type(one) in kinds]


def _is_harmless(one: Any) -> bool:
    """Whether the end of such an object has no effect outside this process."""
    kind = type(one)
    # A subclass may have a `__del__` of its own.
    if kind.__module__ == "_io":
        return isinstance(one, (io.StringIO, io.BytesIO)) or _needs_no_flush(one)
    if kind in _FRAMES:
        frame = getattr(one, _FRAMES[kind])
        # It has ended, or not begun; otherwise, it might have a `finally`.
        return frame is None or frame.f_lasti <= 0
    return kind.__module__ in _WARNING


def _needs_no_flush(file: Any) -> bool:
    try:
        return file.closed or not file.writable() or file.fileno() in range(3)
    except (OSError, ValueError):
        # It was detached.
        return True
