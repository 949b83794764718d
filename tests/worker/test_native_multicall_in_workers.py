"""With native hook calls, conftests, warnings and tracebacks behave as in plain pytest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.harness import Run, Suite


def test_hooks_of_a_conftest_wrap_those_of_pytest_in_workers(suite: Suite) -> None:
    suite.write(
        {
            "old_style.py": """
                import pytest

                @pytest.hookimpl(hookwrapper=True)
                def pytest_runtest_makereport(item, call):
                    outcome = yield
                    outcome.get_result().sections.append(("old", call.when))
            """
        }
    )
    suite.conftest(
        """
        import pytest
        from support import note

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport(item, call):
            report = yield
            report.sections.append(("new", report.outcome))
            return report

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_runtest_call(item):
            try:
                return (yield)
            except ValueError as error:
                pytest.skip(f"not today: {error}")

        def pytest_runtest_teardown(item, nextitem):
            note(f"teardown {item.name}")
        """
    )
    suite.test(
        """
        import pytest

        def test_passes(): pass
        def test_fails(): assert 0
        def test_cannot(): raise ValueError("wrong")
        """
    )
    run = suite.run("-p", "old_style")
    notes = sorted(note.split(maxsplit=1)[1] for note in suite.notes())
    plain = suite.plain("-p", "old_style")
    assert run.used_rustpar()
    assert run.outcomes == plain.outcomes
    assert run.counts() == {"passed": 1, "failed": 1, "skipped": 1}
    for name, outcome in (("test_passes", "passed"), ("test_fails", "failed"), ("test_cannot", "skipped")):
        sections = run.report(name)["sections"]
        assert sections == plain.report(name)["sections"]
        assert ["old", "call"] in sections
        assert ["new", outcome] in sections
    assert notes == ["teardown test_cannot", "teardown test_fails", "teardown test_passes"]


def test_warnings_name_the_same_line_as_in_plain_pytest(suite: Suite) -> None:
    suite.conftest(
        """
        import warnings

        def pytest_runtest_makereport(item, call):
            for level in (1, 2, 3):
                warnings.warn(f"of a hook in {call.when}, level {level}", stacklevel=level)
        """
    )
    suite.test(
        """
        import pytest
        import warnings

        def warn(name, level):
            warnings.warn(f"of a {name}, level {level}", stacklevel=level)

        @pytest.fixture
        def warning():
            for level in range(1, 7):
                warn("fixture", level)

        @pytest.mark.parametrize("level", range(1, 6))
        def test_it(level, warning):
            warn("test", level)
        """
    )
    run, plain = suite.run(), suite.plain()
    assert run.used_rustpar()

    def places(lines: list[str]) -> list[str]:
        return sorted(line.strip() for line in lines if "UserWarning: of a " in line)

    assert places(run.lines) == places(plain.lines)
    assert any("pluggy" in line and "of a hook" in line for line in plain.lines)
    assert any("pluggy" in line and "of a test" in line for line in plain.lines)


def test_full_tracebacks_show_all_frames_in_workers(suite: Suite) -> None:
    suite.test("def test_it(): assert 0\n")

    def places(run: Run) -> list[str]:
        return re.findall(r"^\S+\.py:\d+", run.report("test_it")["longrepr"], re.MULTILINE)

    run, plain = suite.run("--full-trace"), suite.plain("--full-trace")
    assert places(run) == places(plain)
    assert any("pluggy" in place for place in places(plain))
