"""Plugins that change the selection, order, repetition or environment of tests."""

from __future__ import annotations

from tests.plugins.sides import Case, every_note

# Fails at every odd call, counted over all processes.
FLAKY = """
    import os
    import support

    def count(name):
        with open(os.path.join(support.HERE, name + ".count"), "a+") as file:
            file.write("x")
            return file.tell()

    def fails_first(name):
        assert count(name) % 2 == 0, "not yet"
"""

RERUNFAILURES = Case(
    plugin="pytest-rerunfailures",
    compared="reruns of each test, fixtures set up again, the list of `-rR`",
    files={
        "flaky.py": FLAKY,
        "test_options.py": """
            import pytest
            from flaky import fails_first
            from support import note

            @pytest.fixture
            def resource():
                note("set up")
                yield
                note("torn down")

            def test_passes(): pass
            def test_at_the_second_try(resource): fails_first("second")
            def test_never(resource): raise ValueError("never")
            """,
        "test_markers.py": """
            import pytest
            from flaky import count, fails_first

            @pytest.mark.flaky(reruns=3)
            def test_at_the_third_try(): assert count("third") % 3 == 0

            @pytest.mark.flaky(reruns=2, condition=False)
            def test_has_one_try(): raise ValueError("one try")

            @pytest.mark.flaky(reruns=2, only_rerun=["AssertionError"])
            def test_another_error(): raise KeyError("no")

            @pytest.fixture(scope="module")
            def module_resource(): fails_first("module_resource")

            def test_fixture_that_fails_first(module_resource): pass
            """,
    },
    runs=("--reruns 1 -rR", "--reruns 2 --only-rerun AssertionError -rR", "-rR"),
    terminal=r"^RERUN .*|rerun test summary",
    artefact=every_note,
)

RERUNFAILURES_CRASH = Case(
    plugin="pytest-rerunfailures",
    aspect="crashes",
    compared="a test that crashes its worker is run again",
    files={
        "flaky.py": FLAKY,
        "test_crashes.py": """
            import os
            import pytest
            import time
            from flaky import count

            def test_passes(): pass

            def test_crashes_once():
                if count("once") % 2:
                    # The controller's thread has to learn first, through a socket, how often the test may be rerun.
                    time.sleep(0.3)
                    os._exit(3)

            def test_passes_too(): pass
            """,
        "test_others.py": "def test_one(): pass\ndef test_two(): pass\n",
    },
    runs=("--reruns 1 -rR",),
    terminal=r"^RERUN .*|rerun test summary",
    plain=False,
)

RANDOMLY = Case(
    plugin="pytest-randomly",
    compared="order and numbers drawn with `--randomly-seed=42`, one seed in all workers, `--randomly-seed=last`",
    files={
        "conftest.py": """
            from support import note

            def pytest_collection_finish(session):
                if session.config.getoption("randomly_seed") == 42 and session.items:
                    note("order " + " ".join(item.name for item in session.items))

            def pytest_terminal_summary(terminalreporter, config):
                last = config.cache.get("randomly_seed", None)
                terminalreporter.write_line(f"cached seed is 42: {last == 42}")
            """,
        "drawing.py": """
            import random
            import pytest
            from support import note

            def draw(request):
                value = random.random()
                seed = request.config.getoption("randomly_seed")
                random.seed(seed)
                # Without a seed of ours the value is another one in every run: note whether it is the seed's.
                name = "" if seed != 42 else f"{request.node.name} {value}"
                note(f"drew {name} from the seed: {value == random.random()}")
            """,
        "test_one.py": """
            import pytest
            from drawing import draw
            @pytest.mark.parametrize("n", range(5))
            def test_draw(n, request): draw(request)
            """,
        "test_two.py": """
            from drawing import draw
            class TestFirst:
                def test_a(self, request): draw(request)
                def test_b(self, request): draw(request)
            class TestSecond:
                def test_c(self, request): draw(request)
                def test_d(self, request): draw(request)
            """,
    },
    runs=("--randomly-seed=42", "--randomly-seed=last", "", "-p no:randomly"),
    terminal=r"^Using --randomly-seed=42$|cached seed.*",
)

TIMEOUT = Case(
    plugin="pytest-timeout",
    compared="tests and fixtures that time out with `signal`, the stacks shown, `--session-timeout`",
    files={
        "pytest.ini": "[pytest]\ntimeout = 0.4\ntimeout_method = signal\n",
        "test_slow.py": """
            import time
            import pytest

            @pytest.fixture
            def slow(): time.sleep(10)

            @pytest.fixture
            def slow_end():
                yield
                time.sleep(10)

            def test_sleeps(): time.sleep(10)
            def test_fixture_sleeps(slow): pass
            def test_fixture_sleeps_at_the_end(slow_end): pass
            """,
        "test_markers.py": """
            import threading
            import time
            import pytest

            @pytest.mark.timeout(10)
            def test_has_more_time(): time.sleep(0.6)

            @pytest.mark.timeout(0.2)
            def test_has_less_time(): time.sleep(10)

            @pytest.mark.timeout(0)
            def test_has_all_time(): time.sleep(0.6)

            def test_other_threads_are_shown():
                end = threading.Event()
                threading.Thread(target=end.wait, name="waiting").start()
                try:
                    time.sleep(10)
                finally:
                    end.set()
            """,
        "session/test_one.py": """
            import time
            def test_in_time(): pass
            def test_late(): time.sleep(1.7)
            def test_never_run(): assert False
            """,
        "session/test_two.py": "def test_in_time(): pass\n",
    },
    runs=("--ignore=session", "--timeout=30 --session-timeout=1.5 --dist=loadfile session"),
    terminal=r"^timeout.*|Timeout|session.timeout.*|Stack of.*",
    better="pytest-xdist's own threads are not among the stacks shown.",
    differs="The stacks of pytest-xdist's own threads are shown; a session that times out ends with exit status 2.",
)

TIMEOUT_THREAD = Case(
    plugin="pytest-timeout",
    aspect="thread",
    compared="a test that times out with `thread`, which ends its worker",
    files={
        "pytest.ini": "[pytest]\ntimeout = 0.5\ntimeout_method = thread\n",
        "test_slow.py": "import time\ndef test_sleeps(): time.sleep(10)\ndef test_passes(): pass\n",
        "test_others.py": "def test_one(): pass\ndef test_two(): pass\n",
    },
    terminal=r"^timeout.*|Timeout|Stack of.*",
    plain=False,
    better="The stacks are shown.",
)

ORDER = Case(
    plugin="pytest-order",
    compared="the order of collecting, and of running within a file with `--dist loadfile`",
    files={
        "conftest.py": """
            import pytest
            from support import note

            ran = []

            def pytest_collection_finish(session):
                if session.items:
                    note("collected " + " ".join(item.nodeid for item in session.items))

            @pytest.fixture(autouse=True, scope="module")
            def sequence(request):
                names = []
                request.module.names = names
                yield
                note(f"{request.module.__name__} ran {' '.join(names)}")

            @pytest.fixture(autouse=True)
            def in_sequence(request, sequence):
                request.module.names.append(request.node.name)
            """,
        "test_one.py": """
            import pytest
            @pytest.mark.order(3)
            def test_third(): pass
            @pytest.mark.order("first")
            def test_first(): pass
            @pytest.mark.order(-1)
            def test_last(): pass
            def test_unordered(): pass
            @pytest.mark.order(2)
            def test_second(): pass
            """,
        "test_two.py": """
            import pytest
            @pytest.mark.order(after="test_base")
            def test_after(): pass
            def test_base(): pass
            @pytest.mark.order(before="test_base")
            def test_before(): pass
            """,
    },
    runs=("--dist=loadfile --order-scope=module", "--dist=loadfile --order-group-scope=class --order-scope=module"),
)

ENV = Case(
    plugin="pytest-env",
    compared="variables from the ini file and from `--envfile`, in a conftest and in tests",
    files={
        "pytest.ini": """
            [pytest]
            env =
                PLAIN=a value
                D:DEFAULT=kept
                D:HOME=not taken
                R:RAW={PLAIN}
                FORMATTED=<{PLAIN}>
                HASH=has # a sign
            """,
        "more.env": "FROM_FILE=filed\n",
        "conftest.py": """
            import os
            at_import = os.environ["PLAIN"]
            """,
        "test_one.py": """
            import os
            import conftest
            from support import note

            def test_at_import(): assert conftest.at_import == "a value"
            def test_values():
                note(" ".join(f"{name}={os.environ.get(name)}" for name in ["DEFAULT", "RAW", "FORMATTED", "HASH"]))
            def test_default(): assert os.environ["HOME"] != "not taken"
            """,
        "test_two.py": """
            import os
            from support import note
            def test_file(): note(f"{os.environ.get('FROM_FILE')}")
            def test_fails(): assert os.environ["PLAIN"] == "another value"
            """,
    },
    runs=("", "--envfile=+more.env", "--pytest-env-verbose"),
    terminal=r"pytest-env:.*|(PLAIN|RAW|HASH|FORMATTED)=.*",
)

FREEZER = Case(
    plugin="pytest-freezer",
    compared="dates in tests, by fixture and by marker, and with the clock that freezegun leaves to a test",
    files={
        "test_dates.py": """
            import datetime
            import time
            import freezegun
            import pytest

            def test_moves(freezer):
                freezer.move_to("2001-02-03")
                assert datetime.date.today() == datetime.date(2001, 2, 3)
                now = time.monotonic(), time.perf_counter()
                freezer.tick(100)
                assert time.monotonic() - now[0] == time.perf_counter() - now[1] == 100

            @pytest.mark.freeze_time("1970-01-02")
            @pytest.mark.parametrize("n", range(5))
            def test_is_long_ago(n): assert time.time() == 86400 and n != 3

            def test_stays_frozen():
                freezegun.freeze_time("2050-01-01").start()

            def test_is_frozen_or_not(): assert time.time() > 1.7e9
            """,
        "test_others.py": "import pytest\n@pytest.mark.parametrize('n', range(12))\ndef test_it(n): pass\n",
    },
    runs=("", "--durations=3"),
)

TIME_MACHINE = Case(
    plugin="time-machine",
    compared="a clock that is replaced in C, by fixture and by marker",
    files={
        "test_travels.py": """
            import datetime
            import time
            import pytest

            def test_moves(time_machine):
                time_machine.move_to(datetime.datetime(2001, 2, 3, tzinfo=datetime.timezone.utc), tick=False)
                assert time.time() == 981158400

            @pytest.mark.time_machine("1970-01-02 00:00 +0000", tick=False)
            @pytest.mark.parametrize("n", range(5))
            def test_is_long_ago(n): assert time.time() == 86400 and n != 3
            """,
        "test_others.py": "import pytest\n@pytest.mark.parametrize('n', range(12))\ndef test_it(n): pass\n",
    },
    runs=("", "--durations=3"),
)

CASES = [
    RERUNFAILURES,
    RERUNFAILURES_CRASH,
    RANDOMLY,
    TIMEOUT,
    TIMEOUT_THREAD,
    ORDER,
    ENV,
    FREEZER,
    TIME_MACHINE,
]
