"""Users of asynchronous tests on trio: tasks of one nursery, through anyio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.load.forks import exit_fork
from rustpar.load.measuring import CURRENT
from rustpar.process.system import os

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rustpar.load.event_loop import TrioLoop
    from rustpar.load.failures import Failures
    from rustpar.load.users import VirtualUser

# Seconds between looks at whether the load test is to be stopped.
_INTERVAL = 0.02


class TrioUsers:
    """The users of a load test on a trio loop."""

    def __init__(
        self,
        generator: _core.LoadGenerator,
        users: Sequence[VirtualUser],
        loop: TrioLoop,
        failures: Failures,
        renew: Callable[[VirtualUser], bool] | None,
    ) -> None:
        """Run `users` on `loop`; the arguments are those of :class:`AsyncioUsers`."""
        self._generator = generator
        self._users = users
        self._loop = loop
        self._failures = failures
        self._renew = renew
        self._sleeping: dict[int, Any] = {}
        self._left = 0
        self._interrupted = 0

    def run(self, stop_at: Callable[[], float], graceful_stop: float) -> int:
        """Run all users to their end; return how many iterations were interrupted. As of :class:`AsyncioUsers`."""
        self._loop.run(self._run(stop_at, graceful_stop))
        return self._interrupted

    def drain(self, limit: float) -> int:
        """End after an interrupt: the loop, in its own thread, ends by itself when the load test is stopped."""
        self._generator.stop()
        end = _core.monotonic() + limit
        while self._left and _core.monotonic() < end:
            _core.sleep(_INTERVAL)
        return self._interrupted

    async def _run(self, stop_at: Callable[[], float], graceful_stop: float) -> None:
        import anyio

        self._left = len(self._users)
        async with anyio.create_task_group() as group:
            for user in self._users:
                group.start_soon(self._user, user)
            limit: float | None = None
            while self._left:
                await anyio.sleep(_INTERVAL)
                should_stop = self._generator.should_stop() or self._generator.is_stopped() or stop_at() <= 0
                if limit is None and should_stop:
                    self._generator.stop()
                    limit = _core.monotonic() + graceful_stop
                    for scope in list(self._sleeping.values()):
                        scope.cancel()
                if limit is not None and _core.monotonic() > limit:
                    break
            interrupted = self._generator.running()
            self._interrupted = len(interrupted)
            group.cancel_scope.cancel()
        for user_number in interrupted:
            self._generator.cancel(user_number)

    async def _user(self, user: VirtualUser) -> None:
        import anyio
        from anyio.lowlevel import checkpoint
        from anyio.to_thread import run_sync

        generator, number, failures = self._generator, user.number, self._failures
        process = os.getpid()
        CURRENT.set(user.load)
        try:
            while True:
                if self._renew is not None and not await run_sync(self._renew, user):
                    return
                seconds = generator.next(number)
                if seconds is None:
                    return
                if seconds > 0:
                    with anyio.CancelScope() as scope:
                        self._sleeping[number] = scope
                        await anyio.sleep(seconds)
                    del self._sleeping[number]
                    if generator.is_stopped():
                        return
                else:
                    await checkpoint()
                task = generator.begin(number)
                function, arguments = user.calls[task]
                try:
                    await function(**arguments)
                except BaseException as error:
                    exit_fork(process, error)
                    if not failures.is_outcome(error):
                        generator.cancel(number)
                        if isinstance(error, anyio.get_cancelled_exc_class()):
                            raise
                        # It must not end the loop, which later load tests need.
                        failures.abort(error)
                        return
                    generator.end(number, True)
                    failures.add(user, task, error)
                else:
                    generator.end(number, False)
                    exit_fork(process)
        except Exception as error:
            failures.abort(error)
        finally:
            self._left -= 1
