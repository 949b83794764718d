"""Modules of a warm server: who gets them, and who imports them anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.warm.environments import WarmSuite

# A package that says in a file when its code is executed.
COUNTED = """
    import os
    # Not with `open`: a module that writes files is left out.
    log = os.open(os.path.dirname(__file__) + "-{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(log, b"x")
    os.close(log)
    VALUE = {value}
"""


def executed(suite: WarmSuite, name: str) -> int:
    """Return how often the code of a package has been executed since the last call."""
    # Not in the directory of packages, which would be changed by it.
    path = suite.packages.parent / f"site-packages-{name}.log"
    count = len(path.read_text()) if path.exists() else 0
    path.unlink(missing_ok=True)
    return count


def install(suite: WarmSuite, name: str, value: object = 1) -> None:
    package, _, last = name.rpartition("/")
    text = COUNTED.replace("__file__", "os.path.dirname(__file__)") if package else COUNTED
    (suite.packages / package).mkdir(exist_ok=True)
    suite.install(name, text.format(name=last, value=repr(value)))


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "workers"])
def test_a_run_uses_the_modules_of_the_server(warm_suite: WarmSuite, workers: tuple[str, ...]) -> None:
    install(warm_suite, "counted_use")
    warm_suite.write({"test_it.py": "import counted_use\ndef test_it():\n    assert counted_use.VALUE == 1\n"})
    warm_suite.warm_up()
    # Once in the run, and at least once in the server.
    assert executed(warm_suite, "counted_use") >= 2
    for _ in range(2):
        run = warm_suite.run(*workers)
        assert run.returncode == 0, run.stdout + run.stderr
        assert "1 passed" in run.stdout
    assert executed(warm_suite, "counted_use") == 0


def test_no_code_of_the_project_runs_in_the_server(warm_suite: WarmSuite) -> None:
    text = "import os\nwith open('{name}.log', 'a') as log:\n    log.write(f'{{os.getpid()}}\\n')\n"
    names = ("conftest", "helper", "test_it")
    more = {"conftest": "import helper\n", "helper": "", "test_it": "def test_it(): pass\n"}
    warm_suite.write({f"{name}.py": text.format(name=name) + more[name] for name in names})
    warm_suite.warm_up()
    for _ in range(2):
        assert warm_suite.run().returncode == 0
    for name in names:
        processes = (warm_suite.path / f"{name}.log").read_text().split()
        assert len(set(processes)) == len(processes) == 3, name


def test_a_changed_conftest_and_test_are_seen(warm_suite: WarmSuite) -> None:
    warm_suite.write(
        {"conftest.py": "VALUE = 1", "test_it.py": "import conftest\ndef test_it(): assert conftest.VALUE == 1"}
    )
    warm_suite.warm_up()
    warm_suite.write({"conftest.py": "VALUE = 22"})
    assert "assert 22 == 1" in warm_suite.run().stdout
    warm_suite.write({"test_it.py": "import conftest\ndef test_other(): assert conftest.VALUE == 22"})
    run = warm_suite.run("-v")
    assert "test_it.py::test_other PASSED" in run.stdout
    assert "cold start" not in run.stdout


def test_an_upgraded_package_is_never_used_in_its_old_version(warm_suite: WarmSuite) -> None:
    install(warm_suite, "upgraded", "old")
    warm_suite.write({"test_it.py": "import upgraded\ndef test_it(): assert upgraded.VALUE == 'new'"})
    assert warm_suite.run().returncode == 1
    warm_suite.wait_for_server()
    install(warm_suite, "upgraded", "new")
    run = warm_suite.run("-v")
    assert run.returncode == 0, run.stdout
    assert "upgraded.py has changed)" in run.stdout, run.stdout + warm_suite.log()
    # The next server is one of the new version.
    warm_suite.wait_for_server()
    executed(warm_suite, "upgraded")
    run = warm_suite.run("-v")
    assert run.returncode == 0, run.stdout
    assert "cold start" not in run.stdout
    assert executed(warm_suite, "upgraded") == 0


def test_a_variable_that_a_module_reads_at_its_import_may_differ(warm_suite: WarmSuite) -> None:
    warm_suite.install("configured", "import os\nMODE = os.environ.get('CONFIGURED_MODE', 'none')\n")
    warm_suite.install("uses_configured", "import configured\nMODE = configured.MODE\n")
    warm_suite.write(
        {
            "conftest.py": "",
            "test_it.py": """
            import uses_configured, configured

            def test_it():
                assert uses_configured.configured is configured
                print("the mode is", uses_configured.MODE)
            """,
        }
    )
    warm_suite.warm_up()
    assert "the mode is none" in warm_suite.run("-s").stdout
    run = warm_suite.run("-s", env=warm_suite.variables | {"CONFIGURED_MODE": "outside"})
    assert "the mode is outside" in run.stdout, run.stdout
    warm_suite.write({"conftest.py": "import os\nos.environ['CONFIGURED_MODE'] = 'conftest'"})
    assert "the mode is conftest" in warm_suite.run("-s").stdout


def test_a_module_of_the_project_hides_one_of_a_package(warm_suite: WarmSuite) -> None:
    warm_suite.install("hidden_package", "WHERE = 'package'\n")
    warm_suite.install("uses_hidden", "import hidden_package\nWHERE = hidden_package.WHERE\n")
    warm_suite.install(
        "uses_optional", "try:\n    import optional_part\nexcept ImportError:\n    optional_part = None\n"
    )
    warm_suite.write(
        {
            "test_it.py": """
            import hidden_package, uses_hidden, uses_optional

            def test_it():
                print(hidden_package.WHERE, uses_hidden.WHERE, uses_optional.optional_part is None)
            """
        }
    )
    warm_suite.warm_up()
    assert "package package True" in warm_suite.run("-s").stdout
    warm_suite.write({"hidden_package.py": "WHERE = 'project'", "optional_part.py": ""})
    assert "project project False" in warm_suite.run("-s").stdout


def test_warnings_and_filters_of_an_import_are_those_of_a_cold_run(warm_suite: WarmSuite) -> None:
    warm_suite.install("warns", "import warnings\nwarnings.warn('old', DeprecationWarning, stacklevel=1)\n")
    warm_suite.install("filters", "import warnings\nwarnings.filterwarnings('ignore', message='quiet')\n")
    warm_suite.write(
        {
            "test_it.py": """
            import warnings
            import filters, warns

            def test_it():
                warnings.warn("quiet")
                warnings.warn("loud")
            """
        }
    )
    cold = warm_suite.run()
    warm_suite.wait_for_server()
    warm = warm_suite.run("-v")
    assert "cold start" not in warm.stdout
    for run in (cold, warm):
        assert "2 warnings" in run.stdout or "3 warnings" in run.stdout, run.stdout
        assert "UserWarning: loud" in run.stdout
        assert "DeprecationWarning: old" in run.stdout
    assert ("UserWarning: quiet" in cold.stdout) == ("UserWarning: quiet" in warm.stdout)
    assert "leaves out warns: warns: DeprecationWarning: old" in warm_suite.log()


def test_filters_at_the_end_and_those_of_a_moment_are_those_of_a_cold_run(warm_suite: WarmSuite) -> None:
    install(warm_suite, "filtering")
    text = (warm_suite.packages / "filtering.py").read_text()
    more = """
import sys, warnings
warnings.simplefilter("ignore", ImportWarning, append=True)
warnings.filterwarnings("ignore", message="in front")
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="for a moment")
    import filtering_part
    warnings.warn("for a moment")
if sys.version_info >= (3, 11):
    with warnings.catch_warnings(action="ignore", category=UnicodeWarning):
        pass
"""
    warm_suite.install("filtering", text + more)
    warm_suite.install("filtering_part", "PART = 1\n")
    warm_suite.write(
        {
            "test_it.py": """
            import warnings
            with warnings.catch_warnings():
                warnings.resetwarnings()
                import filtering
                print([one[:3] for one in warnings.filters])
            def test_it(): pass
            """
        }
    )
    cold = warm_suite.run("-s")
    warm_suite.wait_for_server()
    executed(warm_suite, "filtering")
    warm = warm_suite.run("-s", "-v")
    assert "cold start" not in warm.stdout, warm_suite.log()
    assert executed(warm_suite, "filtering") == 0
    (expected,) = [line for line in cold.stdout.splitlines() if "ImportWarning" in line]
    assert expected in warm.stdout
    assert "for a moment" not in expected
    assert "UnicodeWarning" not in expected


def test_what_a_module_is_warned_of_is_not_hidden_by_the_one_that_imports_it(warm_suite: WarmSuite) -> None:
    warm_suite.install(
        "outer",
        "import warnings\nwith warnings.catch_warnings():\n    warnings.simplefilter('ignore')\n    import inner\n",
    )
    warm_suite.install("inner", "import warnings\nwarnings.warn('of inner')\n")
    warm_suite.write({"test_it.py": "import outer\ndef test_it(): pass"})
    warm_suite.warm_up()
    assert "leaves out inner: warns: UserWarning: of inner" in warm_suite.log()


def test_a_namespace_package_and_a_variable_that_a_module_sets_are_the_servers(warm_suite: WarmSuite) -> None:
    install(warm_suite, "wide/part")
    sets = "import os\nos.environ.setdefault('KMP_OF_A_TEST', 'set')\n"
    install(warm_suite, "sets_too")
    warm_suite.install("sets_too", sets + (warm_suite.packages / "sets_too.py").read_text())
    warm_suite.install("only_reads", "import os\nSEEN = os.environ.get('KMP_OF_A_TEST')\n")
    warm_suite.install("sets_first", sets + "import sets_too, only_reads\n")
    test = "import sets_first, only_reads, wide.part\ndef test_it(): assert only_reads.SEEN == 'set'\n"
    warm_suite.write({"test_it.py": test})
    warm_suite.warm_up()
    executed(warm_suite, "part")
    executed(warm_suite, "sets_too")
    run = warm_suite.run("-v")
    assert (run.returncode, "cold start" in run.stdout) == (0, False), run.stdout
    assert (executed(warm_suite, "part"), executed(warm_suite, "sets_too")) == (0, 0)
    # The project may add to a namespace.
    warm_suite.write({"wide/more.py": "", "test_it.py": "import wide.more, wide.part\ndef test_it(): pass\n"})
    assert warm_suite.run().returncode == 0


def test_variables_of_a_package_that_goes_through_all_of_them_may_differ(warm_suite: WarmSuite) -> None:
    text = "import os\nFOUND = {name: value for name, value in os.environ.items() if name.startswith('NETWORKX_')}\n"
    install(warm_suite, "networkx")
    warm_suite.install("networkx", (warm_suite.packages / "networkx.py").read_text() + text)
    warm_suite.write({"test_it.py": "import networkx\ndef test_it(): print('found', networkx.FOUND)\n"})
    warm_suite.warm_up()
    executed(warm_suite, "networkx")
    assert "found {}" in warm_suite.run("-s", env=warm_suite.variables | {"OTHER": "1"}).stdout
    assert executed(warm_suite, "networkx") == 0
    run = warm_suite.run("-s", env=warm_suite.variables | {"NETWORKX_MODE": "fast"})
    assert "found {'NETWORKX_MODE': 'fast'}" in run.stdout
    assert executed(warm_suite, "networkx") == 1


def test_a_seeded_generator_gives_the_numbers_of_a_cold_run(warm_suite: WarmSuite) -> None:
    install(warm_suite, "rich/style")
    text = (warm_suite.packages / "rich" / "style.py").read_text()
    warm_suite.install("rich/style", text + "import random\nNUMBER = random.getrandbits(32)\n")
    warm_suite.write(
        {"conftest.py": "", "test_it.py": "import rich.style, random\ndef test_it(): print('next', random.random())"}
    )
    warm_suite.warm_up()
    executed(warm_suite, "style")
    assert warm_suite.run().returncode == 0
    assert executed(warm_suite, "style") == 0
    warm_suite.write({"conftest.py": "import random\nrandom.seed(42)\n"})
    warm, cold = warm_suite.run("-s").stdout, warm_suite.run("-s", "-o", "rustpar_warm=false").stdout
    (expected,) = [line for line in cold.splitlines() if line.startswith("test_it.py next")]
    assert expected.rstrip(".") in warm


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()", "a thread"),
        ("FILE = open('/dev/null')", "changes open files"),
        ("with open('/tmp/written-at-import', 'w'): pass", "writes a file"),
        ("import signal\nsignal.signal(signal.SIGUSR1, lambda *_: None)", "changes signal handlers"),
        ("print('hello')", "changes standard output"),
        ("import sys\nsys.excepthook = lambda *about: None", "changes hooks of sys"),
        ("import os\nCOPY = dict(os.environ)", "reads the whole environment"),
        ("import os\nos.chdir('/')\n", "changes the directory"),
        ("raise RuntimeError('not without settings')", "RuntimeError: not without settings"),
    ],
)
def test_a_module_that_does_more_than_define_things_is_left_out(warm_suite: WarmSuite, text: str, reason: str) -> None:
    warm_suite.install("busy_module", text + "\nVALUE = 1\n")
    warm_suite.install("uses_busy", "try:\n    import busy_module\nexcept RuntimeError:\n    pass\n")
    install(warm_suite, "innocent")
    warm_suite.write(
        {"test_it.py": "import os\nhere = os.getcwd()\nimport innocent, uses_busy\nos.chdir(here)\ndef test_it(): pass"}
    )
    warm_suite.warm_up()
    log = warm_suite.log()
    assert reason in log, log
    assert "uses_busy" in log
    executed(warm_suite, "innocent")
    run = warm_suite.run("-v")
    assert run.returncode == 0, run.stdout
    assert "cold start" not in run.stdout
    assert executed(warm_suite, "innocent") == 0
