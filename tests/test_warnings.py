"""Warnings of workers reach the summary as what they are, as often as they were raised."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.harness import Suite

# A plugin that writes down each warning which reaches the controller.
WATCHER = """
    import support

    def pytest_warning_recorded(warning_message, when, nodeid, location):
        import os
        if "PYTEST_XDIST_WORKER" not in os.environ:
            category = warning_message.category
            support.note(f"{category.__module__}.{category.__name__}|{warning_message.message}|{when}|{nodeid}")
"""


def test_warnings_of_tests_are_counted_once_each(suite: Suite) -> None:
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


def test_warnings_made_errors_fail_their_test(suite: Suite) -> None:
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
