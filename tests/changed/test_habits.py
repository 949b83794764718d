"""Habits of projects with which a module or a file is used although no import in the tests leads to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.changed.project import Case, check

if TYPE_CHECKING:
    from tests.harness import Suite

# Another test imports the module, so that it is known to which tests it belongs.
PACKAGE = {
    "pkg/__init__.py": "",
    "pkg/low.py": "VALUE = 1\n",
    "tests/unit/test_low.py": "import pkg.low\ndef test_low(): pass\n",
}
LOW = {"pkg/low.py": "VALUE = 2222\n"}
BOTH = "test_low test_it"


def case(test: str, files: dict[str, str] | None = None, changed: dict[str, str] | None = None) -> Case:
    """A test in another directory, which must run."""
    test = test if "def test_it" in test else f"{test}\ndef test_it(): pass\n"
    return Case(PACKAGE | {"tests/integration/test_it.py": test} | (files or {}), changed or LOW, BOTH)


def test_modules_are_imported_by_names_that_are_put_together(suite: Suite) -> None:
    loader = {
        "pkg/core/__init__.py": "",
        "pkg/core/load.py": "from importlib import import_module\ndef load(name): return import_module(name)\n",
        "pkg/app.py": "from pkg.core.load import load\ndef backend(name): return load(f'pkg.{name}')\n",
    }
    walking = "import pkgutil\nimport pkg\nMODULES = list(pkgutil.walk_packages(pkg.__path__, pkg.__name__ + '.'))"
    examples = "import runpy\nfrom pathlib import Path\nFILES = Path('examples').glob('*.py')\nrun = runpy.run_path"
    check(
        suite,
        {
            "loader": case("import pkg.app", loader),
            "walk": case(walking),
            "examples": case(examples, {"examples/one.py": "import pkg.low\n"}),
            "relative": case("from importlib import import_module\nimport_module('.low', package='pkg')"),
            "levels": case(
                "import pkg.sub.m",
                {
                    "pkg/sub/__init__.py": "",
                    "pkg/sub/m.py": "from importlib import import_module\nimport_module('..low', __package__)\n",
                },
            ),
            "fromlist": case("__import__('pkg', fromlist=['low'])"),
            "command": case(
                "from django_like import call_command\ncall_command('low')",
                {"django_like.py": "call_command = print\n"},
            ),
        },
        "-o",
        "pythonpath=.",
    )


def test_modules_are_named_in_data_files(suite: Suite) -> None:
    config = {"conf/log.json": '{"handlers": {"file": {"()": "pkg.low.make"}}}'}
    reading = "import json, logging.config\ndef test_it(): json.loads(open('conf/log.json').read())\n"
    check(suite, {"logging": case(reading, config)})


def test_packages_import_what_is_used_of_them(suite: Suite) -> None:
    stub = {
        "pkg/__init__.py": "import lazy_like\n__getattr__ = lazy_like.attach_stub(__name__, __file__)\n",
        "pkg/__init__.pyi": "from .low import VALUE\n",
        "lazy_like.py": "def attach_stub(name, file): return lambda attribute: None\n",
    }
    mapped = {
        "pkg/__init__.py": "from importlib import import_module\nfrom pkg._map import MAP\n"
        "def __getattr__(name): return import_module(MAP[name])\n",
        "pkg/_map.py": "MAP = {}\n",
    }
    star = {
        "pkg/__init__.py": "import os\n__all__ = [name[:-3] for name in os.listdir(__path__[0]) if name == 'low.py']\n"
    }
    options = ("-o", "pythonpath=.")
    check(
        suite,
        {
            "stub": case("import pkg", stub),
            "map": case("import pkg", mapped),
            "star": case("from pkg import *", star),
        },
        *options,
    )


def test_helpers_start_processes(suite: Suite) -> None:
    helper = "import subprocess\ndef run(): subprocess.run(['sh', 'tool' + '.sh'])\n"
    program = "import subprocess\ndef go(name): subprocess.run(f'python3 -m {name}', shell=True)\n"
    check(
        suite,
        {
            "among-tests": case("from tests.helpers import run", {"tests/helpers/run.py": helper}),
            "beside-tests": case("import testlib.run", {"testlib/run.py": helper}),
            "command-line": case("import app.go", {"app/__init__.py": "", "app/go.py": program}),
        },
        "-o",
        "pythonpath=.",
    )


def test_files_of_a_directory_are_found(suite: Suite) -> None:
    glob = "from pathlib import Path\nFILES = list((Path(__file__).parents[1] / 'data').glob('*.json'))"
    near = {"tests/data/a.json": "1", "tests/test_smoke.py": ""}
    new = {"tests/data/b.json": "2"}
    golden = {"tests/golden/a.txt": "", "tests/golden/make.py": ""}
    reader = {"pkg/read.py": "def read(name): open(f'pkg/sub/data/{name}')\n", "pkg/sub/__init__.py": ""}
    check(
        suite,
        {
            "data-of-tests": case(glob, near, new),
            "golden": case("import pkg", golden, {"tests/golden/b.txt": "2"}),
            "data-of-a-package": case("import pkg.read", reader, {"pkg/sub/data/x.json": "2"}),
            "code": case(
                "from pathlib import Path\ndef test_it(): [p.read_text() for p in Path('pkg').rglob('*.py')]\n"
            ),
        },
        "-o",
        "pythonpath=.",
    )
