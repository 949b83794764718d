"""Users of ordinary tests: a thread for each, in which its fixtures are set up and torn down, too.

The hazard it handles: a thread cannot be ended from outside. An iteration that does not end in time is left behind, and
its user is torn down by the main thread.
"""

from __future__ import annotations

import functools
import queue
import threading
from typing import TYPE_CHECKING

from rustpar import _core
from rustpar.load.forks import exit_fork
from rustpar.load.measuring import CURRENT
from rustpar.process.system import os

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rustpar.load.failures import Failures
    from rustpar.load.users import VirtualUser

# Seconds between looks at whether the load test is to be stopped.
_INTERVAL = 0.02

# Seconds for a thread without work to end.
_END_LIMIT = 5.0


class UserThread:
    """The thread of a user."""

    def __init__(self, user: VirtualUser) -> None:
        """Start the thread."""
        self.user = user
        self._work: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self.is_busy = False
        self._thread = threading.Thread(target=self._serve, name=f"load-user-{user.number}", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                work()
            except BaseException as error:
                self._done.put(error)
            else:
                self._done.put(None)

    def begin(self, work: Callable[[], object]) -> None:
        """Have the thread do this."""
        self.is_busy = True
        self._work.put(work)

    def wait(self, seconds: float | None) -> bool:
        """Wait until the thread has done its work; return whether it has.

        Raises:
            BaseException: What the work has raised.
        """
        __tracebackhide__ = True
        try:
            error = self._done.get(timeout=seconds)
        except queue.Empty:
            return False
        self.is_busy = False
        if error is not None:
            raise error
        return True

    def do(self, work: Callable[[], object]) -> None:
        """Have the thread do this, and wait for it.

        Raises:
            BaseException: What the work has raised.
        """
        __tracebackhide__ = True
        self.begin(work)
        while not self.wait(_INTERVAL * 5):
            # An interrupt reaches the main thread only.
            pass

    def end(self) -> None:
        """End the thread, unless it is in an iteration that does not end: then when its work is done."""
        self._work.put(None)
        if not self.is_busy:
            self._thread.join(_END_LIMIT)


class ThreadUsers:
    """The users of a load test on threads."""

    def __init__(
        self,
        generator: _core.LoadGenerator,
        threads: Sequence[UserThread],
        failures: Failures,
        renew: Callable[[VirtualUser], bool] | None,
    ) -> None:
        """Run the users of these threads; the other arguments are those of :class:`AsyncioUsers`."""
        self._generator = generator
        self._threads = threads
        self._failures = failures
        self._renew = renew

    def run(self, stop_at: Callable[[], float], graceful_stop: float) -> int:
        """Run all users to their end; return how many iterations were interrupted. As of :class:`AsyncioUsers`."""
        for thread in self._threads:
            thread.begin(functools.partial(self._user, thread.user))
        limit: float | None = None
        while self._is_busy():
            now = _core.monotonic()
            if limit is None and (self._generator.should_stop() or stop_at() <= 0):
                self._generator.stop()
                limit = now + graceful_stop
            elif limit is not None:
                self._generator.should_stop()
                if now > limit:
                    break
        return self._end()

    def drain(self, limit: float) -> int:
        """End after an interrupt: wait for running iterations so many seconds."""
        self._generator.stop()
        end = _core.monotonic() + limit
        while self._is_busy() and _core.monotonic() < end:
            pass
        return self._end()

    def _is_busy(self) -> bool:
        """Whether a thread is busy; waits for one of them for a moment."""
        busy = [thread for thread in self._threads if thread.is_busy]
        for place, thread in enumerate(busy):
            try:
                if not thread.wait(_INTERVAL if place == 0 else 0):
                    continue
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
                    raise
                self._failures.abort(error)
        return any(thread.is_busy for thread in busy)

    def _end(self) -> int:
        interrupted = self._generator.running()
        for user in interrupted:
            self._generator.cancel(user)
        return len(interrupted)

    def _user(self, user: VirtualUser) -> None:
        token = CURRENT.set(user.load)
        try:
            self._iterate(user)
        finally:
            CURRENT.reset(token)

    def _iterate(self, user: VirtualUser) -> None:
        generator, number, failures = self._generator, user.number, self._failures
        begin, end, wait = generator.begin, generator.end, generator.wait
        process = os.getpid()
        while True:
            if self._renew is not None and not self._renew(user):
                return
            if not wait(number):
                return
            task = begin(number)
            function, arguments = user.calls[task]
            try:
                function(**arguments)
            except BaseException as error:
                exit_fork(process, error)
                if not failures.is_outcome(error):
                    generator.cancel(number)
                    raise
                end(number, True)
                failures.add(user, task, error)
            else:
                end(number, False)
                exit_fork(process)
