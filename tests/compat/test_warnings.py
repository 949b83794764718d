"""Warnings of workers appear in the summary with their class, message and count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

# A plugin that records each warning that reaches the controller.
WATCHER = """
    import support

    def pytest_warning_recorded(warning_message, when, nodeid, location):
        import os
        if "PYTEST_XDIST_WORKER" not in os.environ:
            category = warning_message.category
            support.note(f"{category.__module__}.{category.__name__}|{warning_message.message}|{when}|{nodeid}")
"""


def test_each_warning_of_a_test_is_counted_once(suite: Suite) -> None:
    suite.test(
        """
        import warnings
        import pytest

        @pytest.mark.parametrize("n", range(6))
        def test_it(n):
            warnings.warn(f"number {n}")
        """
    )
    run, plain = suite.run(), suite.plain()
    assert run.counts() == plain.counts() == {"passed": 6, "warnings": 6}
    for n in range(6):
        assert "UserWarning" in run.line(f"number {n}")


def test_warnings_keep_their_class_message_phase_and_test(suite: Suite) -> None:
    suite.conftest(WATCHER)
    suite.write({"things.py": "class OurWarning(UserWarning):\n    pass\n"})
    suite.test(
        """
        import warnings
        from things import OurWarning

        def test_ours(): warnings.warn(OurWarning("of our own"))
        def test_old(): warnings.warn("old", DeprecationWarning)
        """
    )
    suite.run()
    ours = sorted(note.split(maxsplit=1)[1] for note in suite.notes())
    (suite.path / "notes.log").unlink()
    suite.plain()
    assert ours == sorted(note.split(maxsplit=1)[1] for note in suite.notes())
    assert "things.OurWarning|of our own|runtest|test_it.py::test_ours" in ours


def test_warnings_of_a_class_that_the_controller_cannot_import_are_kept(suite: Suite) -> None:
    suite.test(
        """
        import warnings

        class LocalWarning(UserWarning):
            def __init__(self, one, two):
                super().__init__(one, two)

        def test_it(): warnings.warn(LocalWarning("one", 2))
        """
    )
    run = suite.run()
    assert run.counts() == {"passed": 1, "warning": 1} or run.counts() == {"passed": 1, "warnings": 1}
    assert "LocalWarning" in run.out


def test_warnings_while_collecting_are_shown_once(suite: Suite) -> None:
    suite.test(
        """
        import warnings

        warnings.warn("at import")

        class TestWithInit:
            def __init__(self): pass
            def test_it(self): pass

        def test_it(): pass
        """
    )
    run, plain = suite.run(n="3"), suite.plain()
    assert run.counts() == plain.counts()
    assert run.out.count("UserWarning: at import") == 1
    assert run.out.count("cannot collect test class 'TestWithInit'") == 1


def test_warnings_while_configuring_are_shown_once(suite: Suite) -> None:
    suite.conftest(
        """
        def pytest_configure(config):
            config.issue_config_time_warning(UserWarning("while configuring"), stacklevel=2)
        """
    )
    suite.test("def test_it(): pass")
    run = suite.run()
    assert run.out.count("UserWarning: while configuring") == 1
    assert run.counts() == suite.plain().counts()


def test_warnings_turned_into_errors_fail_their_test(suite: Suite) -> None:
    suite.test("import warnings\ndef test_it(): warnings.warn('wrong')\ndef test_other(): pass\n")
    run = suite.run("-W", "error")
    assert run.counts() == {"passed": 1, "failed": 1}


def test_a_run_with_all_warnings_as_errors_is_clean(suite: Suite) -> None:
    suite.test("def test_it(): pass\ndef test_other(tmp_path): pass\n")
    run = suite.run_with({"PYTHONWARNINGS": "error"}, "-W", "error")
    assert run.ret == 0
    assert run.counts() == {"passed": 2}
    assert run.err == ""


def test_unknown_markers_are_warned_about_once(suite: Suite) -> None:
    suite.test("import pytest\n@pytest.mark.no_such_thing\ndef test_it(): pass\n")
    run = suite.run()
    assert run.counts() == suite.plain().counts()
    assert "no_such_thing" in run.line("PytestUnknownMarkWarning")


# Records attributes of warnings that plugins may use, and whether a module was imported that must not be.
ASKER = """
    import sys
    import support

    def pytest_warning_recorded(warning_message, when, nodeid, location):
        import os
        if "PYTEST_XDIST_WORKER" not in os.environ:
            category = warning_message.category
            kinds = [kind.__name__ for kind in category.__mro__]
            text = str(warning_message.message)
            is_one = isinstance(warning_message.message, category)
            support.note(f"{category.__module__}.{category.__qualname__}|{kinds}|{text!a}|{is_one}")

    def pytest_unconfigure(config):
        assert hasattr(config, "workerinput") or not any(
            name.startswith(("test_", "own_things")) for name in sys.modules
        ) or not config.getoption("numprocesses", None)
"""

ODD_WARNINGS = """
    import sys
    import types
    import warnings
    import pytest
    import own_things

    with open("imported", "a") as file:
        file.write("x")

    class Base(DeprecationWarning): pass
    class Ours(Base): pass
    class Mixed(own_things.Mixin, FutureWarning, ResourceWarning): pass
    class Wants(UserWarning):
        def __init__(self, one, *, two):
            self.both = f"{one} and {two}"
        def __str__(self): return self.both
    class Keeps(UserWarning):
        def __init__(self, thing):
            super().__init__(thing, sys.stdout.__class__)
    class WithMeta(UserWarning, metaclass=type("Meta", (type,), {})): pass
    gone = types.ModuleType("gone_by_now")
    Gone = type("Gone", (ImportWarning,), {"__module__": "gone_by_now"})

    def local():
        class Local(PendingDeprecationWarning): pass
        return Local("local")

    WARNINGS = [
        Ours("one", 2), Mixed("mixed"), Wants("a", two="b"), Keeps("thing"), WithMeta("meta"), Gone("gone"), local(),
        own_things.Elsewhere("else"), UserWarning(), UserWarning("multi", ("ple",)), UserWarning(object),
        UnicodeWarning("\u2603"),
    ]

    @pytest.mark.filterwarnings("always")
    @pytest.mark.parametrize("n", range(len(WARNINGS)))
    def test_it(n): warnings.warn(WARNINGS[n])

    @pytest.mark.filterwarnings("always")
    def test_source():
        warnings.warn("sourced", ResourceWarning, source=object())
        warnings.warn_explicit("explicit", Ours, "no such file", 3)
"""

OWN_THINGS = """
    import os
    class Mixin: pass
    class Elsewhere(SyntaxWarning): pass
    with open("imported_things", "a") as file:
        file.write("x")
"""


@pytest.mark.parametrize("run_mode", ["template", "early"])
def test_unusual_warnings_are_shown_as_in_plain_pytest_and_import_nothing(suite: Suite, run_mode: str) -> None:
    suite.write({"own_things.py": OWN_THINGS, "pytest.ini": "[pytest]\npythonpath = .\n"})
    suite.conftest(ASKER)
    suite.test(ODD_WARNINGS)
    plain = suite.plain()
    expected = sorted(note.split(maxsplit=1)[1] for note in suite.notes())
    for name in ("notes.log", "imported", "imported_things"):
        (suite.path / name).unlink()
    run = suite.run_in(run_mode)
    assert "INTERNALERROR" not in run.text
    assert run.ret == 0
    assert run.counts() == plain.counts()
    assert sorted(note.split(maxsplit=1)[1] for note in suite.notes()) == expected
    assert sorted(run.section("warnings summary")) == sorted(plain.section("warnings summary"))
    times = 1 if run_mode == "template" else 2
    assert (suite.path / "imported").read_text() == "x" * times
    assert (suite.path / "imported_things").read_text() == "x" * times


def test_a_module_level_getattr_is_not_called_for_a_warning_class(suite: Suite) -> None:
    suite.write(
        {
            "lazily.py": """
                def __getattr__(name):
                    open("asked", "a").write(name)
                    raise SystemExit
            """
        }
    )
    suite.conftest('__import__("lazily")\n')
    suite.test(
        """
        import warnings
        Late = type("Late", (UserWarning,), {"__module__": "lazily"})
        def test_it(): warnings.warn(Late("late"))
        def test_other(): pass
        """
    )
    run = suite.run()
    assert run.counts() == {"passed": 2, "warning": 1} or run.counts() == {"passed": 2, "warnings": 1}
    assert "Late: late" in run.out
    assert not (suite.path / "asked").exists()
