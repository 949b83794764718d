"""Without workers, the installed plugin has no effect, also in pytest's own testing tools and without other plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

IN_PROCESS = """
    import pytest
    from types import SimpleNamespace

    def begun(pytester):
        config = pytester.parseconfigure()
        session = pytest.Session.from_config(config)
        config.hook.pytest_sessionstart(session=session)
        return config, session

    def test_items(pytester):
        assert len(pytester.getitems("def test_a(): pass\\ndef test_b(): pass\\n")) == 2

    def test_an_item(pytester):
        assert pytester.getitem("def test_func(): pass\\n").name == "test_func"

    def test_a_module(pytester):
        module = pytester.getmodulecol("def test_func(): pass\\n")
        assert pytester.collect_by_name(module, "test_func").name == "test_func"
        assert pytester.getpathnode(module.path).name == module.name

    def test_a_run_of_one_item(pytester):
        from _pytest.runner import runtestprotocol
        item = pytester.getitem("def test_func(): pass\\n")
        assert [report.outcome for report in runtestprotocol(item, log=False)] == ["passed"] * 3

    @pytest.mark.parametrize("args", [[], ["-n2"], ["-n0"], ["-v"], ["--rustpar-slow=1s"]])
    def test_configurations(pytester, args):
        assert pytester.parseconfig(*args).rootpath
        assert pytester.parseconfigure(*args).rootpath

    @pytest.mark.parametrize("args", [[], ["-n0"], ["-v", "-rA"], ["--collect-only"], ["-p", "no:terminal"]])
    def test_runs_in_this_process(pytester, args):
        pytester.makepyfile("def test_func(): pass\\n")
        for _ in range(2):
            assert pytester.inline_run(*args).ret == 0
        items, _ = pytester.inline_genitems()
        assert len(items) == 1

    def test_two_ends_of_a_session(pytester):
        config, session = begun(pytester)
        for status in (pytest.ExitCode.OK, 1):
            config.hook.pytest_sessionfinish(session=session, exitstatus=status)

    def test_an_end_that_judges(pytester):
        pytester.makeini("[pytest]\\nrustpar_thresholds = max<1s\\nrustpar_slow = 1s\\n")
        config, session = begun(pytester)
        config.hook.pytest_sessionfinish(session=session, exitstatus=0)

    def test_a_second_collection_in_a_session(pytester):
        path = pytester.makepyfile(
            "import pytest\\n@pytest.fixture(scope='module')\\ndef shared(): pass\\ndef test_func(shared): pass\\n"
        )
        config, session = begun(pytester)
        for _ in range(2):
            assert len(session.perform_collect([str(path)])) == 1
        config.hook.pytest_sessionfinish(session=session, exitstatus=0)

    def test_odd_reports(pytester):
        config, _ = begun(pytester)
        location = ("a", None, "a")
        skip = pytest.TestReport("a", location, {}, "skipped", ("a", None, "why"), "setup")
        odd = pytest.TestReport("a", location, {}, "failed", 3, "teardown", user_properties=[(1, 2)], start=-1e300)
        odd.duration = float("nan")
        other = pytest.TestReport("b", location, {}, "failed", "text", "elsewhere", [("one", 2)])
        for report in (skip, odd, other):
            config.hook.pytest_runtest_logreport(report=report)

    def test_options_made_by_hand(pytester):
        config = pytester.parseconfig()
        for name in [name for name in vars(config.option) if name.startswith("rustpar")]:
            delattr(config.option, name)
        config._do_configure()
        config.hook.pytest_collection_modifyitems(session=None, config=config, items=[])
"""


@pytest.mark.parametrize("n", [None, "2"])
def test_pytests_own_testing_tools_work_in_a_test(suite: Suite, n: str | None) -> None:
    suite.conftest("pytest_plugins = ['pytester']\n")
    suite.test(IN_PROCESS)
    run = suite.run(n=n)
    assert set(run.counts()) == {"passed"}, run.text
    assert run.ret == 0


# Arguments with which no test runs, and others.
WITHOUT_TESTS = [
    ("--version",),
    ("--help",),
    ("--markers",),
    ("--fixtures",),
    ("--fixtures-per-test",),
    ("--collect-only",),
    ("--collect-only", "-q", "-n2"),
    ("--cache-show",),
]
WITH_TESTS = [
    ("--setup-plan",),
    ("-p", "no:terminal"),
    ("-p", "no:terminal", "-n2"),
    ("-p", "no:cacheprovider"),
    ("-p", "no:cacheprovider", "-n2"),
    ("-p", "no:xdist"),
    ("-p", "no:xdist", "-p", "no:terminal", "-p", "no:cacheprovider"),
    ("-p", "no:capture"),
    ("-p", "no:logging", "-p", "no:junitxml", "-p", "no:faulthandler"),
    ("-p", "no:faulthandler", "-n2"),
    ("-p", "no:tmpdir", "-n2"),
]


def test_options_with_which_no_test_runs_are_unchanged(suite: Suite) -> None:
    arguments = {" ".join(args): args for args in WITHOUT_TESTS}
    for name in arguments:
        suite.part(name).test("def test_one(): pass\ndef test_two(): pass\n")
    for name, run in suite.run_each(arguments).items():
        assert run.ret == 0, f"{name}\n{run.text}"
        assert "INTERNALERROR" not in run.text, name
        assert "most recent call last" not in run.text, name
        assert run.outcomes == {}, name


@pytest.mark.parametrize("args", WITH_TESTS, ids=" ".join)
def test_runs_without_workers_are_unchanged_and_need_no_other_plugins(suite: Suite, args: tuple[str, ...]) -> None:
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    run = suite.run(*args, n=None)
    assert run.ret == 0, run.text
    assert "INTERNALERROR" not in run.text
    assert "most recent call last" not in run.text
    tests = ["test_it.py::test_one", "test_it.py::test_two"]
    whens = ("setup", "teardown") if args == ("--setup-plan",) else ("setup", "call", "teardown")
    phases = [(when, "passed", False) for when in whens]
    assert run.outcomes == dict.fromkeys(tests, phases)


@pytest.mark.parametrize(("cache_dir", "n"), [("a_file", None), ("/proc/nowhere", "2")])
def test_an_unwritable_cache_does_not_fail_the_run(suite: Suite, n: str | None, cache_dir: str) -> None:
    suite.write({"a_file": ""})
    suite.test("def test_one(): pass\ndef test_two(): pass\n")
    run = suite.run("-o", f"cache_dir={cache_dir}", n=n)
    assert run.ret == 0, run.text
    assert run.counts()["passed"] == 2


LOADERS = """
    import sys
    from _pytest.assertion.rewrite import AssertionRewritingHook

    def test_it():
        ours = [module for name, module in sys.modules.items() if name.partition(".")[0] == "rustpar"]
        rewritten = [module.__name__ for module in ours if isinstance(module.__loader__, AssertionRewritingHook)]
        assert set(rewritten) <= {"rustpar"}
        assert sys.modules["rustpar.plugin"] in ours
"""


@pytest.mark.parametrize(("args", "n"), [((), None), ((), "2"), (("-p", "rustpar"), None)])
def test_assertions_in_the_plugins_modules_are_not_rewritten(
    suite: Suite, n: str | None, args: tuple[str, ...]
) -> None:
    suite.test(LOADERS)
    run = suite.run("-W", "error", *args, n=n)
    assert run.counts() == {"passed": 1}, run.text
    assert run.ret == 0


@pytest.mark.parametrize("arguments", [[], ["-p", "rustpar"]], ids=" ".join)
def test_pytest_can_be_called_again_and_after_an_import(
    pytester: pytest.Pytester, suite: Suite, arguments: list[str]
) -> None:
    suite.test("def test_one(): pass\n")
    suite.write(
        {
            "calls.py": f"""
                import sys
                import rustpar.plugin
                import pytest

                sys.exit(pytest.main([*{arguments}, "-Werror"]) or pytest.main([*{arguments}, "-Werror", "-n2"]))
            """
        }
    )
    result = pytester.runpython(pytester.path / "calls.py")
    assert result.ret == 0, result.stdout.str()
    assert "rewritten" not in result.stdout.str() + result.stderr.str()
