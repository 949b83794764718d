"""Fixtures that are set up once per run by workers that collect for themselves (``early``, pytest-xdist's own engine).

The worker that needs a fixture first sets it up, and writes its value to a file in the run's temporary directory; the
others wait for that, and read it. So the value must be plain: what a journal can hold.

The hazards it handles: a worker may die at any moment, and nobody must wait for it. All waiting is for file locks
(flock(2)), which the kernel releases when their holder dies. Every worker that uses a value holds a shared lock until
it has torn down its own fixtures; the worker that has set it up tears it down when it gets the lock for itself alone.
Workers give up the locks that they hold before they wait for others, so they cannot wait for each other. What such a
fixture needs is torn down after it, and so is kept until then, too.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import tempfile
import unittest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from rustpar import _core
from rustpar.collection.shared_fixtures import key_of
from rustpar.compat import fixtures
from rustpar.compat.reports import teardown_report
from rustpar.compat.sessions import basetemp_of, item_of
from rustpar.once import selection
from rustpar.once.instance import Instance, instance_for, instance_of
from rustpar.once.set_up import DIRECTORY, SetUpRecorder, shortened
from rustpar.process import interrupt_signal
from rustpar.process.system import os

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

_NAME = "rustpar-once"

# Seconds between attempts to get a lock: blocking would make the process deaf to interrupts between two system calls.
_POLL_INTERVAL = 0.005


class Reporter(Protocol):
    """Who learns what a worker does."""

    def set_up_for_all(self, name: str, seconds: float) -> None:
        """Report that this worker has set up a fixture for all, in so many seconds."""

    def set_interrupted(self) -> None:
        """Report that this worker has nothing to do any more but to tear down."""

    def waited(self, node_id: str, key: str, seconds: float) -> None:
        """Report that a test has waited so many seconds for a fixture that another worker has set up."""


class _Lock:
    """A file lock that processes share, or one holds alone."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def acquire(self, *, alone: bool) -> None:
        kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        while True:
            try:
                fcntl.flock(self._file, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                _core.sleep(_POLL_INTERVAL)
            else:
                return

    def is_held(self) -> bool:
        return self._file >= 0

    def release(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class _Kept:
    """A fixture that this worker has set up for all, or for one of those, and tears down at the very end.

    Attributes:
        name: The name of its files.
        lock: Its users' lock; None if no other worker uses it.
        used: The locks of the values that it needs.
    """

    def __init__(self, definition: Any, request: Any, name: str, lock: _Lock | None, used: list[_Lock]) -> None:
        self.definition = definition
        self.name = name
        self.request = request
        self.result = fixtures.result_of(definition)
        self.finalizers = fixtures.take_apart(definition)
        self.shown = fixtures.shown_parameter(definition)
        self.lock = lock
        self.used = used


class ExchangedFixtures:
    """The fixtures of a worker that are set up by one worker for all."""

    def __init__(self, session: pytest.Session, report: Reporter | None) -> None:
        """Exchange values with the other workers of the session's run."""
        self._config = session.config
        self._report = report
        self._session = session
        base = basetemp_of(session.config)
        run = session.config.workerinput["testrunuid"]  # type: ignore[attr-defined]
        root = Path(tempfile.gettempdir(), f"rustpar-{os.getuid()}-{run}") if base is None else base.parent
        self._directory = root / DIRECTORY
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._executes: dict[int, Callable[[Any], object]] = {}
        self._kept: list[_Kept] = []
        # The instances of each fixture in the order of the collection, and the results that this worker knows.
        self._instances: dict[int, list[Instance]] = {}
        self._results: list[tuple[Any, Instance, tuple[Any, Any, Any]]] = []
        # Held until this worker has nothing left but to tear down what it has set up for all.
        self._working = _Lock(self._directory / "working")
        self._working.acquire(alone=False)
        self._users: list[_Lock] = []
        self._last: pytest.Item | None = None
        # The values that the set-ups which are running have asked for.
        self._asked: list[list[_Lock]] = []

    def _number(self, definition: Any, instance: Instance) -> int | None:
        """Return the number of an instance; workers that have collected the same tests number alike."""
        known = self._instances.get(id(definition), [])
        return next((number for number, one in enumerate(known) if one.is_same(instance)), None)

    def use(self, needed: selection.Needed) -> None:
        """Get the values of the fixtures that a test needs from the run."""
        for definition in needed.definitions:
            instance = instance_for(definition, needed.item)
            if self._number(definition, instance) is None:
                self._instances.setdefault(id(definition), []).append(instance)
        exchanged = set(map(id, needed.definitions))
        for definition in needed.set_up_with():
            if id(definition) not in self._executes:
                get = self._get if id(definition) in exchanged else self._keep
                self._executes[id(definition)] = fixtures.replace_set_up(
                    definition, functools.partial(self._value, definition, get)
                )

    def _value(self, definition: Any, get: Callable[[Any, Any, Instance], object], request: Any) -> object:
        __tracebackhide__ = True
        instance = instance_of(definition, request)
        for known, of, result in self._results:
            if known is definition and of.is_same(instance):
                return fixtures.use_result(definition, result)
        fixtures.leave(definition)
        try:
            return get(definition, request, instance)
        finally:
            result_now = fixtures.result_of(definition)
            if result_now is not None:
                self._results.append((definition, instance, result_now))

    def _keep(self, definition: Any, request: Any, instance: Instance) -> object:
        """Set up a fixture that others need which are set up once."""
        __tracebackhide__ = True
        try:
            return self._executes[id(definition)](request)
        finally:
            self._kept.append(_Kept(definition, request, "", None, []))

    def _get(self, definition: Any, request: Any, instance: Instance) -> object:
        """Get the value of a fixture from another worker, or set it up."""
        __tracebackhide__ = True
        number = self._number(definition, instance)
        if number is None:
            # Not known from the collection, so it has no name that all workers have for it.
            return self._keep(definition, request, instance)
        name = hashlib.sha256(f"{key_of(definition)} {number}".encode()).hexdigest()[:32]
        users = _Lock(self._directory / f"{name}.users")
        setting_up = _Lock(self._directory / f"{name}.lock")
        begin = _core.monotonic()
        try:
            setting_up.acquire(alone=True)
            users.acquire(alone=False)
            found = self._read(name, definition.cache_key(request))
            if found is None:
                return self._set_up(definition, request, name, users)
        finally:
            setting_up.release()
        if self._report is not None:
            self._report.waited(item_of(request).nodeid, key_of(definition), _core.monotonic() - begin)
        (self._asked[-1] if self._asked else self._users).append(users)
        return fixtures.use_result(definition, found)

    def _read(self, name: str, key: object) -> tuple[Any, Any, Any] | None:
        try:
            outcome, value = _core.loads((self._directory / f"{name}.value").read_bytes())
        except (OSError, ValueError):
            return None
        if outcome == "value":
            return value, key, None
        kinds: dict[str, Any] = {"skipped": pytest.skip.Exception, "xfailed": pytest.xfail.Exception}
        kind = kinds.get(outcome)
        error = pytest.fail.Exception(value, pytrace=False) if kind is None else kind(value)
        return None, key, (error, None)

    def _set_up(self, definition: Any, request: Any, name: str, users: _Lock) -> object:
        __tracebackhide__ = True
        begin = _core.monotonic()
        self._asked.append([])
        recorder = SetUpRecorder(self._keep_dependency)
        recorder.item = item_of(request)
        self._config.pluginmanager.register(recorder)
        try:
            with fixtures.other_basetemp(self._config, DIRECTORY):
                value = self._executes[id(definition)](request)
            self._write(definition, name, ("value", value))
        except (pytest.skip.Exception, unittest.SkipTest) as error:
            self._write(definition, name, ("skipped", str(error)))
            raise
        except pytest.xfail.Exception as error:
            self._write(definition, name, ("xfailed", str(error)))
            raise
        except (Exception, pytest.fail.Exception) as error:
            if not isinstance(error, (pytest.UsageError, pytest.exit.Exception)):
                short = shortened(definition, error)
                self._write(definition, name, ("failed", short))
                # Only the first test shows the whole error.
                failed = pytest.fail.Exception(short, pytrace=False)
                fixtures.set_error(definition, definition.cache_key(request), failed)
            raise
        except BaseException:
            # Such as SystemExit, which pytest raises again for the next test, with another set-up.
            users.release()
            raise
        finally:
            self._config.pluginmanager.unregister(recorder)
            used = self._asked.pop()
            if users.is_held():
                self._kept.append(_Kept(definition, request, name, users, used))
        if self._report is not None:
            self._report.set_up_for_all(definition.argname, _core.monotonic() - begin)
        return value

    def _keep_dependency(self, definition: Any, request: Any, item: pytest.Item, seconds: float) -> None:
        """Keep a fixture that another one has asked for while it was set up, until that is torn down."""
        if id(definition) not in self._executes:
            self._kept.append(_Kept(definition, request, "", None, []))

    def _write(self, definition: Any, name: str, content: tuple[str, object]) -> None:
        data, lost = _core.dumps(content)
        if lost:
            place = selection.place_of(definition, self._config)
            raise pytest.fail.Exception(
                f"{selection.SETTING}: {place} returns a {lost[0]}, which cannot be sent to the other workers, which "
                "collect for themselves: return plain values such as an address or a path, or see --rustpar-start",
                pytrace=False,
            )
        path = self._directory / f"{name}.value"
        # The lock is held, so nobody reads it before it is complete.
        path.write_bytes(data)

    def tear_down(self) -> list[BaseException]:
        """Tear down what this worker has set up, when no other uses it any more; return the errors.

        An interrupt of the run may still come, for other workers; the controller kills this one if it takes too long.
        """
        if self._report is not None:
            self._report.set_interrupted()
        before = interrupt_signal.ignore()
        try:
            return self._tear_down_all()
        finally:
            interrupt_signal.restore(before)

    def _tear_down_all(self) -> list[BaseException]:
        errors: list[BaseException] = []
        for lock in self._users:
            lock.release()
        self._users.clear()
        self._working.release()
        if any(kept.lock is not None for kept in self._kept):
            # A worker that still runs tests may ask for a value later.
            others = _Lock(self._directory / "working")
            others.acquire(alone=True)
            others.release()
        while self._kept:
            kept = self._kept.pop()
            if kept.lock is not None:
                kept.lock.acquire(alone=True)
                # A worker that starts now sets it up again.
                (self._directory / f"{kept.name}.value").unlink(missing_ok=True)
            try:
                fixtures.tear_down(kept.definition, kept.request, kept.result, kept.finalizers, kept.shown)
            except BaseException as error:
                errors.append(error)
            finally:
                for used in (kept.lock, *kept.used):
                    if used is not None:
                        used.release()
        return errors

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Tear down after the fixtures of this worker's tests, before the session is reported as finished."""
        result = yield
        errors = self.tear_down()
        if self._last is not None:
            for error in errors:
                session.config.hook.pytest_runtest_logreport(report=teardown_report(self._last, error))
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Record the last test: errors in teardowns at the end are told as its own, as pytest does."""
        self._last = item


def register(session: pytest.Session, needed: Sequence[selection.Needed], report: Reporter | None = None) -> None:
    """Have the fixtures that tests of a worker need set up by one worker for all."""
    plugins = session.config.pluginmanager
    if plugins.has_plugin(_NAME):
        return
    exchanged = ExchangedFixtures(session, report)
    for one in needed:
        exchanged.use(one)
    plugins.register(exchanged, _NAME)
