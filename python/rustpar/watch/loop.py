"""``rustpar watch``: run, wait for a change or a key, and run again.

A run that is under way when files change goes on to its end, and then the next one starts with all changes. To stop it
would lose what it has found, and skip what it has to tear down; and a suite that writes files would stop itself. Ctrl-C
ends a run.

The hazard it handles: this process shares its terminal and its process group with each run. Ctrl-C and Ctrl-Z reach
both, other signals only this process, which passes them on. While it waits, every way out restores the terminal.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.watch import plan as plans
from rustpar.watch import project as projects
from rustpar.watch.keyboard import Keyboard
from rustpar.watch.signals import Signals

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

# Seconds without a notice after which files are looked at: an editor that saves a file takes 5 ms, and formatters that
# it starts 50 ms. And the most seconds in which notices go on.
_QUIET = 0.1
_MOST_WAIT = 2.0

# Seconds after which a wait looks around, and for a run to end after SIGTERM.
_INTERVAL = 1.0
_GRACE = 10.0

_REST_OF_LINE = "\x1b[K"


class Failed(Exception):
    """The command cannot go on; a one-line message."""


def watch(arguments: Sequence[str]) -> int:
    """Run pytest with these arguments whenever files change; return the exit status.

    Raises:
        Failed: Files cannot be watched.
    """
    with Watch(arguments) as watching:
        try:
            watching.run()
        except OSError as error:
            # Without its terminal, it is to end as SIGHUP says.
            if watching.signals.ends_by is None:
                raise Failed(str(error)) from None
        number = watching.signals.ends_by
    if number is not None:
        # As if it had not been handled.
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    return 0


class Watch:
    """A project that is watched.

    Attributes:
        signals: What has arrived.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        """Watch the project of the current directory."""
        self._arguments = list(arguments)
        self._session = _core.WatchSession()
        self._keyboard = Keyboard()
        self.signals = Signals(self._keyboard)
        self._directory = tempfile.mkdtemp(prefix="rustpar-")
        self._number = 0

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._keyboard.restore()
        self.signals.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def run(self) -> None:
        """Run and wait until the user quits.

        Raises:
            Failed: The project was removed.
            OSError: Files cannot be watched.
        """
        # The thread that receives notices must not take signals from this one.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self._project = projects.Project()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if self.signals.take_interrupt():
            return
        mode: str | None = "all"
        while mode is not None and self.signals.ends_by is None:
            mode = "affected" if self._run(mode) else self._wait()

    def _run(self, mode: str) -> bool:
        """Run once; return whether to run again at once, because files have changed."""
        self._session.note(self._project.look())
        if self.signals.take_interrupt():
            return False
        mode, line, changes, failed = self._session.begin(mode)
        state = self._project.state(changes)
        since, self._project.changes = self._project.changes, []
        if any(event != "M" for _, event in since):
            # Another module may be found first. Not left to the checkpoint, which the run may not reach.
            with contextlib.suppress(FileNotFoundError):
                Path(plans.checkpoint_socket(self._directory)).unlink()
        plans.Plan(os.getpid(), mode, failed, self._session.filter(), state, since).write(self._directory)
        self._show_start(line)
        begin = time.monotonic()
        status = self._run_pytest()
        took = time.monotonic() - begin
        # A run that was killed, or a test, may leave it without echo.
        self._keyboard.reset()
        if not self._project.root.is_dir():
            raise Failed(f"the project's directory {self._project.root} was removed")
        report = projects.text_of(plans.report_file(self._directory))
        during = self._project.look()
        tracked = self._project.tracked_of(during)
        is_again = self._session.end(report, status, self.signals.take_interrupt(), took, during, tracked)
        patterns = projects.patterns_of(report)
        if patterns is not None:
            missed = self._project.use_patterns(patterns)
            self._session.note(missed)
            is_again = is_again or bool(missed)
        if is_again:
            self._settle()
        return is_again and self.signals.ends_by is None

    def _show_start(self, line: str) -> None:
        self._number += 1
        if self._number == 1:
            return
        screen = ""
        if self._is_screen():
            # What is on the screen remains above it.
            lines = shutil.get_terminal_size().lines
            screen = f"\x1b[{lines};1H" + "\n" * lines + "\x1b[H"
        _print(f"{screen}{line}\n")

    def _run_pytest(self) -> int:
        """Run pytest; return its exit status, or minus the signal that has killed it."""
        environment = {**os.environ, plans.VARIABLE: self._directory}
        try:
            process = subprocess.Popen([*_command(), "run", *self._arguments], env=environment)
        except OSError as error:
            raise Failed(f"could not start pytest: {error}") from None
        with self.signals.passed_on_to(process):
            return self._wait_for(process)

    def _wait_for(self, process: subprocess.Popen[bytes]) -> int:
        end: float | None = None
        while process.poll() is None:
            if self.signals.ends_by is not None:
                end = end or time.monotonic() + _GRACE
                if time.monotonic() > end:
                    process.kill()
            self.signals.wait([], _INTERVAL)
        return process.returncode

    def _wait(self) -> str | None:
        """Wait for a reason to run; return what to run, None to quit."""
        self._keyboard.take_keys()
        self.signals.take_continued()
        try:
            self._show_lines()
            while True:
                if self.signals.ends_by is not None or self.signals.take_interrupt():
                    return None
                if self.signals.take_continued():
                    self._show_lines()
                # It may have been in the background.
                is_foreground = self._keyboard.is_foreground()
                if is_foreground and not self._keyboard.has_keys:
                    self._keyboard.take_keys()
                keys = [0] if is_foreground else []
                ready = self.signals.wait([*keys, self._project.files.fileno()], _INTERVAL)
                if not self._project.root.is_dir():
                    raise Failed(f"the project's directory {self._project.root} was removed")
                if self._project.files.fileno() in ready and self._has_changed():
                    return "affected"
                if 0 in ready:
                    is_decided, mode = self._on_key()
                    if is_decided:
                        return mode
        finally:
            self._keyboard.restore()

    def _has_changed(self) -> bool:
        self._settle()
        changes = self._project.look()
        self._session.note(changes)
        return bool(changes)

    def _settle(self) -> None:
        """Wait until files do not change any more, but not for ever."""
        end = time.monotonic() + _MOST_WAIT
        descriptor = self._project.files.fileno()
        self._project.files.clear()
        while time.monotonic() < end and select.select([descriptor], [], [], _QUIET)[0]:
            self._project.files.clear()
            # A notice for each write of a large file.
            time.sleep(_QUIET / 10)

    def _on_key(self) -> tuple[bool, str | None]:
        """Carry out a key; return whether the wait is over, and what to run then."""
        key = self._keyboard.read_key()
        if key is None or key in ("q", "\x04"):
            return True, None
        if key in ("\r", "\n", "a"):
            return True, "all"
        if key == "f" and self._session.has_failing():
            return True, "failed"
        if key == "c" and self._session.has_pending():
            return True, "affected"
        if key in ("p", "/"):
            mode = self._ask_for_filter()
            if mode is not None:
                return True, mode
            self._keyboard.take_keys()
            self._show_lines()
        elif key in ("?", "h"):
            _print("\n".join(["", *_core.WatchSession.help(), ""]))
            self._show_lines()
        return False, None

    def _ask_for_filter(self) -> str | None:
        """Read an expression; return what to run because of it."""
        self._keyboard.restore()
        _print("\nrun tests that match (an expression of -k; empty for all): ")
        line = ""
        while not line.endswith("\n"):
            if self.signals.take_interrupt() or self.signals.ends_by is not None:
                _print("\n")
                return None
            if 0 in self.signals.wait([0], _INTERVAL):
                part = self._keyboard.read_part()
                if part is None:
                    _print("\n")
                    return None
                line += part
        return self._session.set_filter(line)

    def _show_lines(self) -> None:
        columns = shutil.get_terminal_size().columns
        is_coloured = self._is_screen() and not os.environ.get("NO_COLOR")
        for line in self._session.lines(columns, self._keyboard.exists, is_coloured):
            _print(f"{line}{_REST_OF_LINE if self._is_screen() else ''}\n")

    @staticmethod
    def _is_screen() -> bool:
        return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _command() -> list[str]:
    """Return the command that has started this process, with the same options of Python, up to its own arguments."""
    return [sys.executable, *sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv) + 1]]


def _print(text: str) -> None:
    stream: Any = sys.stdout
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()
