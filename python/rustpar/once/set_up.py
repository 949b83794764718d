"""Setting up the fixtures of ``rustpar_once`` in the template, before it is forked, and tearing them down at the end.

Workers inherit the values, copy-on-write. Whatever such a fixture needs is set up with it, so it belongs to the run as
well.

The hazards it handles: a generator that is suspended in a fixture must be resumed in the template only. In a worker it
must not even be garbage-collected, because that runs its ``finally`` blocks: the worker keeps it until it exits.
And what one worker would find out late and in a strange place (a thread that is gone after the fork, a connection that
another worker also reads from) is refused before anything is forked.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

import pytest

from rustpar import _core
from rustpar.collection.shared_fixtures import is_of_a_framework, key_of
from rustpar.collection.time_limits import default_limit
from rustpar.compat import fixtures
from rustpar.once import selection
from rustpar.once.instance import instance_of
from rustpar.once.shareable import ProcessState, advice, part_of_value
from rustpar.process import interrupt_signal
from rustpar.process.alarm import raised_after
from rustpar.process.owned_exit import OwnedExitFunctions
from rustpar.process.system import os

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from contextlib import AbstractContextManager

# The directory of `tmp_path_factory` for these fixtures, beside those of the workers.
DIRECTORY = "once"


class SetUpFixture:
    """A fixture that was set up, with one of its parameters if it has any.

    Attributes:
        definition: The fixture.
        first: The test for which it was set up.
        last: The last test of the collection that is known to need it.
        instance: Which value of the fixture it is.
        result: Value, cache key and exception.
        seconds: How long it took, without the fixtures that it requested.
    """

    def __init__(self, definition: Any, request: Any, item: pytest.Item, seconds: float) -> None:
        """Take over the fixture's result, and what tears it down."""
        self.definition = definition
        self.first = self.last = item
        self.seconds = seconds
        self.instance = instance_of(definition, request)
        self.result: Any = fixtures.result_of(definition)
        self._request = request
        self._finalizers = fixtures.take_apart(definition)
        self._shown = fixtures.shown_parameter(definition)
        self.was_raised = False
        # The read end of a pipe with one byte, if the set-up has failed: the process that reads it shows the error.
        self._token: int | None = None

    @property
    def error(self) -> BaseException | None:
        """What the set-up has raised."""
        return fixtures.error_of(self.result)

    def offer_error(self) -> None:
        """Let the first process that asks show the error in full."""
        if self.error is not None:
            self._token, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            os.write(writing, b"!")
            os.close(writing)

    def may_show_error(self) -> bool:
        """Whether nobody has shown the error in full yet."""
        if self._token is None:
            return True
        with contextlib.suppress(BlockingIOError):
            return bool(os.read(self._token, 1))
        return False

    def tear_down(self) -> None:
        """Tear it down.

        Raises:
            BaseException: What the teardown raises.
        """
        __tracebackhide__ = True
        finalizers, self._finalizers = self._finalizers, []
        fixtures.tear_down(self.definition, self._request, self.result, finalizers, self._shown)


class OnceFixtures:
    """The fixtures that were set up once, in this process or in the template from which it was forked."""

    def __init__(self, config: pytest.Config) -> None:
        """Set up nothing yet."""
        self._config = config
        self._owner = os.getpid()
        self._exit_functions = OwnedExitFunctions()
        self._all: list[SetUpFixture] = []
        self._replaced: dict[int, Callable[[Any], object]] = {}
        # What set-ups have registered with collectors.
        self._finalizers: list[Callable[[], object]] = []

    def is_owner(self) -> bool:
        """Whether this process has set them up, and has to tear them down."""
        return os.getpid() == self._owner

    def set_up(
        self, needed: Iterable[selection.Needed], at_start: Callable[[str], None], at_end: Callable[[], None]
    ) -> None:
        """Set up the fixtures that tests need.

        Calls `at_start` with the name of each before it is set up, and `at_end` before they are torn down because of an
        interrupt.

        An error in a set-up becomes that of each test which needs the fixture.

        Raises:
            pytest.UsageError: A fixture has left what cannot be shared between processes; all are torn down again.
        """
        recorder = SetUpRecorder(self._record)
        self._config.pluginmanager.register(recorder, "rustpar-once-recorder")
        worker = os.environ.pop("PYTEST_XDIST_WORKER", None)
        try:
            with fixtures.other_basetemp(self._config, DIRECTORY), self._exit_functions.collect():
                self._set_up_all(needed, recorder, at_start)
            for one in self._all:
                self._check(one)
                one.offer_error()
        except BaseException:
            at_end()
            before = interrupt_signal.ignore()
            try:
                self.tear_down()
            finally:
                interrupt_signal.restore(before)
            raise
        finally:
            if worker is not None:
                os.environ["PYTEST_XDIST_WORKER"] = worker
            self._config.pluginmanager.unregister(recorder)
            for definition in recorder.of_frameworks:
                # Each worker has its own.
                fixtures.forget(definition)

    def _set_up_all(
        self, needed: Iterable[selection.Needed], recorder: SetUpRecorder, at_start: Callable[[str], None]
    ) -> None:
        done: dict[tuple[object, ...], list[SetUpFixture]] = {}
        for one in needed:
            key = one.key()
            if key not in done:
                before = len(self._all)
                self._set_up_for(one, recorder, at_start)
                done[key] = self._all[before:]
            for fixture in done[key]:
                fixture.last = one.item

    def _set_up_for(self, needed: selection.Needed, recorder: SetUpRecorder, at_start: Callable[[str], None]) -> None:
        __tracebackhide__ = True
        recorder.item = needed.item
        for name, definition in zip(needed.names, needed.definitions, strict=True):
            at_start(name)
            state = ProcessState()
            limit = self._time_limit(f"set-up of the fixture {name}")
            with (
                fixtures.active_scopes(needed.item, self._finalizers),
                fixtures.phase_output(needed.item, "setup"),
                fixtures.errors_kept(),
                limit,
            ):
                fixtures.set_up(needed.item, name)
            for what in state.changes():
                raise self._refusal(definition, f"leaves {what} behind, which workers cannot share", what)

    def _time_limit(self, what: str) -> AbstractContextManager[None]:
        """Let this fail if it takes longer than a test may take."""
        limit = default_limit(self._config)
        text = f"the {what} took longer than its limit of {_core.spoken(limit or 0)} (--rustpar-timeout)"
        return raised_after(limit, pytest.fail.Exception(text))

    def _check(self, one: SetUpFixture) -> None:
        what = None if one.error is not None else part_of_value(one.result[0])
        if what is not None:
            raise self._refusal(one.definition, f"returns {what}, which workers cannot share", what)

    def _refusal(self, definition: Any, why: str, what: str) -> pytest.UsageError:
        place = selection.place_of(definition, self._config)
        return pytest.UsageError(f"{selection.SETTING}: {place} {why}: {advice(what)}")

    def _record(self, definition: Any, request: Any, item: pytest.Item, seconds: float) -> None:
        """Record a fixture that has just been set up, and have its value used from now on."""
        self._all.append(SetUpFixture(definition, request, item, seconds))
        if id(definition) not in self._replaced:
            self._replaced[id(definition)] = fixtures.replace_set_up(
                definition, functools.partial(self._value, definition)
            )

    def _value(self, definition: Any, request: Any) -> object:
        __tracebackhide__ = True
        instance = instance_of(definition, request)
        for one in self._all:
            if one.definition is not definition or not one.instance.is_same(instance):
                continue
            if one.error is None or self.is_owner():
                return fixtures.use_result(definition, one.result)
            if one.was_raised and fixtures.result_of(definition) is None:
                # Somebody has made pytest forget the error, to try the test again. Now this worker has its own.
                self._all.remove(one)
                break
            one.was_raised = True
            if not one.may_show_error():
                fixtures.shorten(one.error)
            return fixtures.use_result(definition, one.result)
        # With parameters for which it is not set up, or once more.
        fixtures.leave(definition)
        return self._replaced[id(definition)](request)

    def inherit(self) -> None:
        """Leave teardown and exit functions to the process from which this one was forked."""
        self._exit_functions.leave_to_owner()

    def described(self) -> Iterator[tuple[str, str, float]]:
        """Yield for each fixture the test for which it was set up, its key in the history, and the seconds it took."""
        return ((one.first.nodeid, key_of(one.definition), one.seconds) for one in self._all)

    def tear_down(self) -> list[tuple[pytest.Item, BaseException]]:
        """Tear down all fixtures, the last one first.

        Returns:
            The errors, each with the last test that needs the fixture.
        """
        errors: list[tuple[pytest.Item, BaseException]] = []
        try:
            while self._all:
                one = self._all.pop()
                limit = self._time_limit(f"teardown of the fixture {one.definition.argname}")
                try:
                    with fixtures.phase_output(one.last, "teardown"), limit:
                        one.tear_down()
                except BaseException as error:
                    errors.append((one.last, error))
            for finalizer in reversed(self._finalizers):
                with contextlib.suppress(Exception):
                    finalizer()
            self._finalizers.clear()
        finally:
            self._exit_functions.run()
        return errors


class SetUpRecorder:
    """Observes the set-ups of fixtures.

    Attributes:
        item: The test for which fixtures are set up.
        of_frameworks: The fixtures of pytest and the like that were set up.
    """

    def __init__(self, record: Callable[[Any, Any, pytest.Item, float], None]) -> None:
        """Call `record` with each fixture that was set up, its request, the test, and the seconds it took."""
        self._record = record
        self.item: pytest.Item
        self.of_frameworks: list[Any] = []
        self._running: list[Any] = []
        # Seconds that nested set-ups have taken.
        self._nested = 0.0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, object, object]:
        """Measure a set-up, and refuse a fixture that differs between workers."""
        __tracebackhide__ = True
        if selection.is_workers_own(fixturedef) and self._running:
            raise selection.refusal(self._running[-1], request.config, fixturedef.argname)
        before, self._nested = self._nested, 0.0
        self._running.append(fixturedef)
        begin = _core.monotonic()
        try:
            return (yield)
        finally:
            took = _core.monotonic() - begin
            own = took - self._nested
            self._nested = before + took
            self._running.pop()
            if is_of_a_framework(fixturedef):
                self.of_frameworks.append(fixturedef)
            elif fixtures.result_of(fixturedef) is not None:
                self._record(fixturedef, request, self.item, own)


def shortened(definition: Any, error: BaseException) -> str:
    """Return a line about the error of a set-up, for the workers that only know of it."""
    first = str(error).partition("\n")[0]
    return (
        f"the fixture {definition.argname}, which is set up once per run, has failed: {type(error).__name__}: {first} "
        "(another test shows the whole error)"
    )
