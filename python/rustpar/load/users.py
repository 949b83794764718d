"""Virtual users: the fixtures, instances and tasks of each.

The hazard it handles: pytest has one set of values for each fixture. A user has its own definitions and items
(``compat/user_fixtures.py``), and sets them up while no other user does.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Literal

from rustpar.compat import user_fixtures
from rustpar.compat.reports import set_section
from rustpar.load.measuring import KEY, Load

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    import pytest

    from rustpar.load.mark import LoadTest
    from rustpar.load.measuring import Sink


class VirtualUser:
    """A user of a load test.

    Attributes:
        number: Its number, from 0.
        calls: For each task, the function and its arguments.
        item: The first of its items.
        load: The value of its fixture ``load``.
    """

    def __init__(
        self, test: LoadTest, number: int, sink: Sink, adapt: Callable[[Any], Any], lock: threading.RLock
    ) -> None:
        """Create a user whose fixtures are not set up.

        Args:
            test: The load test.
            number: The user's number.
            sink: What takes its values.
            adapt: Makes functions of asynchronous fixtures synchronous.
            lock: Held while fixtures of any user are set up or torn down.
        """
        self.number = number
        self.calls: list[tuple[Callable[..., Any], dict[str, Any]]] = []
        self._test = test
        self._lock = lock
        scopes = ("function", "class") if test.is_class else ("function",)
        self._definitions = user_fixtures.Definitions(scopes, ("load",), adapt)
        self._shared = [one for task in test.tasks for one in user_fixtures.shared_definitions(task)]
        self.load = Load(sink, number)
        self._items: list[Any] = []
        for task in test.tasks:
            names = [name for name in task.fixturenames if not _is_of_loop(name)]
            item = user_fixtures.copy_item(task, self._definitions, names)
            item.stash[KEY] = self.load
            if test.is_class and self._items:
                user_fixtures.share_instance(item, user_fixtures.instance_of(self._items[0]))
            self._items.append(item)
        self.item: Any = self._items[0]
        # What tears down its class fixtures, and those of each item.
        self._of_class: user_fixtures.Finalizers = []
        self._of_items: list[user_fixtures.Finalizers] = [[] for _ in self._items]
        self._is_unused = True

    def set_up(self) -> None:
        """Set up the fixtures of all tasks.

        Raises:
            BaseException: What a set-up raises; what was set up before is torn down by `tear_down`.
        """
        __tracebackhide__ = True
        with self._lock, self._of_class_collected():
            for item, finalizers, task in zip(self._items, self._of_items, self._test.tasks, strict=True):
                user_fixtures.share_stash(item, task)
                user_fixtures.serialize_requests(item, self._lock)
                user_fixtures.activate(item, finalizers)
                user_fixtures.set_up_item(item)
            self.calls = [(item.obj, user_fixtures.arguments_of(item)) for item in self._items]
        self._is_unused = True

    def _of_class_collected(self) -> contextlib.AbstractContextManager[None]:
        if not self._test.is_class:
            return contextlib.nullcontext()
        return user_fixtures.other_finalizers(self.item.parent, self._of_class)

    def renew(self) -> None:
        """Set up function fixtures anew, unless no iteration has used them.

        Raises:
            BaseException: What a teardown or set-up raises.
        """
        __tracebackhide__ = True
        if self._is_unused:
            self._is_unused = False
            return
        errors = self._release()
        if errors:
            raise errors[0]
        for item in self._items:
            user_fixtures.forget_values(item)
        self.set_up()
        self._is_unused = False

    def _release(self) -> list[BaseException]:
        """Tear down function fixtures; return what that raises."""
        errors: list[BaseException] = []
        self.calls = []
        with self._lock:
            for item, finalizers, task in zip(
                reversed(self._items), reversed(self._of_items), reversed(self._test.tasks), strict=True
            ):
                user_fixtures.share_stash(item, task)
                user_fixtures.activate(item, finalizers)
                errors += user_fixtures.tear_down(finalizers)
                user_fixtures.deactivate(item)
            self._definitions.release(self._shared)
        return errors

    def end(self) -> None:
        """Set up no further fixtures; pytest must not take the user's items for tests that it has to tear down."""
        with self._lock:
            for item in self._items:
                user_fixtures.deactivate(item)

    def tear_down(self) -> list[BaseException]:
        """Tear down all fixtures of this user; return what that raises."""
        errors = self._release()
        with self._lock:
            errors += user_fixtures.tear_down(self._of_class)
            self._definitions.release(self._shared)
        return errors

    def failure_text(self, task: int, error: BaseException) -> str:
        """Return the text that pytest would show if this error were raised in a test."""
        return user_fixtures.failure_text(self._items[task], error)


def _is_of_loop(name: str) -> bool:
    """Whether a fixture is the event loop of pytest-asyncio: users have that of their process."""
    return name == "event_loop" or (name.startswith("_") and name.endswith("_scoped_runner"))


def raise_in(
    item: pytest.Item, when: Literal["setup", "teardown"], user: int, users: int, error: BaseException
) -> None:
    """Raise an error that a user has met in a phase of a test, and say which user.

    Raises:
        BaseException: The error.
    """
    __tracebackhide__ = True
    text = f"(in the {when} of user {user}, of {users} users that are numbered from 0)"
    if hasattr(error, "add_note"):
        error.add_note(text)
    else:
        # Python 3.10
        set_section(item, when, "load", text)
    raise error
