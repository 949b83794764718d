"""Users of asynchronous tests: tasks of one event loop.

The hazard it handles: an iteration that never waits would keep the others from running, so each user gives way once per
iteration. And a timer of the event loop is a millisecond late, which would be measured: a descriptor wakes the users.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.load.event_loop import AsyncioLoop
from rustpar.load.forks import exit_fork
from rustpar.load.measuring import CURRENT
from rustpar.process.system import os

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rustpar.load.failures import Failures
    from rustpar.load.users import VirtualUser

# Seconds between looks at whether the load test is to be stopped.
_INTERVAL = 0.02

# Seconds for which cancelled iterations may clean up.
_CANCEL_LIMIT = 5.0


class AsyncioUsers:
    """The users of a load test on an asyncio loop."""

    def __init__(
        self,
        generator: _core.LoadGenerator,
        users: Sequence[VirtualUser],
        loop: AsyncioLoop,
        failures: Failures,
        renew: Callable[[VirtualUser], bool] | None,
    ) -> None:
        """Run `users` on `loop`.

        Args:
            generator: Paces and measures.
            users: The users of this worker.
            loop: The loop.
            failures: Keeps failures.
            renew: Sets up a user's function fixtures anew, in another thread; None if they are set up once.
        """
        self._generator = generator
        self._users = users
        self._loop = loop
        self._failures = failures
        self._renew = renew
        self._sleeping: dict[int, asyncio.Future[None]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._is_ending = False
        self._stop_at: Callable[[], float] = lambda: 0.0
        self._graceful_stop = 0.0
        self._limit: float | None = None
        self._left = 0
        self._over: asyncio.Future[None]

    def run(self, stop_at: Callable[[], float], graceful_stop: float) -> int:
        """Run all users to their end; return how many iterations were interrupted.

        Args:
            stop_at: Returns for how many seconds users may still start iterations.
            graceful_stop: For how many seconds running iterations may then go on.
        """
        return self._loop.run(self._run(stop_at, graceful_stop))  # type: ignore[no-any-return]

    def drain(self, limit: float) -> int:
        """End after an interrupt: wait for running iterations so many seconds, then cancel them."""
        self._generator.stop()
        return self._loop.run(self._end(limit))  # type: ignore[no-any-return]

    async def _run(self, stop_at: Callable[[], float], graceful_stop: float) -> int:
        loop = asyncio.get_running_loop()
        self._stop_at, self._graceful_stop = stop_at, graceful_stop
        self._over = loop.create_future()
        loop.add_reader(self._generator.timer_descriptor(), self._wake)
        self._tasks = [loop.create_task(self._user(user)) for user in self._users]
        self._left = len(self._tasks)
        for task in self._tasks:
            task.add_done_callback(self._count)
        self._look()
        if self._left:
            await self._over
        return await self._end(0.0)

    def _count(self, _task: asyncio.Task[None]) -> None:
        self._left -= 1
        if self._left == 0 and not self._over.done():
            self._over.set_result(None)

    def _look(self) -> None:
        """Look whether the load test is to be stopped, now and again after a while.

        The users' timer wakes it, too: a timer of the event loop would be programmed anew in each of its rounds, which
        costs 4 of 40 us that an iteration with a rate takes.
        """
        should_stop = self._generator.should_stop() or self._stop_at() <= 0
        now = _core.monotonic()
        if self._limit is None and should_stop:
            self._generator.stop()
            self._limit = now + self._graceful_stop
        elif self._limit is not None and now > self._limit and not self._over.done():
            self._over.set_result(None)
            return
        self._generator.wake_after(_INTERVAL)

    async def _end(self, limit: float) -> int:
        loop = asyncio.get_running_loop()
        pending = {task for task in self._tasks if not task.done()}
        if pending and limit:
            _, pending = await asyncio.wait(pending, timeout=limit)
        interrupted = self._generator.running()
        self._is_ending = True
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending, timeout=_CANCEL_LIMIT)
        for user in interrupted:
            self._generator.cancel(user)
        loop.remove_reader(self._generator.timer_descriptor())
        for task in self._tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                self._failures.abort(task.exception())
        return len(interrupted)

    def _wake(self) -> None:
        for user in self._generator.due():
            if user is None:
                self._look()
                continue
            future = self._sleeping.pop(user, None)
            if future is not None and not future.done():
                future.set_result(None)

    async def _user(self, user: VirtualUser) -> None:
        generator, number, failures = self._generator, user.number, self._failures
        begin, end, sleep = generator.begin, generator.end, generator.sleep
        process = os.getpid()
        CURRENT.set(user.load)
        create_future = asyncio.get_running_loop().create_future
        while True:
            if self._renew is not None and not await asyncio.to_thread(self._renew, user):
                return
            sleeps = sleep(number)
            if sleeps is None:
                return
            if sleeps:
                self._sleeping[number] = future = create_future()
                await future
                if generator.is_stopped():
                    return
            task = begin(number)
            function, arguments = user.calls[task]
            try:
                await function(**arguments)
            except BaseException as error:
                exit_fork(process, error)
                is_cancelled = isinstance(error, asyncio.CancelledError)
                if (is_cancelled and self._is_ending) or not (is_cancelled or failures.is_outcome(error)):
                    generator.cancel(number)
                    if not is_cancelled:
                        failures.abort(error)
                    raise
                end(number, True)
                failures.add(user, task, error)
            else:
                end(number, False)
                exit_fork(process)
            if not sleeps:
                await _give_way()


class _GiveWay:
    """Lets the other tasks run once: ``asyncio.sleep(0)`` without its coroutine."""

    __slots__ = ()

    def __await__(self) -> Any:
        yield


_GIVE_WAY = _GiveWay()


def _give_way() -> _GiveWay:
    return _GIVE_WAY
