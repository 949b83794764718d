"""The failures of a worker's iterations: the first ones are kept, with their traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from rustpar.load.users import VirtualUser

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
        return isinstance(error, (Exception, pytest.fail.Exception, SystemExit))

    def add(self, user: VirtualUser, task: int, error: BaseException) -> None:
        """Keep the failure of an iteration that has ended; its text is made later, because that takes long."""
        if len(self._kept) < MOST:
            self._kept.append((user, task, self._iteration(user.number) - 1, error))

    def abort(self, error: BaseException | None) -> None:
        """End the load test with this error, unless it ends with another one already."""
        if self.error is None:
            self.error = error
            is_skip = isinstance(error, pytest.skip.Exception)
            self._stop("a test has called pytest.skip()" if is_skip else f"a user has met an error: {error!r}")

    def texts(self) -> list[tuple[int, int, str]]:
        """Return user, iteration and text of the failures."""
        return [(user.number, number, user.failure_text(task, error)) for user, task, number, error in self._kept]

    def clear(self) -> None:
        """Forget the failures, which refer to everything that was alive when they happened."""
        self._kept.clear()
        self.error = None
