"""Garbage collection: objects that plain pytest would free are freed, and ``gc`` functions see the whole heap."""

from __future__ import annotations

import gc
import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

# Without pytest-xdist, whose workers have the same heap as plain pytest.
RUN_MODES = ("plain", "template", "early")

# Creates unused classes, like a class decorator that returns a new class with slots.
REPLACED = textwrap.dedent(
    """
    import weakref

    class Base: pass

    def replaced(cls):
        return type(cls)(cls.__name__, cls.__bases__, {"__slots__": ("value",)})

    @replaced
    class Derived(Base): pass

    class Circle: pass

    circle = Circle()
    circle.me = circle
    gone = weakref.ref(circle)
    del circle
    """
)

IS_FREE = textwrap.dedent(
    """
    def test_it():
        assert [cls.__name__ for cls in Base.__subclasses__()] == ["Derived"]
        assert gone() is None
    """
)

# Garbage and a referenced object, created before any fork.
THINGS = textwrap.dedent(
    """
    import weakref

    class Thing: pass

    thing = Thing()
    holder = [thing]
    loop = Thing()
    loop.me = loop
    loop = weakref.ref(loop)
    """
)

FINDS_ALL = textwrap.dedent(
    """
    from things import Thing, holder, loop, thing

    def test_objects(): assert any(one is thing for one in get_objects())
    def test_referrers(): assert any(one is holder for one in get_referrers(thing))
    def test_garbage():
        collect()
        assert loop() is None
        thing.me = other = Thing()
        other.me = other
        kept = weakref.ref(other)
        del other, thing.me
        collect()
        assert kept() is None
    def test_garbage_of_what_was_there():
        was_there = weakref.ref(cycle.pop())
        collect()
        assert was_there() is None
    """
)

CYCLE = textwrap.dedent(
    """
    import weakref
    from things import Thing
    cycle = [Thing()]
    cycle[0].me = cycle[0]
    """
)


IS_FROZEN = "import sys\ndef test_is_frozen(): assert sys.modules['rustpar.process.gc_freeze']._frozen\n"


def test_garbage_of_the_collection_is_freed_before_the_fork(suite: Suite) -> None:
    suite.test(REPLACED + IS_FREE)
    assert suite.run_in("template").counts() == {"passed": 1}


@pytest.mark.parametrize("run_mode", ["template", "early"])
def test_garbage_of_a_plugin_is_freed_before_the_fork_and_the_rest_is_frozen(suite: Suite, run_mode: str) -> None:
    """References to functions of `gc` would prevent freezing."""
    suite.write({"leaves.py": REPLACED, "test_frozen.py": IS_FROZEN})
    suite.test("from leaves import Base, gone\n" + IS_FREE)
    run = suite.run_in(run_mode, "-p", "leaves")
    assert run.counts() == {"passed": 2}, run.text


def test_gc_collect_in_the_controller_frees_old_and_new_garbage_of_a_plugin(suite: Suite) -> None:
    suite.write({"leaves.py": REPLACED, "things.py": THINGS, "cycle.py": CYCLE})
    suite.conftest(
        """
        import gc
        import weakref
        import cycle
        import leaves

        def pytest_terminal_summary(terminalreporter):
            gone = weakref.ref(cycle.cycle.pop())
            gc.collect()
            terminalreporter.write_line(f"old: {leaves.gone() is None}, {len(leaves.Base.__subclasses__())}")
            terminalreporter.write_line(f"new: {gone() is None}")
        """
    )
    suite.test("def test_one(): pass\n")
    run = suite.run_in("template", "-p", "leaves", "-p", "cycle")
    assert run.line("old: ") == "old: True, 1"
    assert run.line("new: ") == "new: True"


BINDERS = ("conftest", "test_it", "plugin", "library", "attribute", "namespace", "partial")
BINDING = "from gc import collect, get_objects, get_referrers\n"


def module_with_binding(binder: str) -> str:
    """Return a test module in which the functions of `gc` are bound in one way."""
    test = CYCLE + FINDS_ALL
    if binder == "test_it":
        test = BINDING + test
    elif binder == "attribute":
        test = "import gc\n" + test.replace("collect()", "gc.collect()").replace("get_", "gc.get_")
    elif binder == "namespace":
        test = "import gc\nglobals().update({name: vars(gc)[name] for name in vars(gc) if name[0] != '_'})\n" + test
    elif binder == "partial":
        call = "functools.partial(functools.partial, gc.{0})()\n"
        names = ("collect", "get_objects", "get_referrers")
        test = "import functools, gc\n" + "".join(f"{name} = {call.format(name)}" for name in names) + test
    else:
        test = f"from {'conftest' if binder == 'conftest' else 'bindings'} import *\n" + test
    return test


# Only a plugin binds them before early workers are forked; what is bound later is bound in the worker.
@pytest.mark.parametrize(
    ("binder", "run_mode"), [*((one, "template") for one in BINDERS), ("plugin", "early"), ("attribute", "early")]
)
def test_gc_functions_bound_before_the_fork_find_everything(suite: Suite, binder: str, run_mode: str) -> None:
    suite.write({"things.py": THINGS, "bindings.py": BINDING, "test_it.py": module_with_binding(binder)})
    if binder == "conftest":
        suite.conftest(BINDING)
    arguments = ["-p", "bindings", "-p", "things"] if binder == "plugin" else []
    assert suite.run_in(run_mode, *arguments).counts() == {"passed": 4}


def test_gc_functions_find_everything_in_plain_pytest(suite: Suite) -> None:
    suite.write({"things.py": THINGS, "bindings.py": BINDING, "conftest.py": BINDING})
    suite.write({f"test_{binder}.py": module_with_binding(binder) for binder in BINDERS})
    run = suite.run_in("plain", "-p", "bindings", "-p", "things")
    assert run.counts() == {"passed": 4 * len(BINDERS)}, run.text


@pytest.mark.parametrize("run_mode", RUN_MODES)
def test_garbage_stays_if_the_suite_disables_the_collector(suite: Suite, run_mode: str) -> None:
    suite.conftest("import gc\ngc.disable()\n")
    suite.test(
        """
        import gc
        import weakref

        class Circle: pass

        circle = Circle()
        circle.me = circle
        there = weakref.ref(circle)
        del circle

        def test_it():
            assert not gc.isenabled()
            assert there() is not None
        """
    )
    assert suite.run_in(run_mode).counts() == {"passed": 1}


@pytest.mark.parametrize(("before", "run_mode"), [*(("", mode) for mode in RUN_MODES), ("gc.collect()\n", "template")])
def test_a_heap_that_the_suite_has_frozen_stays_frozen(suite: Suite, before: str, run_mode: str) -> None:
    suite.conftest(f"import gc\n{before}gc.freeze()\nCOUNT = gc.get_freeze_count()\n")
    suite.test(
        """
        import gc
        import conftest

        late = [object()]

        def test_it():
            assert gc.get_freeze_count() > 1000
            assert gc.get_freeze_count() <= conftest.COUNT
            assert any(one is late for one in gc.get_objects())
        """
    )
    assert suite.run_in(run_mode).counts() == {"passed": 1}


@pytest.mark.parametrize("run_mode", RUN_MODES)
def test_the_suite_sees_no_frozen_objects(suite: Suite, run_mode: str) -> None:
    suite.write({"early_gc.py": "from gc import get_freeze_count\n"})
    suite.test(
        """
        from early_gc import get_freeze_count
        # Python 3.12 freezes some hundred objects when it starts.
        def test_it(): assert get_freeze_count() < 1000
        """
    )
    assert suite.run_in(run_mode, "-p", "early_gc").counts() == {"passed": 1}


THRESHOLDS = {
    "doubled": "gc.set_threshold(*[2 * x for x in gc.get_threshold()])",
    "bound": "from gc import get_threshold, set_threshold\nset_threshold(*[2 * x for x in get_threshold()])",
    "plugin": "from bindings import get_threshold, set_threshold\nset_threshold(*[2 * x for x in get_threshold()])",
    "kept": "KEPT = gc.get_threshold()",
    "off": "gc.set_threshold(0)",
    "namespace": "vars(gc)['set_threshold'](500, 5, 5)",
    "as ours": "gc.set_threshold(100_000, *gc.get_threshold()[1:])",
    "untouched": "",
}


# The expected thresholds are those of this process after the same change; in plain pytest and in early workers, which
# are treated in the same way by then, some changes suffice.
CHANGED = [
    *((change, "template") for change in THRESHOLDS),
    *((change, "early") for change in ("doubled", "kept", "plugin")),
    *((change, "plain") for change in ("kept", "plugin")),
]


@pytest.mark.parametrize(("change", "run_mode"), CHANGED)
def test_thresholds_are_those_of_plain_pytest(suite: Suite, change: str, run_mode: str) -> None:
    before, scope = gc.get_threshold(), {"gc": gc}
    suite.write({"bindings.py": "from gc import get_threshold, set_threshold\n"})
    suite.conftest(f"import gc\n{THRESHOLDS[change]}\n")
    try:
        if change != "plugin":
            exec(THRESHOLDS[change], scope)
        else:
            gc.set_threshold(*[2 * x for x in before])
        expected = gc.get_threshold()
    finally:
        gc.set_threshold(*before)
    # The thresholds of this process may come from an outer run.
    if before[0] > 10_000:
        pytest.skip("this process has other thresholds")
    suite.test(
        f"""
        import gc
        import conftest

        def test_it():
            assert gc.get_threshold() == {expected}
            assert getattr(conftest, "KEPT", {expected}) == {expected}
        """
    )
    arguments = ["-p", "bindings"] if change == "plugin" else []
    assert suite.run_in(run_mode, *arguments).counts() == {"passed": 1}


@pytest.mark.parametrize("run_mode", ["template", "early"])
def test_gc_callbacks_of_the_suite_do_not_see_internal_collections(suite: Suite, run_mode: str) -> None:
    suite.write(
        {
            "counts.py": """
            import gc
            full = []

            def note(phase, info):
                if phase == "start" and info["generation"] == 2:
                    full.append(info)

            gc.set_threshold(0)
            gc.callbacks.append(note)
            """
        }
    )
    suite.test("import gc\nimport counts\ndef test_it(): assert counts.full == [] and gc.callbacks == [counts.note]\n")
    assert suite.run_in(run_mode, "-p", "counts").counts() == {"passed": 1}


@pytest.mark.parametrize("run_mode", RUN_MODES)
def test_garbage_is_collected_at_the_end_of_a_session(suite: Suite, run_mode: str) -> None:
    suite.conftest(
        """
        import gc
        import pytest

        @pytest.fixture(scope="session")
        def cleaned():
            yield
            import test_it
            gone = __import__("weakref").ref(test_it.cycle.pop())
            gc.collect()
            from support import note
            note(f"free {gone() is None}")
        """
    )
    suite.write({"things.py": THINGS})
    suite.test(CYCLE + "def test_one(cleaned): pass\n")
    suite.run_in(run_mode, n="1")
    assert [note.partition(" ")[2] for note in suite.notes()] == ["free True"]


@pytest.mark.parametrize("allocator", [{"PYTHONMALLOC": "malloc"}, {"PYTHONDEVMODE": "1"}])
def test_pools_are_not_filled_with_another_allocator(suite: Suite, allocator: dict[str, str]) -> None:
    suite.test(
        """
        from pathlib import Path
        from support import note

        def test_it():
            private = [line for line in Path("/proc/self/smaps_rollup").read_text().splitlines() if "Rss" in line]
            note(private[0].split()[1])
        """
    )
    suite.run_with(allocator, n=None)
    suite.run_with(allocator, "--rustpar-start=template", n="1")
    plain, worker = (int(note.split()[1]) for note in suite.notes())
    # The project's own modules and shared memory take some MiB; filled pools would take more than a hundred.
    assert worker < plain + 40 * 1024


def test_tracemalloc_of_a_suite_sees_only_its_own_memory(suite: Suite) -> None:
    suite.conftest("import tracemalloc\ntracemalloc.start(1)\n")
    suite.test(
        """
        import tracemalloc

        def test_it():
            kinds = tracemalloc.take_snapshot().statistics("filename")
            assert sum(kind.size for kind in kinds if "rustpar" in kind.traceback[0].filename) < 100_000
        """
    )
    assert suite.run_in("template").counts() == {"passed": 1}


@pytest.mark.parametrize("run_mode", ["plain", "template"])
def test_the_heap_of_the_controller_stays_frozen_if_gc_is_not_used(suite: Suite, run_mode: str) -> None:
    """Otherwise pytest would collect all of it five times at the end."""
    suite.conftest(
        """
        import gc
        import os
        from types import ModuleType

        def pytest_sessionfinish():
            if "PYTEST_XDIST_WORKER" not in os.environ:
                # Not looked for through the module: that would be noticed.
                frozen = ModuleType.__getattribute__(gc, "get_freeze_count")()
                print(f"\\nfrozen: {frozen > 1000}")
        """
    )
    suite.test("def test_it(): pass\n")
    run = suite.run_in(run_mode)
    assert ("frozen: True" in run.text) == (run_mode != "plain"), run.text
