"""Hook implementations and wrappers that cover everything implementations can do.

Each is created for a single call and records what happens to it.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from typing import Any

Note = Callable[[str], None]
Making = Callable[[Note], Callable[..., Any]]


class Odd(BaseException):
    pass


# Not GeneratorExit: wrappers abandoned because of an error are closed at an unspecified later time.
CAUGHT = (Exception, KeyboardInterrupt, Odd)

ERRORS: list[Callable[[], BaseException]] = [
    lambda: ValueError("wrong"),
    lambda: StopIteration("stop"),
    lambda: KeyboardInterrupt(),
    lambda: Odd("odd"),
    lambda: RuntimeError("run"),
]


def returning(value: object) -> Making:
    def make(note: Note) -> Callable[..., Any]:
        def implementation(one: object, two: object) -> object:
            note(f"{value} {one} {two}")
            return value

        return implementation

    return make


def without_arguments(note: Note) -> Callable[..., Any]:
    def implementation() -> str:
        note("no arguments")
        return "bare"

    return implementation


def with_many_arguments(note: Note) -> Callable[..., Any]:
    def implementation(three: object, one: object, two: object) -> str:
        note(f"{one} {two} {three}")
        return "many"

    return implementation


def with_an_unknown_argument(note: Note) -> Callable[..., Any]:
    def implementation(one: object, unknown: object) -> None:
        note("never called")

    return implementation


def raising(error: Callable[[], BaseException]) -> Making:
    def make(note: Note) -> Callable[..., Any]:
        def implementation(one: object) -> None:
            note("raises")
            raise error()

        return implementation

    return make


def raising_while_handling(note: Note) -> Callable[..., Any]:
    def implementation() -> None:
        try:
            raise KeyError("handled")
        except KeyError:
            raise ValueError("while handling")  # noqa: B904 - the context is what is tested

    return implementation


PLAIN: list[Making] = [
    returning(None),
    returning("value"),
    returning(0),
    without_arguments,
    with_many_arguments,
    with_an_unknown_argument,
    raising_while_handling,
    *map(raising, ERRORS),
]


def passing_on(note: Note) -> Callable[..., Any]:
    def wrapper(one: object) -> Any:
        note("before")
        result = yield
        note(f"after {result}")
        return result

    return wrapper


def replacing(note: Note) -> Callable[..., Any]:
    def wrapper() -> Any:
        result = yield
        note(f"replaces {result}")
        return ("replaced", result)

    return wrapper


def replacing_by_an_exception(note: Note) -> Callable[..., Any]:
    def wrapper() -> Any:
        yield
        return StopIteration("as a result")

    return wrapper


def swallowing(note: Note) -> Callable[..., Any]:
    def wrapper() -> Any:
        try:
            yield
        except CAUGHT as error:
            note(f"swallows {error!r}")
        return "swallowed"

    return wrapper


def raising_before(error: Callable[[], BaseException]) -> Making:
    def make(note: Note) -> Callable[..., Any]:
        def wrapper() -> Any:
            note("raises before")
            raise error()
            yield

        return wrapper

    return make


def raising_after(error: Callable[[], BaseException]) -> Making:
    def make(note: Note) -> Callable[..., Any]:
        def wrapper() -> Any:
            result = yield
            note(f"raises after {result}")
            raise error()

        return wrapper

    return make


def raising_another(error: Callable[[], BaseException], cause: bool) -> Making:
    def make(note: Note) -> Callable[..., Any]:
        def wrapper() -> Any:
            try:
                return (yield)
            except CAUGHT as caught:
                note(f"raises another than {caught!r}")
                raise error() from (caught if cause else None)

        return wrapper

    return make


def raising_again(note: Note) -> Callable[..., Any]:
    def wrapper() -> Any:
        try:
            return (yield)
        except CAUGHT as error:
            note(f"raises {error!r} again")
            raise error

    return wrapper


def not_yielding(value: object) -> Making:
    def make(note: Note) -> Callable[..., Any]:
        def wrapper() -> Any:
            note("does not yield")
            yield from ()
            return value

        return wrapper

    return make


def yielding_twice(note: Note) -> Callable[..., Any]:
    def wrapper() -> Any:
        try:
            yield
        except CAUGHT:
            note("caught")
        yield

    return wrapper


def refusing_to_close(note: Note) -> Callable[..., Any]:
    def wrapper() -> Any:
        try:
            yield
        except CAUGHT:
            note("caught")
        with contextlib.suppress(GeneratorExit):
            yield
        yield

    return wrapper


def failing_to_close(note: Note) -> Callable[..., Any]:
    def wrapper() -> Any:
        yield
        try:
            yield
        finally:
            raise ValueError("while being closed")

    return wrapper


WRAPPERS: list[Making] = [
    passing_on,
    replacing,
    replacing_by_an_exception,
    swallowing,
    raising_again,
    not_yielding(None),
    not_yielding("early"),
    not_yielding(("a", "tuple")),
    yielding_twice,
    refusing_to_close,
    failing_to_close,
    *map(raising_before, ERRORS),
    *map(raising_after, ERRORS),
    *itertools.starmap(raising_another, itertools.product(ERRORS, (True, False))),
]
