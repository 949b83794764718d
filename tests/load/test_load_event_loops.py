"""Load tests of coroutines with the plugins that run them in ordinary runs: pytest-asyncio, and anyio's with trio."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

# Other plugins that are installed change the summary.
APART = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}

pytestmark = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("anyio", "pytest_asyncio", "trio")), reason="needs the plugins"
)


def test_tests_of_pytest_asyncio_are_load_tests(suite: Suite) -> None:
    suite.test(
        """
        import asyncio
        import pytest, pytest_asyncio

        @pytest_asyncio.fixture(scope="session", loop_scope="session")
        async def loop():
            yield asyncio.get_running_loop()

        @pytest_asyncio.fixture(loop_scope="session")
        async def user(load, loop):
            await asyncio.sleep(0)
            yield load.user
            await asyncio.sleep(0)

        @pytest.mark.asyncio(loop_scope="session")
        @pytest.mark.load(users=4, iterations=80)
        async def test_it(user, load, loop):
            await asyncio.sleep(0.001)
            assert user == load.user
            assert asyncio.get_running_loop() is loop
        """
    )
    options = ("-p", "xdist", "-p", "rustpar", "-p", "asyncio", "-W", "ignore::pytest.PytestDeprecationWarning")
    assert suite.run_with(APART, *options).counts() == {"passed": 1}
    run = suite.run_with(APART, "--rustpar-load", *options)
    assert run.counts() == {"passed": 1}, run.text


def test_tests_of_anyio_are_load_tests_on_both_loops(suite: Suite) -> None:
    suite.test(
        """
        import sys
        import anyio, pytest

        pytestmark = pytest.mark.anyio

        @pytest.fixture
        async def user(load):
            # A cancel scope ends in the task in which it has begun.
            async with anyio.create_task_group():
                yield load.user

        @pytest.mark.load(users=4, iterations=80, think="1ms")
        async def test_it(user, load, anyio_backend_name):
            assert ("trio" in sys.modules) >= (anyio_backend_name == "trio")
            await anyio.sleep(0.001)
            assert user == load.user

        @pytest.mark.load(rate=100, duration="0.4s", fresh=True)
        async def test_rate(user, load):
            await anyio.sleep(0.001)

        @pytest.mark.load(users=2, duration="0.3s", graceful_stop="0.1s")
        async def test_stuck(load):
            await anyio.sleep(60 if load.user == 1 else 0.01)
        """
    )
    run = suite.run_with(APART, "--rustpar-load", "-p", "xdist", "-p", "rustpar", "-p", "anyio")
    assert run.counts() == {"passed": 6}, run.text
    assert run.out.count("interrupted iterations: 1") == 2


def test_trio_without_anyio_is_a_usage_error(suite: Suite) -> None:
    suite.conftest("import sys\nsys.modules['anyio'] = sys.modules['anyio.from_thread'] = None\n")
    suite.test(
        """
        import pytest

        @pytest.mark.trio
        @pytest.mark.load(users=1, iterations=1)
        async def test_it():
            pass
        """
    )
    run = suite.run_with(APART, "--rustpar-load", "-W", "ignore", "-p", "xdist", "-p", "rustpar")
    assert run.ret != 0
    assert "load tests on trio need anyio and trio" in run.out


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_load_tests_run_beside_many_plugins(suite: Suite, kind: str) -> None:
    suite.test(
        f"""
        import pytest

        @pytest.fixture
        def own(load, tmp_path):
            return [load.user]

        @pytest.mark.load(users=4, iterations=80)
        {kind} test_it(own, load):
            assert own == [load.user]
        """
    )
    # Some of them have automatic fixtures, which change the process.
    run = suite.run("--rustpar-load", "-p", "no:sugar", "-p", "no:randomly")
    assert run.ret == 0, run.text
    assert "1 passed" in run.out
