"""Random number generators after a fork.

Python reseeds ``random`` in every forked process, and numpy does not. With pytest-xdist a ``random.seed(42)`` in a
conftest seeds every worker, as does ``random.Random(42)``; unseeded generators differ between workers. So the state of
seeded generators is kept or restored after a fork, and unseeded ones are reseeded.

The hazard it handles: it must be known which generators were seeded. While a template configures and collects, seeding
is recorded. For generators created before the fork server was forked (for example by a package that a plugin imports)
it is inferred from the state (`src/platform/mersenne_twister.rs`). numpy's generators store their seed: an explicit
one, or one from the system.
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

# How many bytes numpy takes from the system for a seed.
_ENTROPY_SIZE = 16

# Seeds from the system are at least this large, except for one in four thousand million.
_LARGE = 1 << 96

# The generator behind the functions of `random`.
_shared: random.Random = random._inst


class Generators:
    """The unseeded generators, held by weak references where possible."""

    def __init__(self) -> None:
        """Start empty."""
        self._found: dict[int, Callable[[], Any]] = {}

    def add(self, generator: object) -> None:
        """Add a generator."""
        key = id(generator)
        try:
            self._found[key] = weakref.ref(generator, lambda _gone: self._found.pop(key, None))
        except TypeError:
            self._found[key] = lambda: generator

    def discard(self, generator: object) -> None:
        """Remove a generator that has been seeded."""
        self._found.pop(id(generator), None)

    def has_state(self, state: tuple[Any, ...]) -> bool:
        """Whether one of the generators is in this state."""
        generators = [held() for held in list(self._found.values())]
        return any(one.getstate() == state for one in generators if isinstance(one, random.Random))

    def states(self) -> dict[int, object]:
        """Return their states by their ids, for :meth:`have_moved`."""
        held = ((key, held()) for key, held in list(self._found.items()))
        return {key: _state_of(generator) for key, generator in held if generator is not None}

    def have_moved(self, before: dict[int, object]) -> bool:
        """Whether one of them is in another state than before."""
        now = self.states()
        return any(now[key] != state for key, state in before.items() if key in now)

    def seed(self) -> None:
        """Reseed all of them; copies with equal states stay equal."""
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
                _reseed_numpy(generator)


# The generators of this process; forks inherit the object.
unseeded = Generators()
_state_before_fork: Any = None


def find_unseeded(state: Any) -> None:
    """Find out what was seeded before this process was forked; in the fork server, while the heap is not frozen.

    Args:
        state: The state of ``random`` before the fork, which has reseeded it.
    """
    global _state_before_fork
    _state_before_fork = state if _core.was_seeded(state[1]) else None
    objects = gc_freeze.objects()
    kinds = set(map(type, objects))
    ours = {kind for kind in kinds if issubclass(kind, random.Random) and kind.seed is random.Random.seed}
    for generator in [one for one in objects if type(one) in ours]:
        if generator is not _shared and not _core.was_seeded(_random.Random.getstate(generator)):
            unseeded.add(generator)
    for generator in _numpy_generators(objects):
        entropy = _entropy_of(generator)
        if entropy is not None and entropy >= _LARGE:
            unseeded.add(generator)


def restore_generators() -> None:
    """Restore and reseed generators, in a process that the fork server has forked."""
    if _state_before_fork is not None:
        _shared.setstate(_state_before_fork)
    unseeded.seed()


class RandomState:
    """Records what is seeded in a template, and restores that in its workers."""

    def __init__(self) -> None:
        """Start recording."""
        self._is_seeded = _state_before_fork is not None
        self._state: Any = None
        self._entropies: set[int] = set()
        self._before: list[tuple[Any, str, Any, Any]] = []
        for holder in (random.Random, random):
            for name in ("seed", "setstate"):
                self._replace(holder, name, self._recording_seed)
        self._replace(random, "_urandom", self._recording_urandom)

    def _replace(self, holder: Any, name: str, noting: Callable[[Any], Any]) -> None:
        original = getattr(holder, name)
        replacement = functools.wraps(original)(noting(original))
        self._before.append((holder, name, original, replacement))
        setattr(holder, name, replacement)

    def _recording_seed(self, original: Callable[..., None]) -> Callable[..., None]:
        def seed(*args: Any, **kwargs: Any) -> None:
            # The module's functions are methods of the generator behind them.
            generator = getattr(original, "__self__", None) or args[0]
            given = [*(args if hasattr(original, "__self__") else args[1:]), *kwargs.values()]
            # Without a seed, one is taken from the system, which should not be the same in all workers.
            is_seeded = bool(given) and given[0] is not None
            if is_seeded and original.__name__ == "setstate":
                # A copy gets the state of another generator.
                is_seeded = not unseeded.has_state(given[0])
            original(*args, **kwargs)
            if generator is _shared:
                self._is_seeded = is_seeded
            elif is_seeded:
                unseeded.discard(generator)
            elif type(generator).seed in (seed, original):
                unseeded.add(generator)

        return seed

    def _recording_urandom(self, original: Callable[[int], bytes]) -> Callable[[int], bytes]:
        def urandom(size: int) -> bytes:
            drawn = original(size)
            if size == _ENTROPY_SIZE:
                self._entropies.add(int.from_bytes(drawn, "big"))
            return drawn

        return urandom

    @property
    def is_seeded(self) -> bool:
        """Whether ``random`` was seeded."""
        return self._is_seeded

    def replacements(self) -> list[tuple[Any, Any]]:
        """Return the functions that were replaced, and what has replaced them."""
        return [(original, replacement) for _, _, original, replacement in self._before]

    def stop(self) -> None:
        """Stop recording and store the state of seeded generators, before the fork."""
        for holder, name, original, replacement in self._before:
            if holder.__dict__.get(name) is replacement:
                setattr(holder, name, original)
        self.keep()

    def keep(self) -> None:
        """Store the state of seeded generators, before a fork; recording continues."""
        self._state = _shared.getstate() if self._is_seeded else None
        self._find_numpy_generators()

    def _find_numpy_generators(self) -> None:
        numpy: Any = sys.modules.get("numpy")
        # numpy.random is imported on first use.
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
        # Most suites have no other generators, so that a search is not needed.
        if self._entropies:
            for generator in _numpy_generators(gc_freeze.objects()):
                if _entropy_of(generator) in self._entropies:
                    unseeded.add(generator)

    def restore(self) -> None:
        """Restore seeded generators and reseed others, in a worker."""
        if self._state is not None:
            _shared.setstate(self._state)
        unseeded.seed()


def _numpy_generators(objects: Iterable[object]) -> list[Any]:
    """Return numpy's generators among `objects`: bit generators, and legacy ones, which have additional state."""
    numpy: Any = sys.modules.get("numpy")
    if numpy is None or "numpy.random" not in sys.modules:
        return []
    kinds = (numpy.random.bit_generator.BitGenerator, numpy.random.RandomState)
    return [one for one in objects if issubclass(type(one), kinds)]


def _state_of(generator: Any) -> object:
    if isinstance(generator, random.Random):
        return _random.Random.getstate(generator)
    # Of numpy, whose states have arrays.
    return repr(getattr(getattr(generator, "_bit_generator", generator), "state", None))


def _entropy_of(generator: Any) -> int | None:
    """Return the entropy of a numpy generator; None if there are several numbers, or the seed was a legacy one."""
    bits = getattr(generator, "_bit_generator", generator)
    entropy = getattr(getattr(bits, "seed_seq", None), "entropy", None)
    return entropy if isinstance(entropy, int) else None


def _reseed_numpy(generator: Any) -> None:
    """Reseed a numpy generator in place."""
    with contextlib.suppress(AttributeError, TypeError, ValueError):
        bits = getattr(generator, "_bit_generator", generator)
        # Including its seed sequence, from which further generators may be spawned.
        bits.__setstate__(type(bits)().__getstate__())
        if bits is not generator:
            # Normally distributed numbers are generated in pairs, of which it may have cached one.
            generator.set_state(generator.get_state(legacy=False) | {"has_gauss": 0, "gauss": 0.0})
