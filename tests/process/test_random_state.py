"""Random generators that were made before the fork: unseeded ones differ between workers, seeded ones do not."""

from __future__ import annotations

import copy
import random
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

_core = pytest.importorskip("rustpar._core")

if TYPE_CHECKING:
    from tests.harness import Suite

# Each worker runs one test and notes the numbers it draws.
TESTS = """
    import pytest
    from making import draw
    from support import meet, note

    @pytest.mark.parametrize("me", range(2))
    def test_it(me):
        meet(f"{me}", f"{1 - me}")
        note(draw())
"""

# Each statement creates a generator `g`.
UNSEEDED = {
    "fresh": "g = random.Random()",
    "none": "g = random.Random(None)",
    "used": "g = random.Random()\n[g.random() for _ in range(5000)]",
    "seeded anew": "g = random.Random(5)\ng.seed()",
    "of a class": "class Mine(random.Random): pass\ng = Mine()",
    "of a class with choices": "class Mine(random.Random):\n    def random(self): return super().random()\ng = Mine()",
    "copied": "g = copy.copy(random.Random())",
    "with a number left": "kept = random.Random()\nkept.gauss(0, 1)\nclass g: random = lambda: kept.gauss(0, 1)",
    "bound": "class g: random = random.Random().random",
}

SEEDED = {
    "number": "g = random.Random(42)",
    "zero": "g = random.Random(0)",
    "large": "g = random.Random(10 ** 300)",
    "negative": "g = random.Random(-3)",
    "text": "g = random.Random('a seed')",
    "long text": "g = random.Random('a seed' * 200)",
    "fraction": "g = random.Random(0.5)",
    "bytes": "g = random.Random(b'abc')",
    "version 1": "g = random.Random()\ng.seed('abc', version=1)",
    "later": "g = random.Random()\ng.seed(5)",
    "by name": "g = random.Random()\ng.seed(a=5)",
    "state": "g = random.Random()\ng.setstate(random.Random(8).getstate())",
    "used": "g = random.Random(1)\n[g.random() for _ in range(5000)]",
    "of a class": "class Mine(random.Random):\n    def __init__(self): super().__init__(9)\ng = Mine()",
    "with a seed of its own": "class Mine(random.Random):\n    def seed(self, *_): super().seed(7)\ng = Mine()",
}

# Calls of functions of `random`, and whether they seed the generator.
MODULE = {
    "": False,
    "random.random()": False,
    "random.seed(3)\nrandom.seed()": False,
    "random.seed(4)": True,
    "random.seed(4)\nrandom.random()": True,
    "random.setstate(random.Random(4).getstate())": True,
    "random.Random.seed(random._inst, 4)": True,
}


def draw_in_workers(suite: Suite, making: str, run_mode: str, *arguments: str) -> list[str]:
    """Return what two workers draw with the function `draw` of `making`."""
    suite.write({"making.py": "import copy, random\n" + textwrap.dedent(making)})
    suite.test(TESTS)
    run = suite.run_in(run_mode, *arguments)
    assert run.counts() == {"passed": 2}, run.text
    return [note.split()[1] for note in suite.notes()]


def module_with_all(kinds: dict[str, str]) -> str:
    """Return a module that creates all of these generators."""
    made = "".join(f"{making}\nmade.append(g)\n" for making in kinds.values())
    return f"made = []\n{made}def draw(): return '/'.join(str(g.random()) for g in made)\n"


def draw_in_this_process(making: str) -> list[str]:
    """Return the result of `draw` in this process."""
    scope: dict[str, Any] = {"random": random, "copy": copy}
    state = random.getstate()
    try:
        exec(making, scope)
        return [str(scope["draw"]())] * 2
    finally:
        random.setstate(state)


# Whether it is created before any process is forked.
WHERE = {"collected": (), "plugin": ("-p", "making")}


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("run_mode", ["template", "early"])
def test_an_unseeded_generator_differs_between_workers(suite: Suite, run_mode: str, where: str) -> None:
    one, other = (
        note.split("/") for note in draw_in_workers(suite, module_with_all(UNSEEDED), run_mode, *WHERE[where])
    )
    assert len(one) == len(UNSEEDED)
    assert not set(one) & set(other)


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("run_mode", ["template", "early"])
def test_a_seeded_generator_is_left_unchanged(suite: Suite, run_mode: str, where: str) -> None:
    expected = draw_in_this_process(module_with_all(SEEDED))
    assert draw_in_workers(suite, module_with_all(SEEDED), run_mode, *WHERE[where]) == expected


# All in the order of a run with a template; elsewhere what is seeded and what is not.
CALLED = [
    *((change, "template", "collected") for change in MODULE),
    *((change, "template", "plugin") for change in ("", "random.seed(3)\nrandom.seed()", "random.seed(4)")),
    *((change, "early", "plugin") for change in ("", "random.seed(4)", "random.seed(4)\nrandom.random()")),
    ("random.seed(4)", "early", "collected"),
]


@pytest.mark.parametrize(("change", "run_mode", "where"), CALLED)
def test_the_functions_of_the_random_module_are_handled_like_a_generator(
    suite: Suite, change: str, run_mode: str, where: str
) -> None:
    making = f"{change}\ndef draw(): return random.random()\n"
    found = draw_in_workers(suite, making, run_mode, *WHERE[where])
    if MODULE[change]:
        assert found == draw_in_this_process(making)
    else:
        assert found[0] != found[1]


def test_copies_of_a_generator_yield_the_same_numbers(suite: Suite) -> None:
    making = """
        one = random.Random()
        other = copy.copy(one)
        def draw(): return f"{one.random()}/{other.random()}"
    """
    pairs = [note.split("/") for note in draw_in_workers(suite, making, "template", "-p", "making")]
    assert all(one == other for one, other in pairs)
    assert pairs[0] != pairs[1]


def test_an_unseeded_generator_is_not_a_reason_for_early(suite: Suite) -> None:
    suite.test("import random\ng = random.Random()\ndef test_one(): pass\ndef test_two(): pass\n")
    assert suite.run().start() == "template"


@pytest.mark.parametrize("seed", [0, 1, -1, 2**64, 10**3000, "text", "t" * 1500, b"bytes", 1.5, (1, 2).__hash__()])
@pytest.mark.parametrize("draws", [0, 1, 623, 624, 625, 50_000])
def test_a_seeded_state_is_recognized(seed: float | str | bytes, draws: int) -> None:
    generator = random.Random(seed)
    for _ in range(draws):
        generator.getrandbits(32)
    assert _core.was_seeded(generator.getstate()[1])


@pytest.mark.parametrize("draws", [0, 1, 624, 5000])
def test_an_unseeded_state_is_recognized(draws: int) -> None:
    generator = random.Random()
    for _ in range(draws):
        generator.getrandbits(32)
    assert not _core.was_seeded(generator.getstate()[1])


def test_a_state_of_the_wrong_size_is_rejected() -> None:
    with pytest.raises(ValueError, match="624 words"):
        _core.was_seeded([1, 2, 3])
