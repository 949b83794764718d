"""xdist's hooks are called with node objects that have the attributes plugins use."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.harness import Suite

TWO = """
    from support import meet

    def test_a(): meet("a", "b")
    def test_b(): meet("b", "a")
"""


def test_hooks_are_called_in_xdists_order_for_every_worker(suite: Suite) -> None:
    suite.conftest(
        """
        from support import note

        def pytest_xdist_setupnodes(config, specs): note(f"setupnodes {len(specs)}")
        def pytest_xdist_newgateway(gateway): note(f"newgateway {gateway.id}")
        def pytest_configure_node(node): note(f"configure {node.gateway.id}")
        def pytest_testnodeready(node): note(f"ready {node.gateway.id}")
        def pytest_xdist_node_collection_finished(node, ids):
            note(f"collected {node.gateway.id} {' '.join(ids)}")
        def pytest_testnodedown(node, error): note(f"down {node.gateway.id} {error}")
        """
    )
    suite.test(TWO)
    assert suite.run().ret == 0
    notes = [note.removeprefix("main ") for note in suite.notes()]
    assert notes[0] == "setupnodes 2"
    for name in ("gw0", "gw1"):
        assert [note for note in notes if name in note] == [
            f"newgateway {name}",
            f"configure {name}",
            f"ready {name}",
            f"collected {name} test_it.py::test_a test_it.py::test_b",
            f"down {name} None",
        ]


def test_nodes_have_the_attributes_of_xdists(suite: Suite) -> None:
    suite.conftest(
        """
        import platform, sys

        def pytest_testnodeready(node):
            info = node.gateway._rinfo()
            assert info.platform == sys.platform
            assert tuple(info.version_info) == tuple(sys.version_info)
            assert info.executable == sys.executable
            assert node.gateway.spec.id == node.gateway.id
            assert node.gateway.spec.popen
            assert node.workerinfo["id"] == node.gateway.id
            assert node.workerinfo["sysplatform"] == sys.platform
            assert tuple(node.workerinfo["version_info"]) == tuple(sys.version_info)
            assert node.workerinfo["executable"] == sys.executable
            assert node.workerinfo["version"] == sys.version
            assert node.workerinfo["spec"] is node.gateway.spec
            assert node.workerinfo["cwd"]
            assert node.workerinfo["platform"] == platform.platform()
            assert node.workerinput["workerid"] == node.gateway.id
            assert node.config.option.numprocesses == 2
            assert list(node.nodemanager.roots) == []
            assert node.nodemanager.testrunuid == node.workerinput["testrunuid"]
            assert len(node.nodemanager.specs) == 2
            assert not node.shutting_down
            assert repr(node) == f"<WorkerController {node.gateway.id}>"
            sys.stderr.write(f"checked {node.gateway.id}\\n")

        def pytest_testnodedown(node, error):
            assert node.workeroutput["exitstatus"] == 0
            assert node.workeroutput["shouldfail"] is False
            assert node.workeroutput["shouldstop"] is False
            sys.stderr.write(f"checked the end of {node.gateway.id}\\n")
        """
    )
    suite.test(TWO)
    run = suite.run("-s")
    assert run.ret == 0, run.text
    for name in ("gw0", "gw1"):
        assert f"checked {name}" in run.err
        assert f"checked the end of {name}" in run.err


def test_reports_name_worker_run_and_index(suite: Suite) -> None:
    suite.test(TWO + "    def test_fails(): assert 0\n")
    run = suite.run("--testrunuid=ours")
    assert len(run.reports) == 9
    for report in run.reports:
        assert report["worker"] == report["worker_id"]
        assert report["worker"] in ("gw0", "gw1")
        assert report["testrun_uid"] == "ours"
        assert report["item_index"] == ["test_a", "test_b", "test_fails"].index(report["nodeid"].rpartition("::")[2])


def test_log_hooks_are_called_around_each_test(suite: Suite) -> None:
    suite.conftest(
        """
        import os
        from support import note

        def pytest_runtest_logstart(nodeid, location):
            if "PYTEST_XDIST_WORKER" not in os.environ:
                note(f"start {nodeid} {location}")

        def pytest_runtest_logreport(report):
            if "PYTEST_XDIST_WORKER" not in os.environ:
                note(f"report {report.nodeid} {report.when}")

        def pytest_runtest_logfinish(nodeid, location):
            if "PYTEST_XDIST_WORKER" not in os.environ:
                note(f"finish {nodeid} {location}")
        """
    )
    suite.test("def test_a(): pass\n")
    suite.run()
    ours = suite.notes()
    (suite.path / "notes.log").unlink()
    suite.plain()
    assert ours == suite.notes()
    assert len(ours) == 5


def test_the_session_plugin_is_found_under_xdists_name(suite: Suite) -> None:
    suite.conftest(
        """
        from support import note

        def pytest_sessionfinish(session):
            if not hasattr(session.config, "workerinput"):
                dsession = session.config.pluginmanager.get_plugin("dsession")
                has_xdist = session.config.pluginmanager.hasplugin("xdist")
                note(f"{has_xdist} {len(dsession.sched.nodes)} {dsession.nodemanager.testrunuid}")
                note(f"{session.testscollected} {session.testsfailed}")
        """
    )
    suite.test(TWO)
    assert suite.run("--testrunuid=u").ret == 0
    assert suite.notes() == ["main True 0 u", "main 2 0"]


def test_a_replacement_is_announced_like_every_worker(suite: Suite) -> None:
    suite.conftest(
        """
        from support import note

        def pytest_configure_node(node):
            note(f"configure {node.gateway.id}")
            node.workerinput["who"] = node.gateway.id

        def pytest_testnodeready(node): note(f"ready {node.gateway.id}")
        """
    )
    suite.test(
        """
        import os

        def test_crashes(): os._exit(1)
        def test_after(request, worker_id):
            assert worker_id == os.environ["PYTEST_XDIST_WORKER"] == "gw1"
            assert request.config.workerinput["who"] == "gw1"
        """
    )
    run = suite.run(n="1")
    assert run.counts() == {"failed": 1, "passed": 1}
    assert suite.notes() == ["main configure gw0", "main ready gw0", "main configure gw1", "main ready gw1"]


def test_hooks_of_a_session_run_once_in_each_worker(suite: Suite) -> None:
    suite.conftest(
        """
        from support import note

        def pytest_sessionfinish(session): note("sessionfinish")
        def pytest_unconfigure(config): note("unconfigure")
        """
    )
    suite.test(TWO)
    assert suite.run().ret == 0
    notes = suite.notes()
    for name in ("gw0", "gw1", "main"):
        assert [note for note in notes if note.startswith(name)] == [
            f"{name} sessionfinish",
            f"{name} unconfigure",
        ]


def test_python_of_the_worker_is_that_of_the_controller(suite: Suite) -> None:
    suite.test("import sys\nfrom support import note\ndef test_it(): note(sys.executable)\n")
    suite.run()
    assert suite.notes() == [f"gw0 {sys.executable}"]


def test_a_plugin_in_the_controller_can_find_referrers_of_an_object(suite: Suite) -> None:
    suite.test("def test_one(): pass\n")
    suite.conftest(
        """
        import gc

        class Kept: pass

        kept = Kept()
        holder = [kept]

        def pytest_terminal_summary(terminalreporter):
            terminalreporter.write_line(f"found: {any(other is holder for other in gc.get_referrers(kept))}")
        """
    )
    assert suite.run().line("found: ") == "found: True"
