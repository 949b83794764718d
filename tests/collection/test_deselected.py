"""Deselected tests are counted once in the summary, and plugins find items for them as in plain pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.harness import RUN_MODES

if TYPE_CHECKING:
    from tests.harness import Suite

# Writes attributes of deselected items that plugins may use.
ASKER = """
    import pytest
    import support

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(terminalreporter, config):
        if hasattr(config, "workerinput"):
            return
        for category, members in terminalreporter.stats.items():
            for member in members:
                # What hypothesis does.
                member.__dict__.get("_hypothesis_stats")
                member.nodeid
        for item in terminalreporter.stats.get("deselected", []):
            assert isinstance(item, pytest.Item)
            assert not hasattr(item, "_pdbshown")
            assert item.config is config and item.session is not None and item.listchain()[-1] is item
            assert item.get_closest_marker("none") is None
            assert item.iter_markers() and item.stash is not None and item.user_properties == []
            assert len({item}) == 1 and repr(item)
            slow = item.get_closest_marker("slow")
            about = [item.nodeid, item.name, item.path.name, item.location, "slow" in item.keywords]
            about += [slow and slow.args, slow and slow.kwargs, item.name in item.keywords]
            about += [sorted(mark.name for mark in item.iter_markers())]
            support.note(repr(about))
"""

SOME_SLOW = """
    import functools
    import unittest
    import pytest

    @pytest.mark.slow("very", why=["much"])
    def test_slow(): pass

    class TestIt:
        @pytest.mark.slow
        @pytest.mark.parametrize("text", ["a::b", "c]d", "e[f"])
        def test_slow(self, text): pass
        def test_quick(self): pass

    @pytest.mark.slow
    class TestCase(unittest.TestCase):
        def test_slow(self): pass

    def decorated(function):
        @functools.wraps(function)
        def inner(): function()
        return inner

    @pytest.mark.slow
    @decorated
    def test_decorated(): pass
"""

MARKERS = "[pytest]\nmarkers = slow\n"


def deselected_items(suite: Suite, run_mode: str, *args: str) -> list[str]:
    run = suite.run_in(run_mode, *args)
    assert "Traceback" not in run.text
    assert "INTERNALERROR" not in run.text
    notes = sorted(note.split(maxsplit=1)[1] for note in suite.notes())
    (suite.path / "notes.log").unlink()
    return notes


@pytest.mark.parametrize("run_mode", ["template", "early"])
def test_plugins_find_items_as_in_plain_pytest(suite: Suite, run_mode: str) -> None:
    suite.conftest(ASKER)
    suite.write({"pytest.ini": MARKERS, "sub/test_it.py": SOME_SLOW})
    found = deselected_items(suite, run_mode, "-m", "not slow")
    assert len(found) == 6
    assert found == deselected_items(suite, "plain", "-m", "not slow")


@pytest.mark.parametrize("run_mode", RUN_MODES[:3])
@pytest.mark.parametrize("chosen", ["quick", "nothing"])
def test_deselected_tests_are_counted_once(suite: Suite, run_mode: str, chosen: str) -> None:
    suite.test("import pytest\n@pytest.mark.parametrize('n', range(5))\ndef test_it(n): pass\ndef test_quick(): pass\n")
    run = suite.run_in(run_mode, "-k", chosen, n="3")
    assert run.counts()["deselected"] == (5 if chosen == "quick" else 6)
    assert run.ret == (0 if chosen == "quick" else 5)


@pytest.mark.parametrize("run_mode", ["template", "early"])
def test_a_plugin_may_deselect_unusual_objects(suite: Suite, run_mode: str) -> None:
    odd = """
    class Odd(pytest.Item):
        def runtest(self): pass
        def reportinfo(self): raise ValueError("never asked before")

    def pytest_collection_modifyitems(session, config, items):
        odd = Odd.from_parent(session, name="odd::[x")
        odd.add_marker(pytest.mark.usefixtures(object(), set(), {"a": object()}))
        config.hook.pytest_deselected(items=(odd,))
        config.hook.pytest_deselected(items=[])
    """
    suite.conftest(ASKER + odd)
    suite.test("def test_it(): pass\n")
    run = suite.run_in(run_mode)
    assert "Traceback" not in run.text
    assert run.counts() == {"passed": 1, "deselected": 1}


def test_mark_arguments_that_cannot_be_sent_are_replaced_by_their_repr(suite: Suite) -> None:
    suite.conftest(ASKER)
    suite.write({"pytest.ini": MARKERS})
    suite.test(
        "import pytest\n@pytest.mark.slow(object, list(range(99)))\ndef test_it(): pass\ndef test_other(): pass\n"
    )
    (found,) = deselected_items(suite, "template", "-m", "not slow")
    assert "<class 'object'>" in found


def test_twenty_thousand_deselected_tests_all_arrive(suite: Suite) -> None:
    suite.write({"pytest.ini": MARKERS})
    suite.test(
        "import pytest\n@pytest.mark.slow\n@pytest.mark.parametrize('n', range(20_000))\n"
        "def test_it(n): pass\ndef test_other(): pass\n"
    )
    assert suite.run("-m", "not slow").counts()["deselected"] == 20_000
