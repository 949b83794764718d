"""Tests are collected once; errors are shown once, and the other tests still run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

TWO = "def test_a(): pass\ndef test_b(): pass\n"


def test_a_module_is_imported_by_only_one_process(suite: Suite) -> None:
    suite.test("from support import note\nnote('imported')\n" + TWO)
    assert suite.run(n="4").ret == 0
    assert suite.notes() == ["gw0 imported"]


def test_the_controller_never_imports_a_test_module(suite: Suite) -> None:
    suite.conftest(
        """
        import sys
        import support

        def pytest_sessionfinish(session):
            if not hasattr(session.config, "workerinput"):
                support.note("test_it" in sys.modules)
        """
    )
    suite.test(TWO)
    suite.run()
    assert suite.notes() == ["main False"]


def test_an_error_in_a_module_is_shown_once_and_the_rest_runs(suite: Suite) -> None:
    broken = {
        "import": "import does_not_exist\n",
        "syntax": "def test_it(:\n",
        "value": "raise ValueError('at import')\n",
    }
    suite.write({f"test_{name}.py": text for name, text in broken.items()} | {"test_good.py": TWO})
    run = suite.run(n="3")
    assert run.ret == 1
    assert run.counts() == {"passed": 2, "errors": 3}, run.text
    for name in broken:
        assert f"_ ERROR collecting test_{name}.py _" in run.line(f"ERROR collecting test_{name}.py")
        assert len([line for line in run.lines if line.startswith(f"ERROR test_{name}.py")]) == 1


def test_errors_alone_end_with_the_status_of_failures(suite: Suite) -> None:
    suite.write({"test_broken.py": "import does_not_exist\n"})
    assert suite.run().ret == 1


def test_a_module_that_skips_itself_is_counted(suite: Suite) -> None:
    suite.write({"test_a.py": "import pytest\npytest.skip('not here', allow_module_level=True)\n", "test_b.py": TWO})
    run = suite.run("-rs")
    assert run.counts() == {"passed": 2, "skipped": 1}
    assert "not here" in run.line("SKIPPED")


def test_a_selection_by_node_id_keyword_and_marker_is_kept(suite: Suite) -> None:
    suite.test("import pytest\n@pytest.mark.skipif(False, reason='x')\ndef test_c(): pass\n" + TWO)
    assert set(suite.run("test_it.py::test_b").runs) == {"test_it.py::test_b"}
    assert set(suite.run("-k", "test_a").runs) == {"test_it.py::test_a"}
    assert set(suite.run("-m", "skipif").runs) == {"test_it.py::test_c"}


def test_node_ids_that_do_not_exist_are_the_error_of_plain_pytest(suite: Suite) -> None:
    suite.test(TWO)
    plain, run = suite.plain("test_it.py::test_z"), suite.run("test_it.py::test_z")
    assert run.ret == plain.ret == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: not found: " in run.text


@pytest.mark.parametrize(("start", "slow"), [("template", "gw0"), ("early", "gw0"), ("early", "gw1")])
def test_a_usage_error_is_shown_when_workers_exit_slowly(suite: Suite, start: str, slow: str) -> None:
    conftest = f"""
        import time
        import pytest

        def pytest_unconfigure(config):
            if hasattr(config, "workerinput"):
                time.sleep(0.7 if config.workerinput["workerid"] == "{slow}" else 0.1)
    """
    suite.write({"conftest.py": conftest})
    suite.test(TWO)
    run = suite.run("test_it.py::test_z", f"--rustpar-start={start}")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert run.text.count("ERROR: not found: ") == 1


def test_conftests_in_subdirectories_work(suite: Suite) -> None:
    suite.write(
        {
            "a/conftest.py": "import pytest\n@pytest.fixture\ndef where(): return 'a'\n",
            "b/conftest.py": "import pytest\n@pytest.fixture\ndef where(): return 'b'\n",
            "a/test_a.py": "def test_it(where): assert where == 'a'\n",
            "b/test_b.py": "def test_it(where): assert where == 'b'\n",
        }
    )
    assert suite.run().counts() == {"passed": 2}


def test_items_reordered_by_a_conftest_keep_that_order(suite: Suite) -> None:
    suite.conftest("def pytest_collection_modifyitems(items): items.reverse()\n")
    suite.test("import pytest\n@pytest.mark.parametrize('n', range(5))\ndef test_it(n): pass\n")
    run = suite.run(n="1")
    assert [r["nodeid"][-2] for r in run.reports if r["when"] == "call"] == list("43210")


def test_the_same_test_named_twice_runs_twice(suite: Suite) -> None:
    suite.test(TWO)
    args = ("--keep-duplicates", "test_it.py", "test_it.py")
    assert suite.run(*args).counts() == suite.plain(*args).counts()


def test_an_internal_error_while_collecting_is_shown_and_ends_the_run(suite: Suite) -> None:
    suite.conftest("def pytest_collection_modifyitems(items): raise ValueError('a plugin is broken')\n")
    suite.test(TWO)
    run = suite.run()
    assert run.ret == pytest.ExitCode.INTERNAL_ERROR
    assert "a plugin is broken" in run.text
    assert run.text.count("INTERNALERROR> ValueError: a plugin is broken") == 1


@pytest.mark.parametrize("where", ["worker", "controller"])
def test_an_internal_error_in_a_hook_is_shown_and_ends_the_run(suite: Suite, where: str) -> None:
    suite.conftest(
        f"""
        import os

        def pytest_runtest_logstart(nodeid):
            if ("PYTEST_XDIST_WORKER" in os.environ) is {where == "worker"}:
                raise ValueError("a plugin is broken")
        """
    )
    suite.test(TWO)
    run = suite.run()
    assert run.ret == pytest.ExitCode.INTERNAL_ERROR
    assert "INTERNALERROR> ValueError: a plugin is broken" in run.lines
    assert "Traceback" not in run.err


def test_an_internal_error_in_a_hook_of_one_test_is_shown(suite: Suite) -> None:
    suite.conftest(
        """
        def pytest_runtest_protocol(item):
            if item.name == "test_b":
                raise ValueError("a plugin is broken")
        """
    )
    suite.test(TWO)
    run = suite.run()
    assert run.ret == pytest.ExitCode.INTERNAL_ERROR
    assert "INTERNALERROR> ValueError: a plugin is broken" in run.lines


@pytest.mark.parametrize(("start", "dist"), [("template", "load"), ("early", "loadfile")])
def test_names_of_files_need_not_be_utf_8(suite: Suite, start: str, dist: str) -> None:
    tests = """
        import pytest

        @pytest.fixture(scope="module")
        def thing(): return 1

        @pytest.mark.parametrize("n", range(2))
        def test_passes(n, thing): pass

        def test_fails(record_property, thing):
            record_property("a", thing)
            print("before")
            assert 0
    """
    suite.write({os.fsdecode(name): tests for name in (b"test_one_\xff.py", b"test_two_\xfe.py")})
    # pytest's cache cannot store them.
    plain = suite.wait_for_exit(suite.start("-p", "no:cacheprovider", n="0"))
    run = suite.wait_for_exit(suite.start("-p", "no:cacheprovider", f"--rustpar-start={start}", f"--dist={dist}"))
    assert run.ret == plain.ret == pytest.ExitCode.TESTS_FAILED
    assert run.counts() == plain.counts() == {"passed": 4, "failed": 2}
    assert run.outcomes == plain.outcomes
    assert {tuple(one["location"]) for one in run.reports} == {tuple(one["location"]) for one in plain.reports}
