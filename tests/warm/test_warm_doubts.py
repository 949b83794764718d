"""What makes an import in a fork different from one in the server: then the fork imports the module itself."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.warm.environments import WarmSuite


def run_warm(suite: WarmSuite, *arguments: str) -> str:
    """Run pytest from the server; return the output."""
    run = suite.run("-v", "-s", *arguments)
    assert "cold start" not in run.stdout, run.stdout
    return run.stdout + run.stderr


@pytest.mark.parametrize(
    "test",
    [
        "import doubted as a\na.marker = 1\ndel sys.modules['doubted']\nimport doubted as b\n"
        "assert not hasattr(b, 'marker')",
        "import doubted, importlib\ndoubted.STATE.append(1)\nimportlib.reload(doubted)\nassert doubted.STATE == []",
        "import importlib.util\nspec = importlib.util.find_spec('doubted')\nassert spec.has_location\n"
        "assert spec.loader.get_source('doubted')",
        "with patch('os.path.exists', lambda path: 'patched'):\n    import doubted\nassert doubted.FOUND == 'patched'",
        "with patch.dict(sys.modules):\n    import doubted\n    doubted.STATE.append(1)\nimport doubted as again\n"
        "assert again.STATE == []",
        "logging.config.dictConfig({'version': 1})\nimport doubted\nassert not logging.getLogger('doubted').disabled",
        "assert 'doubted' not in logging.root.manager.loggerDict\nimport doubted",
        "import doubted, os, time\nassert doubted.exists is os.path.exists\nassert doubted.now is time.monotonic",
    ],
)
def test_an_import_is_a_new_one_where_that_matters(warm_suite: WarmSuite, test: str) -> None:
    warm_suite.install(
        "doubted",
        """
        import logging, os, os.path
        from os.path import exists
        from time import monotonic as now

        STATE = []
        FOUND = os.path.exists('/')
        LOGGER = logging.getLogger('doubted')
        """,
    )
    imports = "import logging.config, sys\nfrom unittest.mock import patch\n"
    warm_suite.write({"test_it.py": f"{imports}import doubted\ndef test_it(): pass\n"})
    warm_suite.warm_up()
    body = "\n".join(f"    {line}" for line in test.splitlines())
    warm_suite.write({"test_it.py": f"{imports}def test_it():\n{body}\n"})
    output = run_warm(warm_suite)
    assert "1 passed" in output, output


def test_a_module_that_is_imported_by_name_is_the_same_for_all(warm_suite: WarmSuite) -> None:
    warm_suite.install(
        "named", "import os\nMODE = os.environ.get('NAMED_MODE', 'none')\nclass Error(Exception): pass\n"
    )
    warm_suite.install("first_user", "import named\n")
    warm_suite.install(
        "second_user", "import importlib\nnamed = importlib.import_module('named')\ndef fail(): raise named.Error\n"
    )
    test = "import first_user, second_user, named\ndef test_it():\n    print('mode', second_user.named.MODE)\n"
    warm_suite.write({"test_it.py": f"{test}    assert second_user.named is named"})
    warm_suite.warm_up()
    warm_suite.write({"conftest.py": "import os\nos.environ['NAMED_MODE'] = 'test'"})
    output = run_warm(warm_suite)
    assert "mode test" in output
    assert "1 passed" in output


def test_files_that_an_import_reads_are_watched(warm_suite: WarmSuite) -> None:
    warm_suite.install(
        "reads_file",
        "try:\n    with open('settings.txt') as file:\n        TEXT = file.read()\nexcept OSError:\n    TEXT = ''\n",
    )
    warm_suite.write(
        {"settings.txt": "one", "test_it.py": "import reads_file\ndef test_it(): print('text', reads_file.TEXT)"}
    )
    warm_suite.warm_up()
    assert "text one" in run_warm(warm_suite)
    (warm_suite.path / "sub").mkdir()
    assert "text \n" in warm_suite.run("-s", "../test_it.py", directory="sub").stdout
    warm_suite.write({"settings.txt": "three"})
    run = warm_suite.run("-s", "-v")
    assert "text three" in run.stdout
    assert "settings.txt has changed)" in run.stdout, run.stdout + warm_suite.log()


def test_assertions_are_rewritten_in_what_a_module_uses(warm_suite: WarmSuite) -> None:
    warm_suite.install("checks", "def check(value):\n    assert value == [1, 2]\n")
    warm_suite.install("uses_checks", "import checks\n")
    warm_suite.write({"test_it.py": "import uses_checks\ndef test_it(): pass"})
    warm_suite.warm_up()
    warm_suite.write(
        {
            "conftest.py": "import pytest\npytest.register_assert_rewrite('checks')",
            "test_it.py": "import uses_checks\ndef test_it(): uses_checks.checks.check([1, 3])",
        }
    )
    assert "At index 1 diff: 3 != 2" in run_warm(warm_suite)


@pytest.mark.parametrize("text", ["json", "random"])
def test_a_module_of_the_project_that_hides_one_of_pythons_is_not_imported_by_the_server(
    warm_suite: WarmSuite, text: str
) -> None:
    warm_suite.write(
        {f"{text}.py": "open('imported', 'w')\n", "tests/test_it.py": "import fractions\ndef test_it(): pass"}
    )
    program = (
        "import sys\nsys.path.pop(0)\nimport runpy\nrunpy.run_module('pytest', run_name='__main__', alter_sys=True)\n"
    )
    warm_suite.write({"tests/pytest": program})
    command = [
        warm_suite.command()[0],
        "-c",
        "import sys; sys.path.pop(0); sys.argv[0] = 'pytest'; import pytest; pytest.main()",
    ]
    run = warm_suite.run(command=[*command, "tests"])
    assert run.returncode == 0, run.stdout + run.stderr
    warm_suite.wait_for_server()
    assert not (warm_suite.path / "imported").exists()


def test_the_server_has_the_environment_from_before_the_run(warm_suite: WarmSuite) -> None:
    warm_suite.write(
        {
            "conftest.py": "import os\nos.environ['PYTHONOPTIMIZE'] = '1'",
            "checked.py": "def check(value):\n    assert value > 0\n",
            "test_it.py": "import checked\ndef test_it(): checked.check(1)",
        }
    )
    warm_suite.warm_up()
    warm_suite.write({"test_it.py": "import checked\ndef test_it(): checked.check(0)"})
    assert "1 failed" in run_warm(warm_suite)


def test_options_of_the_interpreter_are_those_of_the_server(warm_suite: WarmSuite) -> None:
    warm_suite.write({"test_it.py": "import fractions\ndef test_it(): int('1' * 5000)"})
    python, *pytest_ = warm_suite.command("-v")
    command = [python, "-X", "int_max_str_digits=0", *pytest_]
    first = warm_suite.run(command=command)
    assert first.returncode == 0, first.stdout
    warm_suite.wait_for_server()
    second = warm_suite.run(command=command)
    assert second.returncode == 0, second.stdout
    assert "cold start" not in second.stdout


def test_a_run_that_was_started_elsewhere_is_not_run_by_a_late_server(warm_suite: WarmSuite) -> None:
    warm_suite.write({"test_it.py": "import fractions, os\ndef test_it(): open('ran', 'a').write(f'{os.getpid()} ')"})
    warm_suite.warm_up()
    (server,) = warm_suite.servers()
    (warm_suite.path / "ran").unlink()
    os.kill(server, signal.SIGSTOP)
    try:
        run = warm_suite.run("-v")
    finally:
        os.kill(server, signal.SIGCONT)
    assert "cold start (the server did not answer: timed out)" in run.stdout
    time.sleep(1.0)
    assert len((warm_suite.path / "ran").read_text().split()) == 1


def test_a_client_in_a_sandbox_starts_cold(warm_suite: WarmSuite) -> None:
    warm_suite.write({"test_it.py": "import fractions\ndef test_it(): pass"})
    warm_suite.warm_up()
    if warm_suite.run(command=["setpriv", "--no-new-privs", "true"]).returncode != 0:
        pytest.skip("setpriv cannot be used")
    run = warm_suite.run(command=["setpriv", "--no-new-privs", *warm_suite.command("-v")])
    assert "cold start (NoNewPrivs differs from the server's)" in run.stdout


def test_an_extension_module_that_would_be_imported_differently_starts_the_run_cold(warm_suite: WarmSuite) -> None:
    warm_suite.install("uses_extension", "import sqlite3, os\nMODE = os.environ.get('EXTENSION_MODE')\n")
    warm_suite.write(
        {"conftest.py": "", "test_it.py": "import uses_extension\ndef test_it(): print('mode', uses_extension.MODE)"}
    )
    warm_suite.warm_up()
    warm_suite.write({"conftest.py": "import os\nos.environ['EXTENSION_MODE'] = 'set'"})
    run = warm_suite.run("-v", "-s")
    assert "mode set" in run.stdout
    assert "cold start (importing uses_extension could have another result here)" in run.stdout
    warm_suite.wait_for_server()
    assert "mode set" in run_warm(warm_suite)
    assert run.returncode == 0
