"""Values and files that are meant to be unique for a process make workers early: each worker creates its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.shapes import reasons_by_plugin

if TYPE_CHECKING:
    from tests.harness import ForkCase

# Each worker creates a file of the same name in its directory.
DIRECTORY = """
    import atexit
    import os
    import random
    import secrets
    import shutil
    import string
    import tempfile
    import uuid
    from pathlib import Path

    def use(me):
        with open(Path(DIRECTORY, "data"), "x") as file:
            file.write(me)
        assert os.listdir(DIRECTORY) == ["data"]
"""


# Every worker adds a line to its file.
FILE = """
    import atexit
    import os
    import tempfile
    from sync import wait_for_all
    from support import note

    def use(me):
        with open(NAME, "a") as file:
            file.write("a line\\n")
        wait_for_all(me, "written")
        with open(NAME) as file:
            note(file.read())
"""

REMOVED_DIRECTORY = f"""{DIRECTORY}
    DIRECTORY = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, DIRECTORY)
"""


def test_a_temporary_directory_is_made_by_a_test_module_and_removed_at_exit(fork_case: ForkCase) -> None:
    fork_case.expect_early(REMOVED_DIRECTORY, file="test_it.py")


# Random parts of the names of directories.
RANDOM_NAMES = [
    "str(uuid.uuid4())",
    "uuid.uuid1().hex",
    "secrets.token_hex(8)",
    '"".join(random.choices(string.ascii_lowercase, k=9))',
    "str(random.Random().random())",
    "str(random.SystemRandom().random())",
]

UNIQUE = {
    "a_temporary_directory_is_removed_at_exit": REMOVED_DIRECTORY,
    "a_temporary_directory_removes_itself": f"""{DIRECTORY}
    OWNER = tempfile.TemporaryDirectory(prefix="tests-")
    DIRECTORY = OWNER.name
        """,
    "a_temporary_directory_is_made_while_configuring_and_removed_at_the_end": f"""{DIRECTORY}
    def pytest_configure(config):
        global DIRECTORY
        DIRECTORY = os.environ["DATA"] = tempfile.mkdtemp()

    def pytest_unconfigure(config):
        shutil.rmtree(DIRECTORY)
        """,
    "a_directory_below_pytests_own_is_kept_while_configuring": f"""{DIRECTORY}
    def pytest_sessionstart(session):
        global DIRECTORY
        DIRECTORY = session.config._tmp_path_factory.mktemp("data")
        """,
    "a_temporary_file_is_made_and_kept": f"""{FILE}
    with tempfile.NamedTemporaryFile(suffix=".log", delete=False) as file:
        NAME = file.name
        """,
    "a_temporary_file_is_made_and_removed_at_exit": f"""{FILE}
    fd, NAME = tempfile.mkstemp()
    os.close(fd)
    atexit.register(os.unlink, NAME)
        """,
    "a_temporary_file_removes_itself_when_it_is_closed": f"""{FILE}
    OWNER = tempfile.NamedTemporaryFile()
    NAME = OWNER.name
        """,
    "a_free_port_is_picked_and_closed_again": """
        import socket

        def free_port():
            with socket.socket() as probe:
                probe.bind(("", 0))
                return probe.getsockname()[1]

        PORT = free_port()

        def use(me):
            global SERVER
            SERVER = socket.create_server(("", PORT))
        """,
    "a_free_port_is_picked_by_a_server_that_is_closed_again": """
        import socket
        from sync import claim

        def pytest_configure(config):
            global PORT
            with socket.create_server(("127.0.0.1", 0)) as server:
                PORT = server.getsockname()[1]

        def use(me):
            claim(PORT)
        """,
    "a_port_is_held_for_the_server_of_the_tests": """
        import socket
        from sync import claim

        SERVER = socket.create_server(("127.0.0.1", 0))

        def use(me):
            claim(SERVER.getsockname()[1])
        """,
    "a_port_is_drawn_without_a_seed": """
        import random
        from sync import claim

        PORT = random.randint(20000, 60000)

        def use(me):
            claim(PORT)
        """,
    "a_run_id_is_generated_while_configuring": """
        import uuid
        from sync import claim

        def pytest_configure(config):
            global RUN_ID
            RUN_ID = uuid.uuid4()

        def use(me):
            claim(RUN_ID)
        """,
}


RANDOM_DIRECTORIES = {
    f"a_directory_has_random_name_{number}": f"""{DIRECTORY}
    DIRECTORY = 'scratch-' + {name}
    os.mkdir(DIRECTORY)
    """
    for number, name in enumerate(RANDOM_NAMES)
}


def test_values_that_are_meant_to_be_unique_make_workers_early(fork_case: ForkCase) -> None:
    shapes = UNIQUE | RANDOM_DIRECTORIES
    reasons = reasons_by_plugin(fork_case, shapes, n=3)
    assert set(reasons) == set(shapes)


UNSEEDED = {
    "a_generator_of_random_numbers_is_made_without_a_seed": """
        import random
        from sync import claim

        NUMBERS = random.Random()

        def use(me):
            claim(NUMBERS.random())
        """,
    "exit_functions_of_tests_run_once_in_each_worker": """
        import atexit
        from support import note

        CALLS = []

        def leave(me):
            CALLS.append(me)
            note(f"leaves, call {len(CALLS)}")

        def use(me):
            atexit.register(leave, me)
        """,
    "unseeded_random_numbers_differ_between_workers": """
        import random
        from sync import claim

        def use(me):
            claim(random.random())
        """,
}

# Seeds that do not concern the functions of the module.
OTHER_SEEDS = {
    "random_numbers_that_are_no_longer_seeded_differ_between_workers": """
        import random
        from sync import claim

        random.seed()

        def use(me):
            claim(random.random())
        """,
    "a_seeded_generator_gives_every_worker_the_same_numbers": """
        import random
        from support import note

        NUMBERS = random.Random(42)
        NAMES = [NUMBERS.choice("abcdef") for _ in range(9)]

        def use(me):
            note(f"{NAMES} {NUMBERS.random()}")
        """,
}


@pytest.mark.parametrize("shapes", [UNSEEDED, OTHER_SEEDS], ids=["unseeded", "other seeds"])
def test_random_numbers_and_exit_functions_are_not_a_reason(fork_case: ForkCase, shapes: dict[str, str]) -> None:
    assert reasons_by_plugin(fork_case, shapes, n=3) == {}


# Each process records that it has removed its own directory, and how often.
OWNER = """
    import atexit
    import os
    import shutil
    import tempfile
    import time
    from support import HERE, note

    DIRECTORY = tempfile.mkdtemp(dir=HERE)
    CALLS = []

    def remove():
        CALLS.append(1)
        note(f"removes a directory: {os.path.isdir(DIRECTORY)}, call {len(CALLS)}")
        shutil.rmtree(DIRECTORY)

    atexit.register(remove)
"""


def test_each_process_removes_its_own_directory(fork_case: ForkCase) -> None:
    fork_case.expect_early(
        f"""{OWNER}
    def use(me):
        pass
        """,
        n=3,
    )


def test_no_worker_removes_what_another_worker_still_needs(fork_case: ForkCase) -> None:
    test = """
        import os
        import time
        import sync
        import pytest
        from conftest import DIRECTORY
        from support import HERE

        @pytest.mark.parametrize("me", sync.ALL)
        def test_it(me):
            with open(os.path.join(HERE, me), "w") as file:
                file.write(str(os.getpid()))
            sync.wait_for_all(me, "begin")
            if me == "b":
                # The other worker may end, and then has done what it does at its exit; under pytest-xdist it stays.
                other = open(os.path.join(HERE, "a")).read()
                end = time.monotonic() + 1
                while os.path.exists(f"/proc/{other}") and time.monotonic() < end:
                    time.sleep(0.01)
            sync.claim(DIRECTORY)
            assert os.listdir(DIRECTORY) == []
    """
    xdist, rustpar = fork_case.compare({"conftest.py": OWNER, "test_it.py": test})
    assert xdist.ret == 0
    assert rustpar.start() in fork_case.EARLY_MODES


def test_a_seed_in_a_conftest_applies_in_every_worker(fork_case: ForkCase) -> None:
    fork_case.expect_template(
        """
        import random
        from support import note

        random.seed(42)
        FIRST = random.random()

        def use(me):
            note(f"{FIRST} {random.random()} {random.randint(0, 10**9)}")
        """,
        n=3,
    )


def test_a_seed_in_a_fixture_applies_to_each_test(fork_case: ForkCase) -> None:
    fork_case.expect_template(
        """
        import random
        import pytest
        from support import note

        @pytest.fixture(autouse=True)
        def seeded():
            random.seed(7)

        def use(me):
            note(random.random())
        """
    )
