"""The identity of a worker: environment, fixtures, ``workerinput`` and functions, as in xdist's workers."""

from __future__ import annotations

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


def test_the_environment_names_worker_count_and_run(suite: Suite) -> None:
    notes = notes_of(
        suite, "note(os.environ['PYTEST_XDIST_WORKER_COUNT'] + ' ' + os.environ['PYTEST_XDIST_TESTRUNUID'])"
    )
    assert [note.split()[:2] for note in notes] == [["gw0", "2"], ["gw1", "2"]]
    assert notes[0].split()[2] == notes[1].split()[2] != ""


def test_the_fixtures_name_worker_and_run(suite: Suite) -> None:
    notes = notes_of(suite, "note(f'{worker_id} {testrun_uid}')", "--testrunuid=ours")
    assert notes == ["gw0 gw0 ours", "gw1 gw1 ours"]


def test_worker_id_is_master_without_workers(suite: Suite) -> None:
    suite.test("def test_it(worker_id): assert worker_id == 'master'\n")
    assert suite.run(n="0").ret == 0


def test_the_functions_of_xdist_return_the_same_as_in_its_workers(suite: Suite) -> None:
    body = (
        "import xdist as x; r = request; "
        "note(f'{x.is_xdist_worker(r)} {x.get_xdist_worker_id(r)} {x.is_xdist_controller(r)}')"
    )
    assert notes_of(suite, body) == ["gw0 True gw0 False", "gw1 True gw1 False"]


def test_options_in_a_worker_are_those_of_xdists_workers(suite: Suite) -> None:
    body = "o = config.option; note(repr((o.dist, o.numprocesses, o.tx, o.usepdb, o.maxfail)))"
    notes = notes_of(suite, body, "--maxfail=7")
    assert notes == ["gw0 ('no', None, [], False, 7)", "gw1 ('no', None, [], False, 7)"]


def test_workerinput_holds_the_workers_own_values(suite: Suite) -> None:
    keys = "('workerid', 'workercount', 'testrunuid')"
    body = f"i = config.workerinput; note(repr((*map(i.get, {keys}), bool(i['mainargv']))))"
    notes = notes_of(suite, body, "--testrunuid=u")
    assert notes == ["gw0 ('gw0', 2, 'u', True)", "gw1 ('gw1', 2, 'u', True)"]


def test_temporary_directories_are_below_the_workers_own_base(suite: Suite) -> None:
    notes = notes_of(suite, "note(tmp_path_factory.getbasetemp())")
    bases = [note.split()[1] for note in notes]
    assert [base.rpartition("/")[2] for base in bases] == ["popen-gw0", "popen-gw1"]
    assert bases[0].rpartition("/")[0] == bases[1].rpartition("/")[0]


def test_temporary_directories_are_below_a_given_base(suite: Suite) -> None:
    notes = notes_of(suite, "note(tmp_path)", "--basetemp=given")
    for number, note in enumerate(notes):
        assert f"/given/popen-gw{number}/test_it" in note


def test_a_base_made_while_collecting_is_not_shared(suite: Suite) -> None:
    suite.conftest("def pytest_sessionstart(session): session.config._tmp_path_factory.getbasetemp()\n")
    notes = notes_of(suite, "note(tmp_path_factory.getbasetemp())")
    assert [note.rpartition("/")[2] for note in notes] == ["popen-gw0", "popen-gw1"]


def test_a_kept_reference_to_workerinput_names_the_worker(suite: Suite) -> None:
    suite.conftest(
        """
        def pytest_configure(config):
            config.kept = getattr(config, "workerinput", None)
        """
    )
    assert notes_of(suite, "note(config.kept['workerid'])") == ["gw0 gw0", "gw1 gw1"]


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


def test_the_main_module_is_pytests_own(suite: Suite) -> None:
    notes = notes_of(suite, "note(sys.modules['__main__'].__file__.rpartition('/')[2])")
    assert notes == ["gw0 __main__.py", "gw1 __main__.py"]


def test_the_current_test_is_in_the_environment(suite: Suite) -> None:
    notes = notes_of(suite, "note(os.environ['PYTEST_CURRENT_TEST'])")
    assert {note.split(maxsplit=1)[1] for note in notes} == {
        "test_it.py::test_it[a-b] (call)",
        "test_it.py::test_it[b-a] (call)",
    }


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
