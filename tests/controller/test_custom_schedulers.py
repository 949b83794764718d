"""A scheduler that a plugin returns from ``pytest_xdist_make_scheduler`` is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

SIX = """
    import pytest

    @pytest.mark.parametrize("n", range(6))
    def test_it(n):
        pass
"""


def test_a_scope_scheduler_of_a_conftest_decides_what_stays_together(suite: Suite) -> None:
    suite.conftest(
        """
        from xdist.scheduler import LoadScopeScheduling

        class ByParity(LoadScopeScheduling):
            def _split_scope(self, nodeid):
                return str(int(nodeid[-2]) % 2)

        def pytest_xdist_make_scheduler(config, log):
            return ByParity(config, log)
        """
    )
    suite.test(SIX)
    run = suite.run("-v")
    assert run.used_rustpar()
    assert run.ret == 0
    assert "scheduling tests via ByParity" in run.lines
    assert sorted(run.runs.values()) == [1] * 6
    for parity in ("024", "135"):
        assert len(set().union(*(run.workers[f"test_it.py::test_it[{n}]"] for n in parity))) == 1


def test_a_group_scheduler_sees_the_group_behind_the_node_id(suite: Suite) -> None:
    suite.conftest(
        """
        import support
        from xdist.scheduler import LoadGroupScheduling

        class Mine(LoadGroupScheduling):
            def _split_scope(self, nodeid):
                support.note(nodeid)
                return super()._split_scope(nodeid)

        def pytest_xdist_make_scheduler(config, log):
            return Mine(config, log)
        """
    )
    suite.test(
        """
        import pytest

        @pytest.mark.xdist_group("g")
        def test_a(): pass

        @pytest.mark.xdist_group("g")
        def test_b(): pass

        def test_free(): pass
        """
    )
    run = suite.run("--dist", "loadgroup")
    assert run.ret == 0
    assert {line.split()[1] for line in suite.notes()} == {
        "test_it.py::test_a@g",
        "test_it.py::test_b@g",
        "test_it.py::test_free",
    }
    assert set(run.runs) == {"test_it.py::test_a", "test_it.py::test_b", "test_it.py::test_free"}
    assert run.workers["test_it.py::test_a"] == run.workers["test_it.py::test_b"]


def test_xdists_own_schedulers_can_be_returned_as_they_are(suite: Suite) -> None:
    suite.conftest(
        """
        import os
        import xdist.scheduler

        def pytest_xdist_make_scheduler(config, log):
            return getattr(xdist.scheduler, os.environ["SCHEDULER"])(config, log)
        """
    )
    suite.test(SIX)
    for name in ("LoadScheduling", "LoadFileScheduling", "WorkStealingScheduling", "EachScheduling"):
        run = suite.run_with({"SCHEDULER": name})
        assert run.ret == 0, f"{name}:\n{run.text}"
        assert set(run.runs.values()) == {2 if name.startswith("Each") else 1}, name
        assert len(run.runs) == 6, name


def test_a_scheduler_that_is_not_a_subclass_of_xdists_works(suite: Suite) -> None:
    suite.conftest(
        """
        class LastFirst:
            # xdist.scheduler.protocol.Scheduling, and nothing else

            def __init__(self, config):
                self.config = config
                self.collections = {}
                self.left = []
                self.out = {}

            nodes = property(lambda self: list(self.collections))
            collection_is_completed = property(lambda self: len(self.out) == 2)
            has_pending = property(lambda self: bool(self.left or any(self.out.values())))
            tests_finished = property(lambda self: not (self.left or any(self.out.values())))

            def add_node(self, node):
                self.collections[node] = None

            def add_node_collection(self, node, collection):
                self.collections[node] = list(collection)
                self.out[node] = []

            def schedule(self):
                self.left = list(range(len(self.nodes and self.collections[self.nodes[0]])))
                for node in self.nodes:
                    self.give(node, 2)

            def give(self, node, count):
                for _ in range(count):
                    if self.left:
                        index = self.left.pop()
                        self.out[node].append(index)
                        node.send_runtest_some([index])
                if not self.left:
                    node.shutdown()

            def mark_test_complete(self, node, item_index, duration=0):
                self.out[node].remove(item_index)
                self.give(node, 1)

            def mark_test_pending(self, item):
                raise NotImplementedError

            def remove_pending_tests_from_node(self, node, indices):
                raise NotImplementedError

            def remove_node(self, node):
                del self.collections[node]
                return None

        def pytest_xdist_make_scheduler(config, log):
            return LastFirst(config)
        """
    )
    suite.test(SIX)
    run = suite.run()
    assert run.ret == 0, run.text
    assert len(run.runs) == 6
    assert set(run.runs.values()) == {1}
    assert run.reports[0]["item_index"] in (5, 3)


def test_a_python_scheduler_replaces_a_crashed_worker(suite: Suite) -> None:
    suite.use_xdist_scheduler("LoadScope")
    for name in ("a", "b"):
        suite.write(
            {
                f"test_{name}.py": f"""
                    import os
                    import pytest

                    @pytest.mark.parametrize("n", range(4))
                    def test_it(n):
                        if n == 1 and "{name}" == "a":
                            os._exit(1)
                """
            }
        )
    run = suite.run()
    assert run.ret == 1
    assert run.counts() == {"passed": 7, "failed": 1}
    assert "crashed while running 'test_a.py::test_it[1]'" in run.report("test_a.py::test_it[1]", "???")["longrepr"]


def test_a_python_load_scheduler_replaces_a_crashed_worker(suite: Suite) -> None:
    suite.use_xdist_scheduler("Load")
    suite.test(
        """
        import os
        import pytest

        @pytest.mark.parametrize("n", range(12))
        def test_it(n):
            if n == 3:
                os._exit(1)
        """
    )
    run = suite.run()
    assert run.counts() == {"passed": 11, "failed": 1}


def test_a_replacement_without_remaining_tests_exits(suite: Suite) -> None:
    suite.use_xdist_scheduler("Load")
    suite.test(
        """
        import os
        def test_crash(): os._exit(1)
        def test_one(): pass
        def test_two(): pass
        def test_three(): pass
        """
    )
    assert suite.run().counts() == {"passed": 3, "failed": 1}


@pytest.mark.parametrize("kind", ["LoadScope", "LoadFile"])
def test_a_replacement_that_gets_an_empty_group_continues(suite: Suite, kind: str) -> None:
    suite.use_xdist_scheduler(kind)
    suite.write({"test_a.py": "def test_1(): pass\ndef test_2(): pass\n"})
    suite.write({"test_b.py": "import os\ndef test_1(): os._exit(1)\ndef test_2(): pass\n"})
    run = suite.run(n="1")
    assert run.counts() == {"passed": 3, "failed": 1}, run.text
