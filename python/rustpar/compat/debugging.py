"""Non-public parts of pytest's support for debuggers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

from _pytest.config import create_terminal_writer
from _pytest.debugging import pytestPDB

from rustpar.compat.terminal import writer_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def call_before_debugging(call: Callable[[], None]) -> None:
    """Call `call` before a debugger writes for the first time, and again before each later stop."""
    create: Any = pytestPDB._init_pdb

    def init(method: str, *args: Any, **kwargs: Any) -> Any:
        call()
        debugger = create(method, *args, **kwargs)
        setup = debugger.setup

        def setup_again(frame: Any, traceback: Any) -> Any:
            call()
            return setup(frame, traceback)

        debugger.setup = setup_again
        return debugger

    pytestPDB._init_pdb = init  # type: ignore[method-assign]


def use_writer(config: pytest.Config, file: TextIO) -> Callable[[], None]:
    """Have the terminal reporter write to `file`; return what restores the writer that it had."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    before = writer_of(reporter)
    if before is None:
        return lambda: None
    reporter._tw = create_terminal_writer(config, file)

    def restore() -> None:
        reporter._tw = before

    return restore
