"""The marks `serial` and `resource`: their meaning, and warnings about invalid ones."""

from __future__ import annotations

import pytest

from tests.harness import Suite

PRINTS_NEEDS = """
    from rustpar.collection import constraints

    def pytest_collection_finish(session):
        some, wrong = constraints.constraints_of(session.items)
        assert not wrong
        known = {index: (serial, tuple(holds)) for index, serial, holds in some}
        for index, item in enumerate(session.items):
            print("NEEDS", item.name, known.get(index, (False, ())))
        print("LIMITS", constraints.limits_of(session.config))
"""


def constraints_of(suite: Suite) -> dict[str, str]:
    """Return the constraints of each test, by its name."""
    suite.conftest(PRINTS_NEEDS)
    run = suite.run("-s", "--strict-markers", n=None)
    assert run.ret == 0, run.text
    lines = [line.split(" ", 2) for line in run.lines if line.startswith("NEEDS")]
    return {name: text for _, name, text in lines}


def test_marks_of_a_test_its_class_and_its_module_are_combined(suite: Suite) -> None:
    suite.test(
        """
        import pytest
        pytestmark = pytest.mark.resource("module")

        def test_module(): pass

        @pytest.mark.serial
        @pytest.mark.resource("b", "a")
        def test_several(): pass

        @pytest.mark.serial()
        def test_with_parentheses(): pass

        @pytest.mark.resource("class", mode="read")
        class TestIt:
            @pytest.mark.resource("test")
            def test_class(self): pass

            @pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.resource("one")), 2])
            def test_parameter(self, n): pass
        """
    )
    assert constraints_of(suite) == {
        "test_module": "(False, (('module', False),))",
        "test_several": "(True, (('a', False), ('b', False), ('module', False)))",
        "test_with_parentheses": "(True, (('module', False),))",
        "test_class": "(False, (('class', True), ('module', False), ('test', False)))",
        "test_parameter[1]": "(False, (('class', True), ('module', False), ('one', False)))",
        "test_parameter[2]": "(False, (('class', True), ('module', False)))",
    }


def test_a_resource_that_is_held_in_both_modes_is_held_exclusively(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.mark.resource("db", mode="read")
        @pytest.mark.resource("db")
        def test_inner(): pass

        @pytest.mark.resource("db")
        @pytest.mark.resource("db", mode="read")
        def test_outer(): pass

        @pytest.mark.resource("db", mode="read")
        @pytest.mark.resource("db", "log", mode="read")
        def test_read(): pass

        @pytest.mark.resource("db", mode="exclusive")
        def test_exclusive(): pass

        def test_free(): pass
        """
    )
    assert constraints_of(suite) == {
        "test_inner": "(False, (('db', False),))",
        "test_outer": "(False, (('db', False),))",
        "test_read": "(False, (('db', True), ('log', True)))",
        "test_exclusive": "(False, (('db', False),))",
        "test_free": "(False, ())",
    }


def test_limits_are_read_and_an_invalid_one_is_reported_in_one_line(suite: Suite) -> None:
    """All forms of the entry are in `test_configuration_files.py`."""
    entries = {
        "db: 2, port-8080: 1": "{'db': 2, 'port-8080': 1}",
        "\n  db: 2,\n  port-8080 : 1": "{'db': 2, 'port-8080': 1}",
        "localhost:8080: 3": "{'localhost:8080': 3}",
        "db": None,
        "db: 1, db: 2": None,
    }
    for number, entry in enumerate(entries):
        suite.part(f"{number}").write(
            {
                "pytest.ini": f"[pytest]\nrustpar_resources = {entry}\n",
                "conftest.py": PRINTS_NEEDS,
                "test_it.py": "def test_it(): pass\n",
            }
        )
    runs = suite.run_each({f"{number}": ["-s"] for number in range(len(entries))})
    for (entry, limits), run in zip(entries.items(), runs.values(), strict=True):
        if limits is not None:
            assert f"LIMITS {limits}" in run.out, entry
            continue
        assert run.ret == pytest.ExitCode.USAGE_ERROR, entry
        (line,) = [line for line in run.text.splitlines() if line.strip()]
        assert line.startswith("ERROR: rustpar_resources: ")
        assert "limit" in line
        assert line.endswith("for example db: 2, port-8080: 1")


# Invalid marks, and what the warning says about each.
INVALID = [
    ("resource", "it names no resource"),
    ("resource(mode='read')", "it names no resource"),
    ("resource(7)", "7 is not a name"),
    ("resource('db', mode='write')", "unknown mode 'write'"),
    ("resource('db', mode=['read'])", "unknown mode ['read']"),
    ("resource('db', shared=True)", "unknown argument 'shared'"),
    ("serial('db')", "it takes no arguments"),
]


@pytest.mark.parametrize("start", ["template", "early"])
def test_an_invalid_mark_is_ignored_with_a_warning(suite: Suite, start: str) -> None:
    tests = [f"@pytest.mark.{mark}\ndef test_bad{number}(): pass\n" for number, (mark, _) in enumerate(INVALID)]
    suite.test(f"import pytest\ndef test_fine(): pass\n{''.join(tests)}")
    run = suite.run(f"--rustpar-start={start}")
    assert run.counts() == {"passed": 1 + len(INVALID), "warnings": len(INVALID)}, run.text
    warned = {
        number: run.line(f"PytestWarning: test_it.py::test_bad{number}: the mark ") for number in range(len(INVALID))
    }
    assert {INVALID[number]: line for number, line in warned.items() if INVALID[number][1] not in line} == {}


def test_unrelated_marks_with_the_same_names_have_no_effect_without_workers(suite: Suite) -> None:
    suite.test("import pytest\n@pytest.mark.resource(7)\n@pytest.mark.serial('x')\ndef test_it(): pass\n")
    assert suite.run(n=None).counts() == {"passed": 1}


@pytest.mark.parametrize("run_mode", ["plain", "template", "early"])
def test_marked_tests_run_under_strict_markers(suite: Suite, run_mode: str) -> None:
    suite.test(
        """
        import pytest

        @pytest.mark.serial
        def test_alone(): pass
        @pytest.mark.resource("db")
        def test_db(): pass
        def test_free(): pass
        """
    )
    run = suite.run_in(run_mode, "--strict-markers", "-W", "error")
    assert run.counts() == {"passed": 3}
    assert run.ret == 0


def test_marked_tests_can_be_selected_with_m(suite: Suite) -> None:
    suite.test("import pytest\n@pytest.mark.serial\ndef test_alone(): pass\ndef test_free(): pass\n")
    run = suite.run("-m", "not serial")
    assert run.counts() == {"passed": 1, "deselected": 1}


def test_the_markers_are_listed(suite: Suite) -> None:
    lines = suite.run("--markers", n=None).lines
    assert any(line.startswith("@pytest.mark.serial:") for line in lines)
    assert any(line.startswith("@pytest.mark.resource(name, ..., mode='exclusive'):") for line in lines)


LOGS = """
    import time
    import pytest
    from support import note

    @pytest.fixture(autouse=True)
    def logged(request):
        note(f"> {request.node.name}")
        yield
        note(f"< {request.node.name}")
"""

MARKED = """
    import time
    import pytest

    @pytest.mark.parametrize("n", range(12))
    def test_free(n): time.sleep(0.01)

    @pytest.mark.serial
    @pytest.mark.parametrize("n", range(3))
    def test_alone(n): time.sleep(0.01)

    @pytest.mark.resource("db")
    @pytest.mark.parametrize("n", range(5))
    def test_db(n): time.sleep(0.01)

    @pytest.mark.resource("db", "cache")
    @pytest.mark.parametrize("n", range(3))
    def test_both(n): time.sleep(0.01)

    @pytest.mark.resource("cache", mode="read")
    @pytest.mark.parametrize("n", range(4))
    def test_reads(n): time.sleep(0.01)
"""


def concurrent_pairs(notes: list[str]) -> set[tuple[str, str]]:
    """Return the pairs of test functions that ran at the same time, by names without parameters."""
    running: list[str] = []
    pairs = set()
    for line in notes:
        _, what, name = line.split(" ", 2)
        name = name.partition("[")[0].removeprefix("test_")
        if what == "<":
            running.remove(name)
            continue
        pairs |= {(min(name, other), max(name, other)) for other in running}
        running.append(name)
    return pairs


# The policies do not know how the workers were forked.
@pytest.mark.parametrize(
    ("dist", "start"),
    [
        *((dist, "template") for dist in ("load", "worksteal", "loadscope", "loadfile", "each")),
        ("load", "early"),
        ("loadfile", "early"),
    ],
)
def test_conflicting_tests_do_not_run_at_the_same_time(suite: Suite, dist: str, start: str) -> None:
    suite.conftest(LOGS)
    for file in ("test_a.py", "test_b.py"):
        suite.write({file: MARKED})
    run = suite.run(f"--dist={dist}", f"--rustpar-start={start}", n="4")
    assert run.counts() == {"passed": 54 * (4 if dist == "each" else 1)}
    met = concurrent_pairs(suite.notes())
    assert not {pair for pair in met if "alone" in pair}
    assert not met & {("db", "db"), ("both", "both"), ("both", "db"), ("both", "reads")}
    if dist in ("load", "worksteal", "each"):
        assert met & {("db", "free"), ("free", "free"), ("both", "free")}


def test_a_resource_with_two_slots_is_held_by_at_most_two_tests(suite: Suite) -> None:
    suite.conftest(LOGS)
    (suite.path / "pytest.ini").write_text("[pytest]\nrustpar_resources = db: 2\n")
    suite.test(
        """
        import time
        import pytest
        @pytest.mark.resource("db")
        @pytest.mark.parametrize("n", range(12))
        def test_db(n): time.sleep(0.02)
        """
    )
    run = suite.run(n="4")
    assert run.counts() == {"passed": 12}
    most = running = 0
    for line in suite.notes():
        running += 1 if " > " in line else -1
        most = max(most, running)
    assert most == 2


def test_a_crash_releases_the_resources_of_the_test(suite: Suite) -> None:
    suite.test(
        """
        import os
        import pytest
        @pytest.mark.resource("db")
        @pytest.mark.parametrize("n", range(4))
        def test_db(n):
            if n == 1: os._exit(1)
        @pytest.mark.serial
        def test_alone(): os._exit(1)
        def test_free(): pass
        """
    )
    run = suite.run()
    assert run.counts() == {"passed": 4, "failed": 2}


def test_fixtures_are_torn_down_before_a_resource_is_released(suite: Suite) -> None:
    suite.conftest(
        """
        import pytest
        from support import note

        @pytest.fixture(scope="module")
        def server(request):
            note(f"> {request.node.name}")
            yield
            note(f"< {request.node.name}")
        """
    )
    text = """
        import pytest
        pytestmark = pytest.mark.resource("port")
        def test_one(server): pass
        def test_two(server): pass
    """
    suite.write({f"test_{name}.py": text for name in "abcd"})
    assert suite.run("--dist=loadfile", n="4").counts() == {"passed": 8}
    notes = suite.notes()
    assert len(notes) == 8
    assert [note.replace("<", ">") for note in notes[1::2]] == notes[::2]


def test_a_session_fixture_survives_a_wait_for_a_resource(suite: Suite) -> None:
    suite.conftest(
        """
        import pytest
        from support import note

        @pytest.fixture(scope="session", autouse=True)
        def service():
            note("> service")
            yield
            note("< service")
        """
    )
    suite.test(
        """
        import time
        import pytest
        @pytest.mark.serial
        @pytest.mark.parametrize("n", range(3))
        def test_alone(n): pass
        @pytest.mark.resource("db")
        @pytest.mark.parametrize("n", range(6))
        def test_db(n): time.sleep(0.01)
        @pytest.mark.resource("db", "cache")
        @pytest.mark.parametrize("n", range(6))
        def test_both(n): time.sleep(0.01)
        """
    )
    assert suite.run(n="3").counts() == {"passed": 15}
    notes = suite.notes()
    assert len(notes) == len(set(notes))
