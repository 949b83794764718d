"""What cannot be known selects more tests: configuration, data files, processes, dynamic imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.changed.project import PACKAGE, Case, check, commit, git

if TYPE_CHECKING:
    from tests.harness import Suite

BOTH = "test_high test_other"
CHANGED = "VALUE = 2\n"


def test_configuration_and_sources_of_extensions_concern_every_test(suite: Suite) -> None:
    files = [
        *("pyproject.toml", "tox.ini", "requirements-dev.txt", "requirements/base.txt", "uv.lock", ".tool-versions"),
        *(".env.test", "pkg/speed.pyx", "src/lib.rs", "setup.py", "tests/conftest.py", "migrations/a1_x.py"),
    ]
    cases = {file.replace("/", "-"): Case(PACKAGE, {file: ""}, BOTH) for file in files}
    runs = check(suite, cases)
    line = "rustpar: 2 tests: tox.ini is new, which every test may depend on"
    assert runs["tox.ini"].line("every test") == line


def test_data_files_concern_the_tests_of_the_modules_near_them(suite: Suite) -> None:
    files = PACKAGE | {
        "pkg/sub/__init__.py": "",
        "tests/test_sub.py": "import pkg.sub\ndef test_sub(): pass\n",
        "other/test_apart.py": "def test_apart(): pass\n",
    }
    three = f"{BOTH} test_sub"
    everything = f"{three} test_apart"
    check(
        suite,
        {
            "in-a-package": Case(files, {"pkg/sub/data/x.json": "{}"}, three),
            "in-the-outer-package": Case(files, {"pkg/table.csv": ""}, three),
            "beside-tests": Case(files, {"tests/data/deep/x.txt": ""}, three),
            "a-text-elsewhere": Case(files, {"prompts/x.txt": ""}, everything),
            "beside-other-tests": Case(files, {"other/x.bin": ""}, "test_apart"),
            "elsewhere": Case(files, {"fixtures/x.json": "{}"}, everything),
            "at-the-top": Case(files, {"compose.yaml": ""}, everything),
            "deleted": Case(files | {"fixtures/x.json": "{}"}, {"fixtures/x.json": None}, everything),
        },
    )


def test_documentation_concerns_only_tests_that_name_it(suite: Suite) -> None:
    files = PACKAGE | {
        "README.md": "# A project\n",
        "docs/index.rst": "",
        ".github/workflows/ci.yml": "",
        "tests/test_docs.py": "from pathlib import Path\nREADME = Path(__file__).parents[1] / 'README.md'\n"
        "def test_docs(): assert README.exists()\n",
    }
    changes = {"README.md": "# Changed\n", "docs/index.rst": "x\n", ".github/workflows/ci.yml": "x\n", "NEWS.md": "x\n"}
    check(
        suite,
        {
            name.replace("/", "-"): Case(files, {name: text}, "test_docs" if name == "README.md" else "")
            for name, text in changes.items()
        },
    )


@pytest.mark.parametrize(
    "test",
    [
        "import subprocess\ndef test_high(): subprocess\n",
        "import os\ndef later(): os.system('true')\ndef test_high(): pass\n",
        "from asyncio import create_subprocess_exec\ndef test_high(): pass\n",
        "import multiprocessing\nMETHOD = 'spawn'\ndef test_high(): pass\n",
        "pytest_plugins = 'pytester'\ndef test_high(pytester): pass\n",
    ],
)
def test_tests_that_start_processes_depend_on_every_file_but_documentation(suite: Suite, test: str) -> None:
    plugin = "pytest_plugins = 'pytester'\n" if "pytester" in test else ""
    files = PACKAGE | {"tests/test_high.py": test.removeprefix(plugin), "conftest.py": plugin}
    check(
        suite,
        {
            "module": Case(files, {"pkg/other.py": CHANGED}, BOTH),
            "another-test": Case(files, {"tests/test_other.py": "def test_other(): pass\n"}, BOTH),
            "documentation": Case(files, {"README.md": "x\n"}, ""),
        },
    )


def test_code_that_starts_python_depends_on_everything_and_other_code_does_not(suite: Suite) -> None:
    def of(command: str) -> Case:
        code = f"import subprocess\nimport sys\ndef run(): subprocess.run({command})\n"
        return Case(PACKAGE | {"pkg/high.py": code}, {"pkg/other.py": CHANGED}, expected)

    expected = BOTH
    cases = {"executable": of("[sys.executable, '-m', 'pkg']"), "python": of("['python3', 'x.py']")}
    starting = {"pkg/high.py": "import subprocess\nimport sys\ndef run(): subprocess.run([sys.executable])\n"}
    cases["test-file"] = Case(PACKAGE | starting, {"tests/test_other.py": "def test_other(): pass\n"}, "test_other")
    expected = "test_other"
    check(suite, cases | {"another-program": of("['ls']")})


def test_dynamic_imports_depend_on_everything_in_their_directory(suite: Suite) -> None:
    def of(code: str) -> dict[str, str]:
        return PACKAGE | {
            "pkg/high.py": code,
            "pkg/plugins/one.py": "",
            "more/test_apart.py": "def test_apart(): pass\n",
        }

    importing = {
        "import-module": "import importlib\ndef later(name): importlib.import_module(name)\n",
        "aliased": "from importlib import import_module as load\nload = map(load, [])\n",
        "walked": "import pkgutil\ndef later(path): pkgutil.walk_packages(path)\n",
        "executed": "def later(file): exec(file.read_text())\n",
        "by-file": "from importlib.util import spec_from_file_location as spec\n",
        "run": "import runpy\ndef later(path): runpy.run_path(path)\n",
    }
    cases = {name: Case(of(code), {"pkg/plugins/one.py": CHANGED}, "test_high") for name, code in importing.items()}
    literal = "import importlib\nimportlib.import_module('pkg.low')\neval('1')\n"
    check(suite, cases | {"literal": Case(of(literal), {"pkg/plugins/one.py": CHANGED}, BOTH)})


def test_a_lazy_package_depends_on_all_modules_in_it(suite: Suite) -> None:
    lazy = "import importlib\ndef __getattr__(name): return importlib.import_module('.' + name, __name__)\n"
    files = PACKAGE | {
        "pkg/__init__.py": lazy,
        "pkg/sub/__init__.py": "",
        "pkg/sub/deep.py": "",
        "tests/test_high.py": "import pkg\ndef test_high(): pkg.other\n",
        "tests/test_other.py": "import pkg.sub.deep\ndef test_other(): pass\n",
        "more/test_apart.py": "from pkg.sub import deep\ndef test_apart(): pass\n",
    }
    cases = {
        "module": Case(files, {"pkg/other.py": CHANGED}, f"{BOTH} test_apart"),
        "below": Case(files, {"pkg/sub/deep.py": CHANGED}, f"{BOTH} test_apart"),
    }
    check(suite, cases)


def test_modules_that_only_a_plugin_manager_has_imported_concern_every_test(suite: Suite) -> None:
    # The loader is not in the repository; nothing in it names the module.
    suite.write({"loader/load.py": "import sys\nsys.path.insert(0, '')\n__import__(''.join(['pk', 'g.other']))\n"})
    files = PACKAGE | {
        "conftest.py": "import load\n",
        "tests/test_other.py": "def test_other(): pass\n",
        "pkg/other.py": "import pkg.low\n",
        "pkg/high.py": "",
    }
    cases = {
        "itself": Case(files, {"pkg/other.py": CHANGED}, BOTH),
        "what-it-imports": Case(files, {"pkg/low.py": CHANGED}, BOTH),
    }
    check(suite, cases, "-o", "pythonpath=../loader")


def test_input_that_looks_like_a_test_is_a_data_file(suite: Suite) -> None:
    files = PACKAGE | {"tests/conftest.py": "collect_ignore = ['input']\n", "tests/input/test_input.py": ""}
    check(
        suite,
        {
            "changed": Case(files, {"tests/input/test_input.py": CHANGED}, BOTH),
            "deleted": Case(files, {"tests/input/test_input.py": None}, BOTH),
        },
    )


def test_plugins_concern_every_test(suite: Suite) -> None:
    files = PACKAGE | {"plug.py": "from pkg import low\n"}
    cases = {
        "plugin": Case(files, {"plug.py": CHANGED}, BOTH),
        "its-import": Case(files, {"pkg/low.py": CHANGED}, BOTH),
    }
    runs = check(suite, cases, "-p", "plug")
    assert "plug.py has changed, which pytest has loaded as a plugin" in runs["plugin"].out


def test_a_module_that_cannot_be_parsed_may_depend_on_everything(suite: Suite) -> None:
    files = PACKAGE | {"pkg/high.py": "def later():\n    import pkg.broken\n", "pkg/broken.py": "import pkg.other (\n"}
    check(suite, {"broken": Case(files, {"pkg/other.py": CHANGED}, BOTH)})


def test_examples_in_texts_depend_on_everything(suite: Suite) -> None:
    files = PACKAGE | {"tests/test_guide.txt": ">>> import pkg.other\n"}
    cases = {
        "module": Case(files, {"pkg/low.py": CHANGED}, "test_high test_guide.txt"),
        "text": Case(files, {"tests/test_guide.txt": ">>> 1\n1\n"}, "test_guide.txt"),
    }
    check(suite, cases)


def test_symbolic_links_lead_to_what_they_stand_for(suite: Suite) -> None:
    for name, files in {
        "directory": PACKAGE | {"tests/test_other.py": "import linked.other\ndef test_other(): pass\n"},
        "file": PACKAGE | {"tests/test_other.py": "import single\ndef test_other(): pass\n"},
        "retargeted": PACKAGE,
    }.items():
        part = suite.part(name)
        part.write({"tests/x.txt": ""})
        (part.path / "tests/linked").symlink_to("../pkg")
        (part.path / "tests/single.py").symlink_to("../pkg/other.py")
        (part.path / "link").symlink_to("pkg")
        commit(part, files)
        assert "120000" in git(part.path, "ls-files", "--stage")
        if name == "retargeted":
            (part.path / "link").unlink()
            (part.path / "link").symlink_to("tests")
        else:
            part.write({"pkg/other.py": CHANGED})
    runs = suite.run_each(dict.fromkeys(("directory", "file", "retargeted"), ("tests", "--rustpar-changed")))
    selected = {name: len(run.runs) for name, run in runs.items()}
    assert selected == {"directory": 1, "file": 1, "retargeted": 2}
