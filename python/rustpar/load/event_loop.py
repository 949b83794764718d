"""The event loop on which a worker's asynchronous users and fixtures run: asyncio, or trio through anyio.

One loop serves all load tests of a worker, because fixtures of session scope are bound to it.

The hazard it handles: fixtures are set up by pytest's synchronous code, before the users run in the same thread, or in
another thread while they do. And an asynchronous generator has to be finished by the task that has begun it, or
cancel scopes in it break.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine


class AsyncioLoop:
    """An asyncio loop that runs in this thread while it is needed.

    Attributes:
        loop: The loop.
    """

    name = "asyncio"

    def __init__(self) -> None:
        """Create the loop."""
        self.loop = asyncio.new_event_loop()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine and return its result; from another thread if the loop is running."""
        __tracebackhide__ = True
        if self.loop.is_running():
            return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()
        asyncio.set_event_loop(self.loop)
        return self.loop.run_until_complete(coroutine)

    def enter(self, generator: AsyncGenerator[Any, None]) -> tuple[Any, Callable[[], None]]:
        """Run an asynchronous generator to its first value; return that, and what finishes it."""
        __tracebackhide__ = True

        async def begin() -> tuple[asyncio.Task[None], Any, asyncio.Event]:
            value: asyncio.Future[Any] = self.loop.create_future()
            finish = asyncio.Event()
            task = self.loop.create_task(_live(generator, value, finish))
            return task, await value, finish

        task, value, finish = self.run(begin())

        async def end() -> None:
            finish.set()
            await task

        return value, lambda: self.run(end())

    def close(self) -> None:
        """Close the loop, as asyncio's own runner does."""
        if self.loop.is_closed():
            return
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self.loop.run_until_complete(asyncio.wait(tasks, timeout=5))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        self.loop.close()


async def _live(generator: AsyncGenerator[Any, None], value: asyncio.Future[Any], finish: asyncio.Event) -> None:
    try:
        first = await generator.__anext__()
    except StopAsyncIteration:
        value.set_exception(RuntimeError("the fixture did not yield a value"))
        return
    except BaseException as error:
        value.set_exception(error)
        return
    value.set_result(first)
    await finish.wait()
    await _finish(generator)


async def _finish(generator: AsyncGenerator[Any, None]) -> None:
    """Run an asynchronous generator from its value to its end."""
    try:
        await generator.__anext__()
    except StopAsyncIteration:
        return
    pytest.fail("an asynchronous fixture has yielded more than one value", pytrace=False)


class TrioLoop:
    """A trio loop in a thread of its own, through anyio."""

    name = "trio"

    def __init__(self) -> None:
        """Start the thread.

        Raises:
            pytest.UsageError: anyio or trio is missing.
        """
        try:
            from anyio.from_thread import start_blocking_portal
        except ImportError:
            raise pytest.UsageError("load tests on trio need anyio and trio: pip install anyio trio") from None
        self._context = start_blocking_portal(backend="trio")
        self._portal = self._context.__enter__()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine and return its result."""
        __tracebackhide__ = True

        async def awaited() -> Any:
            return await coroutine

        return self._portal.call(awaited)

    def enter(self, generator: AsyncGenerator[Any, None]) -> tuple[Any, Callable[[], None]]:
        """Run an asynchronous generator to its first value; return that, and what finishes it."""
        __tracebackhide__ = True
        import anyio

        async def live(*, task_status: Any) -> None:
            first = await generator.__anext__()
            finish = anyio.Event()
            task_status.started((first, finish))
            await finish.wait()
            await _finish(generator)

        future, (value, finish) = self._portal.start_task(live)

        def end() -> None:
            self._portal.call(finish.set)
            future.result()

        return value, end

    def close(self) -> None:
        """End the thread."""
        self._context.__exit__(None, None, None)
