"""Plugins for kinds of tests and for writing tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.plugins.sides import Case, normal, notes

if TYPE_CHECKING:
    from pathlib import Path

MOCK = Case(
    plugin="pytest-mock",
    compared="patches, spies and stubs undone after each scope, differences shown for failed `assert_called_with`",
    files={
        "shop.py": """
            def price(title, discount=0): return 10 - discount
            def total(*titles): return sum(map(price, titles))
            """,
        "test_one.py": """
            import os
            import pytest
            import shop

            def test_patch(mocker):
                mocker.patch("shop.price", return_value=3)
                assert shop.total("a", "b") == 6

            def test_is_undone(): assert shop.total("a", "b") == 20

            def test_spy(mocker):
                spy = mocker.spy(shop, "price")
                shop.total("a")
                spy.assert_called_once_with("a")
                assert spy.spy_return == 10

            def test_wrong_arguments(mocker):
                mocker.patch("shop.price", return_value=1)
                shop.price("a", discount=2)
                shop.price.assert_called_once_with("b", discount=3)

            def test_stub(mocker):
                stub = mocker.stub(name="callback")
                stub(1)
                stub.assert_called_once_with(2)
            """,
        "test_two.py": """
            import os
            import pytest
            import shop

            @pytest.fixture(scope="session")
            def cheap(session_mocker): session_mocker.patch.dict(os.environ, {"CHEAP": "yes"})

            @pytest.fixture(scope="module")
            def free(module_mocker): return module_mocker.patch("shop.price", return_value=0)

            def test_session(cheap): assert os.environ["CHEAP"] == "yes"
            def test_module(free): assert shop.total("a", "b") == 0
            def test_never_called(mocker): mocker.patch("shop.total").assert_called()
            """,
    },
    runs=("", "-v -o mock_traceback_monkeypatch=false"),
)

HYPOTHESIS = Case(
    plugin="hypothesis",
    compared="falsifying examples, statistics, `--hypothesis-seed`, examples replayed from the database",
    files={
        "conftest.py": """
            from hypothesis import HealthCheck, settings

            # A machine that is busy is no finding.
            settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
            settings.load_profile("patient")
            """,
        "test_one.py": """
            import random
            from hypothesis import example, given, note as hypothesis_note, settings, strategies as st
            from support import note

            @given(st.integers(), st.integers())
            def test_commutes(a, b): assert a + b == b + a

            @given(st.lists(st.integers()))
            def test_fails(numbers): assert sum(numbers) < 100

            @given(st.integers(0, 10))
            @example(7)
            @settings(database=None)
            def test_explicit_example_fails(n):
                hypothesis_note(f"n is {n}")
                assert n != 7

            @settings(derandomize=True, max_examples=5, database=None)
            @given(st.integers(0, 10**9))
            def test_is_derandomized(n): note(f"derandomized {n}")

            @settings(max_examples=5, database=None)
            @given(st.integers(0, 10**9))
            def test_seeded(n): note(f"seeded {n}")
            """,
        "test_two.py": """
            import hypothesis
            from hypothesis import given, settings, strategies as st
            from hypothesis.stateful import RuleBasedStateMachine, rule

            @given(st.text(max_size=3))
            def test_text(text): assert text.encode().decode() == text

            @given(st.data())
            @settings(database=None)
            def test_data_fails(data):
                x = data.draw(st.integers(min_value=5), label="x")
                assert x < 5

            @given(st.integers())
            def test_assumes(n):
                hypothesis.assume(n % 2 == 0)
                hypothesis.event("small" if abs(n) < 10 else "large")

            class Machine(RuleBasedStateMachine):
                def __init__(self):
                    super().__init__()
                    self.count = 0
                @rule()
                def add(self):
                    self.count += 1
                    assert self.count < 3

            TestMachine = Machine.TestCase
            """,
    },
    runs=("--hypothesis-seed=1 --hypothesis-show-statistics", "--hypothesis-seed=2 --hypothesis-show-statistics"),
    terminal=r"^hypothesis profile.*|^test_\w+\.py::.*|- (during|Stopped|\d+ passing).*|^  - .*|Hypothesis Statistics",
    artefact=lambda path: [notes(path), sorted(entry.name for entry in path.glob(".hypothesis/examples/*"))],
)

SUBTESTS = Case(
    plugin="pytest",
    aspect="subtests",
    compared="outcomes and texts of subtests, also of `unittest`",
    files={
        "test_one.py": """
            import pytest

            def test_some_fail(subtests):
                for n in range(4):
                    with subtests.test(msg="even", n=n):
                        assert n % 2 == 0

            def test_skips_and_goes_on(subtests):
                with subtests.test("skipped"):
                    pytest.skip("not this one")
                with subtests.test("passes"):
                    pass

            def test_fails_after(subtests):
                with subtests.test():
                    pass
                assert False, "the test itself"
            """,
        "test_two.py": """
            import unittest

            class TestUnit(unittest.TestCase):
                def test_all_pass(self):
                    for n in range(3):
                        with self.subTest(n=n):
                            pass

                def test_some_fail(self):
                    for n in range(3):
                        with self.subTest("message", n=n):
                            self.assertEqual(n, 1)
            """,
    },
    runs=("-rA", "-v"),
    differs="The parameters of subtests are quoted: `(n='1')` where plain pytest shows `(n=1)`.",
    terminal=r"SUB(PASS|FAIL|SKIP)ED\S* \([^)]*\)",
)

BDD = Case(
    plugin="pytest-bdd",
    compared="scenarios, outlines, a step that fails, a step that is missing, `--cucumberjson`",
    files={
        "shop.feature": """
            Feature: Shop
                Background:
                    Given an empty cart

                @fast
                Scenario: Adding a book
                    When I add a book for 10
                    Then the total is 10

                Scenario Outline: Adding several
                    When I add <count> books for <price>
                    Then the total is <total>

                    Examples:
                    | count | price | total |
                    | 2     | 5     | 10    |
                    | 3     | 5     | 16    |

                Scenario: A step that is missing
                    When I do what nobody knows
                    Then the total is 0
            """,
        "conftest.py": """
            from pytest_bdd import given, parsers, then, when

            @given("an empty cart", target_fixture="cart")
            def _(): return []

            @when(parsers.parse("I add a book for {price:d}"))
            def _(cart, price): cart.append(price)

            @when(parsers.parse("I add {count:d} books for {price:d}"))
            def _(cart, count, price): cart.extend([price] * count)

            @then(parsers.parse("the total is {total:d}"))
            def _(cart, total): assert sum(cart) == total
            """,
        "test_all.py": "from pytest_bdd import scenarios\nscenarios('shop.feature')\n",
        "test_one.py": """
            from pytest_bdd import scenario

            @scenario("shop.feature", "Adding a book")
            def test_adding(): pass

            def test_other(): pass
            """,
    },
    runs=("--cucumberjson=cucumber.json", "-m fast"),
    terminal=r"Step definition is not found",
    artefact=lambda path: cucumber(path),
    differs="The file of `--cucumberjson` is an empty list; the number of tests that were deselected is not shown.",
    better="The number of tests that were deselected is shown.",
)


def cucumber(path: Path) -> Any:
    """Return features with their scenarios and steps, in a canonical order."""
    file = path / "cucumber.json"
    if not file.exists():
        return None
    features = json.loads(normal(file.read_text(encoding="utf-8"), path))
    file.unlink()
    for feature in features:
        for element in feature["elements"]:
            for step in element["steps"]:
                del step["result"]["duration"]
        feature["elements"].sort(key=lambda element: json.dumps(element, sort_keys=True))
    return sorted(features, key=lambda feature: str(feature["uri"]))


CASES = [MOCK, HYPOTHESIS, SUBTESTS, BDD]
