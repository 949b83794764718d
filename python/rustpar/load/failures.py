"""The failures of a worker's iterations: the first ones are kept, with their traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from rustpar.load.users import VirtualUser

# What ends a load test, as it ends an ordinary test.
_CALLS = {"skip": pytest.skip.Exception, "xfail": pytest.xfail.Exception, "exit": pytest.exit.Exception}

# So many failures of a load test are shown.
MOST = 20


class Failures:
    """What iterations have raised.

    Attributes:
        error: What ends the load test: a skip, ``pytest.exit``, the failed set-up of a user; None if nothing does.
    """

    def __init__(self, stop: Callable[[str], None], iteration: Callable[[int], int]) -> None:
        """Create an empty list.

        Args:
            stop: Ends the load test in all workers.
            iteration: Returns the number of the iterations that a user has ended.
        """
        self._stop = stop
        self._iteration = iteration
        self._kept: list[tuple[VirtualUser, int, int, BaseException]] = []
        self.error: BaseException | None = None

    def is_outcome(self, error: BaseException) -> bool:
        """Whether an iteration that raises this has failed, as opposed to being skipped or interrupted."""
        is_end = isinstance(error, (pytest.exit.Exception, pytest.xfail.Exception))
        return not is_end and isinstance(error, (Exception, pytest.fail.Exception, SystemExit))

    def add(self, user: VirtualUser, task: int, error: BaseException) -> None:
        """Keep the failure of an iteration that has ended; its text is made later, because that takes long."""
        if len(self._kept) < MOST:
            self._kept.append((user, task, self._iteration(user.number) - 1, error))

    def abort(self, error: BaseException | None) -> None:
        """End the load test with this error, unless it ends with another one already."""
        if self.error is None:
            self.error = error
            called = [f"pytest.{name}()" for name, kind in _CALLS.items() if isinstance(error, kind)]
            # Not its repr, which may fail.
            what = f"met an error: {type(error).__name__}" if not called else f"called {called[0]}"
            self._stop(f"a user has {what}")

    def texts(self) -> list[tuple[int, int, str]]:
        """Return user, iteration and text of the failures."""
        return [(user.number, number, user.failure_text(task, error)) for user, task, number, error in self._kept]

    def clear(self) -> None:
        """Forget the failures, which refer to everything that was alive when they happened."""
        self._kept.clear()
        self.error = None
