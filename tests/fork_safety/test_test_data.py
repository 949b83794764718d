"""Values generated during collection are a reason for early workers only if they name something."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from tests.shapes import TESTS, reasons_by_conftest, reasons_by_file

if TYPE_CHECKING:
    from tests.harness import Run, Suite

IMPORTS = """
import dataclasses
import hashlib
import logging
import os
import random
import secrets
import socket
import string
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
import pytest

"""


def start_of(suite: Suite, conftest: str, test: str = "", **files: str) -> tuple[str, Run]:
    """Run a suite; return its start mode and the run."""
    suite.write({f"{name}.py": IMPORTS + textwrap.dedent(text) for name, text in files.items()})
    suite.write({"conftest.py": IMPORTS + textwrap.dedent(conftest)})
    suite.write({"test_it.py": IMPORTS + textwrap.dedent(test) + "\n" + TESTS})
    run = suite.run()
    assert run.ret == 0, run.text
    return run.start(), run


# Each is a test module.
DATA = [
    "@pytest.mark.parametrize('n', [uuid.uuid4() for _ in range(3)], ids=list('abc'))\ndef test_it(n): pass",
    "@pytest.mark.parametrize('n', [random.randint(1, 9999) for _ in range(3)], ids=list('abc'))\ndef test_it(n): pass",
    "@pytest.mark.parametrize('n', [pytest.param(secrets.token_hex(), id='a')])\ndef test_it(n): pass",
    "USERS = [{'id': uuid.uuid4(), 'name': secrets.token_urlsafe()} for _ in range(3)]",
    "NUMBERS = [random.random() for _ in range(100_000)]",
    "WORDS = {random.choice(string.ascii_letters) for _ in range(1000)}",
    "BROWSER = random.choice(['firefox', 'chrome'])",
    "COLOUR = random.choice(['red', 'green'])\nclass TestIt:\n    size = random.choice([1, 2, 3])",
    "def make():\n    value = str(uuid.uuid4())\n    return len(value)\nLENGTH = make()",
    "assert uuid.uuid4() != uuid.uuid4()",
    "SEED = random.getrandbits(64)",
    "RATIO = random.random()",
    "FLAG = random.random() < 0.5",
    "UPPER = os.urandom(4) > b'a'",
    "class Row:\n    def __init__(self): self.id = uuid.uuid4()\nROWS = [Row(), Row()]",
    "def test_it(n=(uuid.uuid4(),)): pass",
    "logging.getLogger('x').warning('made in %s', os.getpid())",
    "print(f'process {os.getpid()}')",
    "IS_FIRST = os.getpid() == 1",
    "assert os.path.exists(f'/proc/{os.getpid()}')",
    "def alive(): return os.path.isdir('/proc/%d' % os.getpid())\nALIVE = alive()",
    "path = tempfile.mktemp()\ndel path",
    "with tempfile.TemporaryDirectory() as directory:\n"
    "    Path(directory, uuid.uuid4().hex).mkdir()\n    Path(directory, uuid.uuid4().hex).write_text('')\n"
    "del directory",
    "os.environ['X'] = uuid.uuid4().hex\ndel os.environ['X']",
]

# The last one seeds the generator. They are not among the others, which draw few numbers: one might be such a port.
DATA_AND_PORTS = [
    "NUMBERS = tuple(random.randrange(65_000) for _ in range(20_000))\nPORT = 8080\nLIMIT = 5000",
    "NUMBERS = random.Random(42)\nPORT = NUMBERS.randint(20_000, 60_000)",
    "random.seed(7)\nPORT = random.randint(20_000, 60_000)",
]


def test_generated_values_that_are_test_data_are_not_a_reason(suite: Suite) -> None:
    for name, tests in (("data", DATA), ("ports", DATA_AND_PORTS)):
        files = {f"{name}/test_{number:02}.py": test for number, test in enumerate(tests)}
        suite.write({file: f"{IMPORTS}{test}\n{TESTS}" for file, test in files.items()})
        reasons = reasons_by_file(suite.run("-v", name))
        assert {files[file]: reasons[file] for file in reasons} == {}


NOT_KEPT = [
    # As a check for IPv6; the port is not used.
    """
    def has_ipv6():
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
                return True
        except OSError:
            return False

    HAS_IPV6 = has_ipv6()
    """,
    """
    def free():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    assert free() > 0

    @pytest.fixture(scope="session")
    def port():
        return free()
    """,
    """
    @pytest.fixture(scope="session")
    def database():
        return f"test_{uuid.uuid4().hex}"

    def pytest_collection_modifyitems(items):
        for item in items:
            item.user_properties.append(("id", str(uuid.uuid4())))
    """,
    """
    def pytest_report_header(config):
        return f"process {os.getpid()}, run {uuid.uuid4()}"
    """,
    # The controller has set it, and all workers inherit it, as under pytest-xdist.
    'os.environ.setdefault("PREFIX", secrets.token_hex(4))',
    """
    def pytest_configure(config):
        run_id = uuid.uuid4().hex
        logging.getLogger("app").info("run %s in %d", run_id, os.getpid())
    """,
]


def test_values_that_a_conftest_does_not_keep_are_not_a_reason(suite: Suite) -> None:
    assert reasons_by_conftest(suite, NOT_KEPT, IMPORTS) == {conftest: [] for conftest in NOT_KEPT}


# Where each conftest keeps the name.
NAMES = {
    'TEST_DB = f"test_{uuid.uuid4().hex}"': "conftest.TEST_DB",
    'TEST_DB = f"test_{uuid.uuid4().hex[:6]}"': "conftest.TEST_DB",
    'TEST_DB = "test_" + str(uuid.uuid4())[:4]': "conftest.TEST_DB",
    'TEST_DB = "t" + str(uuid.uuid4().int)[:9]': "conftest.TEST_DB",
    "RUN_ID = uuid.uuid4()": "conftest.RUN_ID",
    "RUN_ID = str(uuid.uuid1())": "conftest.RUN_ID",
    "NAME = hashlib.md5(uuid.uuid4().bytes).hexdigest()": "conftest.NAME",
    "NAME = os.urandom(4).hex()": "conftest.NAME",
    "NAME = secrets.token_urlsafe(6)": "conftest.NAME",
    'NAME = "".join(secrets.choice(string.ascii_lowercase) for _ in range(8))': "conftest.NAME",
    'NAME = "".join([random.choice("abcdef") for _ in range(5)])': "conftest.NAME",
    'NAME = "".join([random.choice("abcdef") for _ in range(2) for _ in range(2)])': "conftest.NAME",
    'NAME = "".join([a + random.choice("abcdef") for a, b in zip("12", "34")])': "conftest.NAME",
    'NAME = "".join({random.choice("abcdef"): n for n in range(5)})': "conftest.NAME",
    'def pick(): return "".join([random.choice("abcdef") for _ in range(5)])\nNAME = pick()': "conftest.NAME",
    (
        'def pick():\n    return "".join([a + random.choice("abc") for a, b in zip("12", "34")])\nNAME = pick()'
    ): "conftest.NAME",
    'NAME = "".join(random.sample(string.ascii_lowercase, 8))': "conftest.NAME",
    'NAME = "app-%04d" % random.randint(0, 9999)': "conftest.NAME",
    'NAME = f"{random.getrandbits(32):x}"': "conftest.NAME",
    'NAME = "-".join([random.choice(["brave", "calm"]), random.choice(["turing", "hopper"])])': "conftest.NAME",
    "PORT = 20000 + random.randrange(20000)": "conftest.PORT",
    "PORT = 20000 + os.getpid() % 20000": "conftest.PORT",
    "PORT = 20000 + int(random.random() * 20000)": "conftest.PORT",
    'LOCK = Path("/tmp") / f"lock-{os.getpid()}"': "conftest.LOCK",
    "SCRATCH = tempfile.mktemp()": "conftest.SCRATCH",
    'SCRATCH = Path(tempfile.mktemp(suffix=".db"))': "conftest.SCRATCH",
    'DATABASES = {"default": {"NAME": "test_" + uuid.uuid4().hex}}': "conftest.DATABASES.default.NAME",
    'QUEUES = {f"queue-{uuid.uuid4()}": 1}': "a key of conftest.QUEUES",
    "class Settings:\n    topic = f'orders-{uuid.uuid4()}'": "conftest.Settings.topic",
    "class Settings:\n    port = random.randint(20000, 40000)": "conftest.Settings.port",
    (
        "class Settings:\n    def __init__(self): self.prefix = uuid.uuid4().hex[:8]\nSETTINGS = Settings()"
    ): "conftest.SETTINGS.prefix",
    (
        "@dataclasses.dataclass(frozen=True)\nclass Settings:\n"
        "    name: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)\nSETTINGS = Settings()"
    ): "conftest.SETTINGS.name",
    (
        "class Slots:\n    __slots__ = ('name',)\nSLOTS = Slots()\nSLOTS.name = secrets.token_hex(8)"
    ): "conftest.SLOTS.name",
    (
        'os.environ["DATABASE_URL"] = f"postgresql://db/test_{uuid.uuid4().hex[:8]}"'
    ): "the environment variable DATABASE_URL",
    'os.environ["PORT"] = str(20000 + os.getpid() % 999)': "the environment variable PORT",
    'if hasattr(pytest, "fixture"): os.environ.update(PREFIX=secrets.token_hex(4))': "the environment variable PREFIX",
    "def pytest_configure(config):\n    config.run_id = uuid.uuid4().hex": "config.run_id",
    "def pytest_configure(config):\n    config.option.run = str(uuid.uuid4())": "config.option.run",
    "KEY = pytest.StashKey()\ndef pytest_configure(config):\n    config.stash[KEY] = uuid.uuid4()": "config.stash",
    "def pytest_sessionstart(session):\n    session.run_id = uuid.uuid4()": "session.run_id",
    "def pytest_configure(config):\n    pytest.run_id = uuid.uuid4().hex": "pytest.run_id",
    (
        "class Plugin:\n    def __init__(self): self.topic = uuid.uuid4().hex\n"
        "def pytest_configure(config):\n    config.pluginmanager.register(Plugin())"
    ): "Plugin.topic",
    (
        "def pick():\n    probe = socket.socket()\n    probe.bind(('', 0))\n    port = probe.getsockname()[1]\n"
        "    probe.close()\n    return port\nURL = f'http://localhost:{pick()}/'"
    ): "conftest.URL",
    "with socket.socket() as probe:\n    probe.bind(('', 0))\n    PORT = probe.getsockname()[1]": "conftest.PORT",
    (
        "def pytest_configure(config):\n    with socket.socket() as probe:\n        probe.bind(('', 0))\n"
        "        config.port = probe.getsockname()[1]"
    ): "config.port",
    'subprocess.run(["true", "--name", f"db-{uuid.uuid4().hex}"])': "a command",
    'os.system(f"true db-{uuid.uuid4().hex}")': "a command",
    'subprocess.run(["true"], env={**os.environ, "NAME": uuid.uuid4().hex})': "a command",
    "Path(f'scratch-{uuid.uuid4()}').write_text('x')": "a path",
    # Early workers do it at the same time.
    (
        "SCRATCH = f'scratch-{time.monotonic_ns()}'\nPath(SCRATCH).mkdir()\n"
        "os.rename(SCRATCH, f'scratch-{uuid.uuid4()}')"
    ): "a path",
    "def connect(name=f'test_{uuid.uuid4()}'): pass": "a default of conftest.connect",
    "NUMBERS = random.Random()\nNAME = f'test_{NUMBERS.getrandbits(64)}'": "conftest.NAME",
}

# Not among the others: the first keeps the number that is in a name of others, and the second seeds the generator.
PROCESS_NUMBERS = {
    "class Lock:\n    def __init__(self): self._pid = os.getpid()\nLOCKS = [Lock()]": "an object",
    "random.seed(os.getpid() + 1)": "the seed of a random number generator",
}


def test_a_generated_name_makes_workers_early(suite: Suite) -> None:
    for shapes in (NAMES, PROCESS_NUMBERS):
        found = reasons_by_conftest(suite, list(shapes), IMPORTS)
        kept = {
            conftest: [reason.partition(", which is kept in ")[2] for reason in found[conftest]] for conftest in found
        }
        assert kept == {conftest: [where] for conftest, where in shapes.items()}


def test_a_name_generated_by_a_helper_for_a_test_module_makes_workers_early(suite: Suite) -> None:
    start, run = start_of(
        suite,
        "",
        "from helpers import unique\nBUCKET = unique('bucket')\n",
        helpers="def unique(prefix):\n    return f'{prefix}-{uuid.uuid4().hex[:6]}'\n",
    )
    assert start == "early"
    assert "which is kept in test_it.BUCKET" in run.text


def test_a_port_from_a_helper_that_also_makes_data_is_detected(suite: Suite) -> None:
    start, run = start_of(
        suite,
        "",
        "from helpers import number\nNUMBERS = [number() for _ in range(500)]\nPORT = number()\n",
        helpers="def number():\n    value = random.randint(20_000, 60_000)\n    return value\n",
    )
    assert start == "early", run.text


def test_a_settings_object_of_a_package_is_searched(suite: Suite) -> None:
    suite.write(
        {
            "sitecustomize.py": f"import sysconfig\nsysconfig.get_paths()\n_was = sysconfig.get_paths\n"
            f"sysconfig.get_paths = lambda *a, **k: _was(*a, **k) | {{'platlib': {str(suite.path / 'packages')!r}}}\n",
            "packages/framework.py": """
                class Engine:
                    def __init__(self, url): self.url = url
            """,
        }
    )
    suite.conftest("import uuid\nfrom framework import Engine\nENGINE = Engine(f'sqlite:///{uuid.uuid4().hex}.db')\n")
    suite.test(TESTS)
    run = suite.run_with({"PYTHONPATH": f"{suite.path}:{suite.path / 'packages'}"})
    assert "which is kept in conftest.ENGINE.url" in run.text
