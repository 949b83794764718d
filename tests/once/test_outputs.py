"""Where fixtures that are set up once per run are shown."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.once.suites import MANY_TESTS, write

if TYPE_CHECKING:
    from tests.harness import Suite


@pytest.mark.parametrize("mode", ["plain", "template"])
def test_setup_show_shows_set_up_and_teardown_once(suite: Suite, mode: str) -> None:
    write(suite, MANY_TESTS)
    run = suite.run_in(mode, "--setup-show")
    assert run.counts() == {"passed": 6}
    assert re.findall(r"(SETUP|TEARDOWN) +S (settings|server)\b", run.out) == [
        ("SETUP", "settings"),
        ("SETUP", "server"),
        ("TEARDOWN", "server"),
        ("TEARDOWN", "settings"),
    ]
    assert "SETUP    S server (fixtures used: settings)" in run.out


def test_setup_show_tells_parameters_apart_before_the_tests(suite: Suite) -> None:
    write(
        suite,
        "def test_it(server): print('in a test')\n",
        """
        import pytest

        @pytest.fixture(scope="session", params=["a", "b"])
        def server(request):
            yield request.param
        """,
    )
    run = suite.run_in("template", "--setup-show", "-s")
    assert re.findall(r"(SETUP|TEARDOWN) +S (server\S*)|(in a test)", run.out) == [
        ("SETUP", "server['a']", ""),
        ("SETUP", "server['b']", ""),
        ("", "", "in a test"),
        ("", "", "in a test"),
        ("TEARDOWN", "server['b']", ""),
        ("TEARDOWN", "server['a']", ""),
    ]


def test_the_timeline_lists_them_with_their_time(suite: Suite) -> None:
    write(suite, MANY_TESTS)
    suite.run_in("template", "--rustpar-timeline=timeline.html")
    page = (suite.path / "timeline.html").read_text()
    (listed,) = re.findall(r'"once":(\[.*?\])', page)
    assert [fixture["key"] for fixture in json.loads(listed)] == ["::settings", "::server"]
