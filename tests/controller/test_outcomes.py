"""A distributed run reports the same outcomes and texts as plain pytest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Run, Suite

MIXED = """
    import pytest

    def test_passes():
        pass

    def test_fails():
        assert 1 == 2

    @pytest.mark.skip(reason="not today")
    def test_is_skipped():
        pass

    def test_skips_itself():
        pytest.skip("inside")

    @pytest.mark.xfail
    def test_fails_as_expected():
        assert False

    @pytest.mark.xfail
    def test_passes_unexpectedly():
        pass

    @pytest.mark.xfail(strict=True)
    def test_passes_against_strict_xfail():
        pass

    @pytest.fixture
    def broken_setup():
        raise ValueError("setup")

    @pytest.fixture
    def broken_teardown():
        yield
        raise ValueError("teardown")

    def test_errs_in_setup(broken_setup):
        pass

    def test_errs_in_teardown(broken_teardown):
        pass

    def test_fails_and_errs_in_teardown(broken_teardown):
        assert False

    @pytest.mark.parametrize("value", [1, "a", None, 2.5, "x y", "a::b", "[c]"])
    def test_takes_parameters(value):
        assert value != "a"

    class TestClass:
        def test_method(self):
            pass

        class TestInner:
            def test_deep(self):
                assert []
"""


def assert_same(suite: Suite, *args: str) -> tuple[Run, Run]:
    """Assert that plain pytest and rustpar report the same; return their runs."""
    plain = suite.plain(*args)
    ours = suite.run(*args)
    assert ours.used_rustpar()
    assert plain.outcomes
    assert ours.outcomes == plain.outcomes
    assert ours.ret == plain.ret
    assert ours.counts() == plain.counts()
    return plain, ours


def test_a_mixed_suite_has_the_outcomes_texts_keywords_and_locations_of_plain_pytest(suite: Suite) -> None:
    suite.write({"test_a.py": MIXED, "sub/test_b.py": MIXED})
    plain, ours = assert_same(suite)
    for name in ("longrepr", "keywords", "location"):
        about = [
            {(r["nodeid"], r["when"]): re.sub("0x[0-9a-f]+", "0x...", str(r[name])) for r in run.reports}
            for run in (plain, ours)
        ]
        assert about[0] == about[1], name


def test_doctests_run_in_workers(suite: Suite) -> None:
    suite.write(
        {
            "module.py": '''
                """
                >>> 1 + 1
                2
                """

                def double(x):
                    """
                    >>> double(2)
                    5
                    """
                    return 2 * x
            ''',
            "test_text.txt": ">>> 3\n3\n",
        }
    )
    assert_same(suite, "--doctest-modules", "--doctest-glob=test_*.txt", "--ignore=recorder.py", "--ignore=support.py")


def test_unittest_classes_run_in_workers(suite: Suite) -> None:
    suite.test(
        """
        import unittest

        class TestOld(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                cls.ready = True

            def test_passes(self):
                self.assertTrue(self.ready)

            def test_fails(self):
                self.assertEqual(1, 2)

            @unittest.skip("no")
            def test_skipped(self):
                pass

            @unittest.expectedFailure
            def test_expected(self):
                self.fail()

            @unittest.expectedFailure
            def test_unexpected(self):
                pass
        """
    )
    assert_same(suite)


@pytest.mark.skipif(pytest.version_tuple < (9, 0), reason="subtests came with pytest 9")
def test_subtests_are_reported_one_by_one(suite: Suite) -> None:
    suite.test(
        """
        import unittest

        def test_parts(subtests):
            for number in range(4):
                with subtests.test("part", number=number):
                    assert number != 2

        class TestOld(unittest.TestCase):
            def test_parts(self):
                for number in range(3):
                    with self.subTest(number=number):
                        self.assertNotEqual(number, 1)
        """
    )
    plain, run = suite.plain(), suite.run()
    assert run.ret == plain.ret
    assert run.counts() == plain.counts()
    assert run.outcomes.keys() == plain.outcomes.keys()
    assert "test_it.py::test_parts" in run.line("SUBFAILED[part]")
    assert {r["type"] for r in run.reports} == {"TestReport", "SubtestReport"}


def test_parameters_from_an_unordered_set_do_not_fail_the_run(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.mark.parametrize("name", {f"name-{number}" for number in range(50)})
        def test_it(name):
            pass
        """
    )
    run = suite.run(n="3")
    assert run.ret == 0
    assert len(run.runs) == 50


def test_a_suite_of_no_tests_ends_with_pytests_own_status(suite: Suite) -> None:
    suite.test("")
    run = suite.run()
    assert run.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "no tests ran" in run.out


def test_a_single_test_runs_when_many_workers_are_requested(suite: Suite) -> None:
    suite.test("def test_it(): pass")
    run = suite.run(n="8")
    assert run.ret == 0
    assert run.counts() == {"passed": 1}


def test_asynchronous_and_unraisable_errors_become_the_same_warnings(suite: Suite) -> None:
    suite.test(
        """
        class Bad:
            def __del__(self):
                raise ValueError("in del")

        def test_it():
            Bad()

        def test_other():
            pass
        """
    )
    assert suite.run().counts() == suite.plain().counts() == {"passed": 2, "warnings": 1}


def test_a_seed_set_in_a_conftest_applies_in_every_worker(suite: Suite) -> None:
    suite.conftest("import random\nrandom.seed(42)\n")
    suite.test(
        """
        import random
        import support

        def test_first():
            support.note(random.random())
            support.meet("first", "second")

        def test_second():
            support.note(random.random())
            support.meet("second", "first")
        """
    )
    assert suite.run().ret == 0
    numbers = {line.split()[1] for line in suite.notes()}
    assert len(suite.notes()) == 2
    assert len(numbers) == 1
