"""Hook implementations that treat tests one by one are told from those that may need all tests."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from rustpar.collection.item_loops import treats_items_one_by_one

if TYPE_CHECKING:
    from pathlib import Path

ONE_BY_ONE = {
    "a mark": """
        def hook(items):
            for item in items:
                item.add_marker("slow")
    """,
    "a mark under conditions, and what is made before the loop": """
        def hook(config, items):
            if config.getoption("--all"):
                return
            skip = mark.skip(reason="slow")
            for item in items:
                if "slow" in item.keywords and not any(name.startswith("x") for name in item.names):
                    item.add_marker(skip)
                elif item.get_closest_marker("fast") is None:
                    item.user_properties.append(("slow", True))
                else:
                    continue
    """,
    "variables of an iteration": """
        def hook(items):
            for item in items:
                name = item.name
                kind = name.partition("_")[0]
                if kind == "slow":
                    item.add_marker(kind)
    """,
    "a loop in the loop, and a function of the conftest": """
        def apply(item, text, kind):
            '''Add a mark.'''
            if item.name.endswith(text):
                item.add_marker(kind)

        def hook(items):
            for item in items:
                for text, kind in [("a", "b")]:
                    apply(item, text, kind)
    """,
    "two loops": """
        def hook(items):
            for item in items:
                item.add_marker("one")
            for test in items:
                test.add_marker("two")
    """,
    "no tests": """
        def hook():
            print("collected")
    """,
}

MAY_NEED_ALL = {
    "sorts": "def hook(items): items.sort()",
    "drops": "def hook(items): items[:] = [item for item in items if item.name]",
    "counts": """
        def hook(items):
            for item in items:
                item.add_marker(len(items))
    """,
    "collects in a list": """
        def hook(items):
            seen = []
            for item in items:
                seen.append(item)
    """,
    "remembers in a variable": """
        def hook(items):
            last = None
            for item in items:
                if last is None:
                    item.add_marker("first")
                last = item
    """,
    "remembers in an expression": """
        SEEN = set()
        def hook(items):
            for item in items:
                if SEEN.add(item.name) is None:
                    item.add_marker("x")
    """,
    "counts in a loop": """
        def hook(items):
            number = 0
            for item in items:
                number += 1
                item.add_marker(number)
    """,
    "enumerates": """
        def hook(items):
            for number, item in enumerate(items):
                item.add_marker(number)
    """,
    "changes a global": """
        COUNT = 0
        def hook(items):
            global COUNT
            for item in items:
                COUNT = 1
    """,
    "changes something through a function": """
        SEEN = []
        def note(item):
            SEEN.append(item)
        def hook(items):
            for item in items:
                note(item)
    """,
    "changes what a function gets": """
        SEEN = []
        def note(seen, item):
            seen.append(item)
        def hook(items):
            for item in items:
                note(SEEN, item)
    """,
    "changes what a variable of the loop stands for": """
        def hook(items):
            for item in items:
                everything = item.session.items
                everything.reverse()
    """,
    "calls a method of an object of its own": """
        class Counter:
            number = 0
            def count(self):
                self.number += 1
                return self.number
        COUNTER = Counter()
        def hook(items):
            for item in items:
                item.add_marker(COUNTER.count())
    """,
    "has an iterator": """
        NUMBERS = iter(range(9))
        def hook(items):
            for item in items:
                item.add_marker(next(NUMBERS))
    """,
    "stores in a dictionary": """
        SEEN = {}
        def hook(items):
            for item in items:
                SEEN[item.name] = item
    """,
    "stops at a test": """
        def hook(items):
            for item in items:
                if item.name == "x":
                    break
                item.add_marker("x")
    """,
    "returns at a test": """
        def hook(items):
            for item in items:
                if item.name == "x":
                    return
                item.add_marker("x")
    """,
    "uses the session": """
        def hook(session, items):
            for item in items:
                item.add_marker(len(session.items))
    """,
    "finds the session through a test": """
        def hook(items):
            for item in items:
                item.session.items.reverse()
    """,
    "passes them on": "def hook(items): print(items)",
    "loops in a loop": """
        def hook(items):
            for item in items:
                for other in items:
                    item.add_marker(other.name)
    """,
    "is a generator": """
        def hook(items):
            yield
            for item in items:
                item.add_marker("x")
    """,
    "gets the session only": "def hook(session): session.items.reverse()",
    "gets the configuration only": "def hook(config): config.session.items.reverse()",
}


def hook_in(text: str, directory: Path) -> Any:
    """Return the function `hook` of a file with this text."""
    import importlib.util
    import textwrap

    path = directory / "conftest_of_case.py"
    path.write_text(textwrap.dedent(text))
    spec = importlib.util.spec_from_file_location("conftest_of_case", path)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    vars(module)["mark"] = SimpleNamespace()
    spec.loader.exec_module(module)
    return module.hook


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_a_hook_is_known_to_treat_tests_one_by_one(name: str, tmp_path: Path) -> None:
    assert treats_items_one_by_one(hook_in(ONE_BY_ONE[name], tmp_path))


@pytest.mark.parametrize("name", MAY_NEED_ALL)
def test_a_hook_may_need_all_tests(name: str, tmp_path: Path) -> None:
    assert not treats_items_one_by_one(hook_in(MAY_NEED_ALL[name], tmp_path))


def test_code_that_cannot_be_read_may_need_all_tests() -> None:
    names: dict[str, Any] = {}
    exec("def hook(items):\n    for item in items:\n        item.add_marker('x')\n", names)
    assert not treats_items_one_by_one(names["hook"])
    assert not treats_items_one_by_one(len)
