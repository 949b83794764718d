"""The option, the entry of the configuration file and the marker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

LEAKING = "import os\ndef test_it(): os.environ['LEFT'] = '1'"
LINE = "test_it.py::test_it left the environment changed: added LEFT"


@pytest.mark.parametrize(
    ("entry", "arguments", "found"),
    [
        ("warn", (), True),
        ("true", (), True),
        ("false", (), False),
        ("off", (), False),
        ("warn", ("--rustpar-leaks=off",), False),
        ("off", ("--rustpar-leaks=warn",), True),
    ],
)
def test_the_option_takes_precedence_over_the_file(
    suite: Suite, entry: str, arguments: tuple[str, ...], found: bool
) -> None:
    suite.write({"pytest.ini": f"[pytest]\nrustpar_leaks = {entry}\n"})
    suite.test(LEAKING)
    run = suite.run(*arguments, n=None)
    assert run.ret == 0
    assert run.section("leaks") == ([LINE] if found else [])


def test_invalid_values_are_usage_errors_in_one_line(suite: Suite) -> None:
    suite.test(LEAKING)
    run = suite.run("--rustpar-leaks=some", n=None)
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "argument --rustpar-leaks: invalid choice: 'some'" in run.text
    suite.write({"pytest.ini": "[pytest]\nrustpar_leaks = some\n"})
    run = suite.run(n="2")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: rustpar_leaks = some: use off, warn or fail" in run.text
    assert "Traceback" not in run.text


def test_a_mark_with_an_unknown_kind_allows_nothing_and_is_warned_about(suite: Suite) -> None:
    suite.test("import os, pytest\n@pytest.mark.allow_leaks('env')\ndef test_it(): os.environ['LEFT'] = '1'")
    run = suite.run("--rustpar-leaks=warn", "--strict-markers")
    assert run.section("leaks") == [LINE]
    assert run.line("invalid allow_leaks mark").endswith(
        "test_it.py::test_it: invalid allow_leaks mark: 'env': expected one of "
        "processes, threads, descriptors, tempfiles, environment, directory"
    )


def test_nothing_is_registered_without_the_option(suite: Suite) -> None:
    suite.conftest(
        """
        import sys

        def pytest_sessionfinish(session):
            names = [name for name, _ in session.config.pluginmanager.list_name_plugin() if "leak" in name]
            assert not names and "rustpar.leaks.detector" not in sys.modules
        """
    )
    suite.test("def test_it(): pass")
    assert suite.run().ret == 0
