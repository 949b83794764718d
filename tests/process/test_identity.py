"""The identity of a worker: environment, fixtures, ``workerinput`` and functions, as in xdist's workers."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

# Runs in both workers: each test waits for the other.
BOTH = """
    import os
    import sys
    import pytest
    from support import meet, note

    @pytest.mark.parametrize("me, other", [("a", "b"), ("b", "a")])
    def test_it(me, other, request, worker_id, testrun_uid, tmp_path, tmp_path_factory):
        meet(me, other)
        config = request.config
        {body}
"""


def notes_of(suite: Suite, body: str, *args: str) -> list[str]:
    suite.test(BOTH.format(body=body))
    run = suite.run(*args)
    assert run.ret == 0, run.text
    assert run.used_rustpar()
    return sorted(suite.notes())


# Expressions that name a worker or its run, and their values in the worker with the name NAME.
NAMES = {
    "os.environ['PYTEST_XDIST_WORKER']": "NAME",
    "os.environ['PYTEST_XDIST_WORKER_COUNT']": "2",
    "os.environ['PYTEST_XDIST_TESTRUNUID']": "ours",
    "os.environ['PYTEST_CURRENT_TEST']": "test_it.py::test_it[ME] (call)",
    "worker_id": "NAME",
    "testrun_uid": "ours",
    "xdist.is_xdist_worker(request), xdist.get_xdist_worker_id(request)": "(True, 'NAME')",
    "xdist.is_xdist_controller(request)": "False",
    "option.dist, option.numprocesses, option.tx, option.usepdb, option.maxfail": "('no', None, [], False, 7)",
    "tuple(config.workerinput[key] for key in ('workerid', 'workercount', 'testrunuid'))": "('NAME', 2, 'ours')",
    "bool(config.workerinput['mainargv'])": "True",
    "config.kept['workerid']": "NAME",
    "tmp_path_factory.getbasetemp().name": "popen-NAME",
    "sys.modules['__main__'].__file__.rpartition('/')[2]": "__main__.py",
}


def test_everything_that_names_a_worker_or_its_run_is_as_in_xdists_workers(suite: Suite) -> None:
    suite.conftest("def pytest_configure(config): config.kept = getattr(config, 'workerinput', None)\n")
    evaluate = (
        "import xdist; option = config.option; scope = {**globals(), **locals()}; "
        "note(repr({one: str(eval(one, scope)) for one in EXPRESSIONS} | {'me': me}))"
    )
    body = (
        evaluate.replace("EXPRESSIONS", repr(list(NAMES))) + "; note(f'base {tmp_path_factory.getbasetemp().parent}')"
    )
    notes = [note.split(" ", 1) for note in notes_of(suite, body, "--testrunuid=ours", "--maxfail=7")]
    found = {worker: ast.literal_eval(text) for worker, text in notes if text.startswith("{")}
    assert set(found) == {"gw0", "gw1"}
    for worker, values in found.items():
        me = {"a": "a-b", "b": "b-a"}[values.pop("me")]
        assert values == {one: value.replace("NAME", worker).replace("ME", me) for one, value in NAMES.items()}
    assert len({text for _, text in notes if text.startswith("base ")}) == 1


def test_worker_id_is_master_without_workers(suite: Suite) -> None:
    suite.test("def test_it(worker_id): assert worker_id == 'master'\n")
    assert suite.run(n="0").ret == 0


def test_temporary_directories_are_below_a_given_base(suite: Suite) -> None:
    notes = notes_of(suite, "note(tmp_path)", "--basetemp=given")
    for number, note in enumerate(notes):
        assert f"/given/popen-gw{number}/test_it" in note


def test_a_base_made_while_collecting_is_not_shared(suite: Suite) -> None:
    suite.conftest("def pytest_sessionstart(session): session.config._tmp_path_factory.getbasetemp()\n")
    notes = notes_of(suite, "note(tmp_path_factory.getbasetemp())")
    assert [note.rpartition("/")[2] for note in notes] == ["popen-gw0", "popen-gw1"]


def test_values_are_sent_to_workers_and_back(suite: Suite) -> None:
    suite.conftest(
        """
        import support

        def pytest_configure_node(node):
            node.workerinput["ours"] = {"list": [1, 2.5, None, True, "x", b"y"], "for": node.gateway.id}

        def pytest_sessionfinish(session):
            config = session.config
            if hasattr(config, "workerinput"):
                config.workeroutput["back"] = [config.workerinput["ours"], config.workerinput["workerid"]]

        def pytest_testnodedown(node, error):
            output = node.workeroutput
            support.note(f"{node.gateway.id} {output['back']!r} {output['exitstatus']} {error}")
        """
    )
    suite.test(BOTH.format(body="pass"))
    assert suite.run().ret == 0
    assert sorted(suite.notes()) == [
        f"main {name} [{{'list': [1, 2.5, None, True, 'x', b'y'], 'for': '{name}'}}, '{name}'] 0 None"
        for name in ("gw0", "gw1")
    ]


def test_a_value_that_cannot_be_sent_to_workers_is_one_line(suite: Suite) -> None:
    suite.conftest("def pytest_configure_node(node): node.workerinput['ours'] = object()\n")
    suite.test("def test_it(): pass")
    run = suite.run()
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "workerinput" in run.text
    assert "Traceback" not in run.text
    assert "INTERNALERROR" not in run.text


def test_a_value_that_cannot_be_sent_back_does_not_end_the_run(suite: Suite) -> None:
    suite.conftest(
        """
        def pytest_sessionfinish(session):
            if hasattr(session.config, "workerinput"):
                session.config.workeroutput["ours"] = object()
        """
    )
    suite.test("def test_it(): pass")
    run = suite.run(n="1")
    assert run.counts() == {"passed": 1}
    assert "object" in run.line("rustpar: what a plugin set")


def test_environment_variables_set_in_the_controller_reach_the_workers(suite: Suite) -> None:
    suite.conftest(
        """
        import os

        def pytest_configure(config):
            if not hasattr(config, "workerinput"):
                os.environ["SERVICE_URL"] = "http://here"
                os.environ.pop("NOT_FOR_WORKERS", None)
        """
    )
    suite.test(
        """
        import os
        import pytest

        @pytest.mark.parametrize("n", range(4))
        def test_it(n):
            assert os.environ["SERVICE_URL"] == "http://here"
            assert "NOT_FOR_WORKERS" not in os.environ
        """
    )
    assert suite.run_with({"NOT_FOR_WORKERS": "1"}).counts() == {"passed": 4}
