"""Random numbers after a fork.

Python seeds ``random`` anew in every forked process, and numpy does not. Under pytest-xdist a ``random.seed(42)`` in a
conftest seeds every worker, and so does ``random.Random(42)``; what nobody seeded differs from worker to worker. So
what was seeded before a fork is left as it was, or put back, and what was not is seeded anew.

The hazard it handles: who knows whether a generator was seeded? While a template configures and collects, it is noted.
Of generators that were made before the fork server was forked (a package that a plugin imports may have one) the state
tells (`src/twister.rs`). numpy's generators tell what they were seeded with: a number that the system gave for it, or
one that somebody chose.
"""

from __future__ import annotations

import _random
import contextlib
import functools
import random
import sys
import weakref
from typing import TYPE_CHECKING, Any

from rustpar import _core
from rustpar.process import gc_freeze

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Bytes that numpy takes from the system for a seed.
_ENTROPY_SIZE = 16

# A number that is as large as those from the system are, but for one in four thousand million.
_LARGE = 1 << 96

# The generator behind the functions of `random`.
_shared: random.Random = random._inst


class Generators:
    """Generators that nobody has seeded; gone when nobody else holds them, where they can be held weakly."""

    def __init__(self) -> None:
        """Know of none."""
        self._found: dict[int, Callable[[], Any]] = {}

    def add(self, generator: object) -> None:
        """Know of one more."""
        key = id(generator)
        try:
            self._found[key] = weakref.ref(generator, lambda _gone: self._found.pop(key, None))
        except TypeError:
            self._found[key] = lambda: generator

    def discard(self, generator: object) -> None:
        """Forget one, which has been seeded."""
        self._found.pop(id(generator), None)

    def has_state(self, state: tuple[Any, ...]) -> bool:
        """Whether one of them is in this state."""
        generators = [held() for held in list(self._found.values())]
        return any(one.getstate() == state for one in generators if isinstance(one, random.Random))

    def seed(self) -> None:
        """Seed them all anew; copies, which would have given the same numbers, still do."""
        again: dict[tuple[int, ...], tuple[int, ...]] = {}
        for generator in [held() for held in list(self._found.values())]:
            if isinstance(generator, random.Random):
                before = _random.Random.getstate(generator)
                if before in again:
                    _random.Random.setstate(generator, again[before])
                else:
                    random.Random.seed(generator)
                    again[before] = _random.Random.getstate(generator)
            elif generator is not None:
                _seed_of_numpy(generator)


# Those of this process, which the ones that are forked from it begin with.
unseeded = Generators()
_state_before_fork: Any = None


def look_back(state: Any) -> None:
    """Find out what was seeded before this process was forked; in the fork server, while the heap is not frozen.

    Args:
        state: That of ``random`` before the fork, which has seeded it anew.
    """
    global _state_before_fork
    _state_before_fork = state if _core.was_seeded(state[1]) else None
    objects = gc_freeze.objects()
    kinds = set(map(type, objects))
    ours = {kind for kind in kinds if issubclass(kind, random.Random) and kind.seed is random.Random.seed}
    for generator in [one for one in objects if type(one) in ours]:
        if generator is not _shared and not _core.was_seeded(_random.Random.getstate(generator)):
            unseeded.add(generator)
    for generator in _of_numpy(objects):
        entropy = _entropy_of(generator)
        if entropy is not None and entropy >= _LARGE:
            unseeded.add(generator)


def begin() -> None:
    """Begin as a process that has made everything itself; in one that the fork server has forked."""
    if _state_before_fork is not None:
        _shared.setstate(_state_before_fork)
    unseeded.seed()


class RandomState:
    """Notes what is seeded in a template, and does in its workers what forking alone would not."""

    def __init__(self) -> None:
        """Begin to note."""
        self._is_seeded = _state_before_fork is not None
        self._state: Any = None
        self._entropies: set[int] = set()
        self._before: list[tuple[Any, str, Any, Any]] = []
        for holder in (random.Random, random):
            for name in ("seed", "setstate"):
                self._replace(holder, name, self._seeding)
        self._replace(random, "_urandom", self._drawing)

    def _replace(self, holder: Any, name: str, noting: Callable[[Any], Any]) -> None:
        original = getattr(holder, name)
        replacement = functools.wraps(original)(noting(original))
        self._before.append((holder, name, original, replacement))
        setattr(holder, name, replacement)

    def _seeding(self, original: Callable[..., None]) -> Callable[..., None]:
        def seed(*args: Any, **kwargs: Any) -> None:
            # The functions of the module are methods of the generator behind them.
            generator = getattr(original, "__self__", None) or args[0]
            given = [*(args if hasattr(original, "__self__") else args[1:]), *kwargs.values()]
            # Called without a seed, it takes one from the system: that is not to be the same in all workers.
            is_seeded = bool(given) and given[0] is not None
            if is_seeded and original.__name__ == "setstate":
                # A copy is given the state of another one.
                is_seeded = not unseeded.has_state(given[0])
            original(*args, **kwargs)
            if generator is _shared:
                self._is_seeded = is_seeded
            elif is_seeded:
                unseeded.discard(generator)
            elif type(generator).seed in (seed, original):
                unseeded.add(generator)

        return seed

    def _drawing(self, original: Callable[[int], bytes]) -> Callable[[int], bytes]:
        def urandom(size: int) -> bytes:
            drawn = original(size)
            if size == _ENTROPY_SIZE:
                self._entropies.add(int.from_bytes(drawn, "big"))
            return drawn

        return urandom

    def keep(self) -> None:
        """Note no longer, where nobody else has taken our place, and remember what was seeded; before the fork."""
        for holder, name, original, replacement in self._before:
            if holder.__dict__.get(name) is replacement:
                setattr(holder, name, original)
        self._state = _shared.getstate() if self._is_seeded else None
        self._find_those_of_numpy()

    def _find_those_of_numpy(self) -> None:
        numpy: Any = sys.modules.get("numpy")
        # Its random numbers are imported when they are used first.
        if numpy is None or "numpy.random" not in sys.modules:
            return
        shared = numpy.random.mtrand._rand
        entropy = _entropy_of(shared)
        if entropy is None:
            unseeded.discard(shared)
            unseeded.discard(shared._bit_generator)
        elif entropy in self._entropies:
            unseeded.add(shared)
            self._entropies.discard(entropy)
        # Most suites have no other, and need not be looked through.
        if self._entropies:
            for generator in _of_numpy(gc_freeze.objects()):
                if _entropy_of(generator) in self._entropies:
                    unseeded.add(generator)

    def restore(self) -> None:
        """Put back what was seeded, and seed what was not; in a worker."""
        if self._state is not None:
            _shared.setstate(self._state)
        unseeded.seed()


def _of_numpy(objects: Iterable[object]) -> list[Any]:
    """The generators of numpy among them: those that make the bits, and the legacy kind that keeps a bit of its own."""
    numpy: Any = sys.modules.get("numpy")
    if numpy is None or "numpy.random" not in sys.modules:
        return []
    kinds = (numpy.random.bit_generator.BitGenerator, numpy.random.RandomState)
    return [one for one in objects if issubclass(type(one), kinds)]


def _entropy_of(generator: Any) -> int | None:
    """The number a generator of numpy was made from; None when there are several, or the seed was a legacy one."""
    bits = getattr(generator, "_bit_generator", generator)
    entropy = getattr(getattr(bits, "seed_seq", None), "entropy", None)
    return entropy if isinstance(entropy, int) else None


def _seed_of_numpy(generator: Any) -> None:
    """Give a generator of numpy a new seed, in its place."""
    with contextlib.suppress(AttributeError, TypeError, ValueError):
        bits = getattr(generator, "_bit_generator", generator)
        # With the seed sequence, from which further generators may be spawned.
        bits.__setstate__(type(bits)().__getstate__())
        if bits is not generator:
            # Normal numbers come in pairs, of which it keeps one.
            generator.set_state(generator.get_state(legacy=False) | {"has_gauss": 0, "gauss": 0.0})
