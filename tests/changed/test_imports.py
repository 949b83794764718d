"""Which tests depend on a changed module, by imports and by the names of modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.changed.project import PACKAGE, Case, check

if TYPE_CHECKING:
    from tests.harness import Suite

CHANGED = "VALUE = 2\n"


def of(statement: str, module: str = "pkg/low.py") -> Case:
    """A test that depends on a module by a statement, and one that does not."""
    files = PACKAGE | {
        "pkg/high.py": statement,
        "pkg/sub/__init__.py": "",
        "pkg/sub/deep.py": "",
    }
    return Case(files, {module: CHANGED}, "test_high")


def test_a_change_selects_the_tests_that_import_the_module_in_any_way(suite: Suite) -> None:
    statements = {
        "module": "import pkg.low\n",
        "alias": "import os, pkg.low as low\n",
        "name": "from pkg.low import VALUE\n",
        "submodule": "from pkg import low\n",
        "star": "from pkg.low import *\n",
        "relative": "from .low import VALUE\n",
        "relative-submodule": "from . import low\n",
        "in-a-function": "def later():\n    from pkg import low\n",
        "for-types": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pkg.low\n",
        "by-a-literal": "import importlib\ndef later(): importlib.import_module('pkg.low')\n",
        "by-a-list-of-names": "INSTALLED_APPS = ['pkg.low']\n",
        "by-a-name-in-it": "TARGET = 'pkg.low.VALUE'\n",
        "by-an-entry-point": "TARGET = 'pkg.low:VALUE'\n",
        "in-a-text": "SOURCE = '''\nimport os\nfrom pkg.low import VALUE\n'''\n",
        "in-a-doctest": "def f():\n    '''Return it.\n\n    >>> import pkg.low\n    '''\n",
        "computed": "import importlib\ndef later(name): return importlib.import_module(f'pkg.{name}')\n",
    }
    check(suite, {name: of(statement) for name, statement in statements.items()})


def test_a_change_selects_what_depends_on_it_through_packages(suite: Suite) -> None:
    both = "test_high test_other"
    check(
        suite,
        {
            "package": Case(PACKAGE, {"pkg/__init__.py": CHANGED}, both),
            "subpackage": of("import pkg.sub.deep\n", "pkg/sub/__init__.py"),
            "deep": of("from .sub import deep\n", "pkg/sub/deep.py"),
            "parent": Case(
                PACKAGE
                | {"pkg/high.py": "", "pkg/sub/__init__.py": "", "pkg/sub/deep.py": "from ..low import VALUE\n"}
                | {"tests/test_high.py": "import pkg.sub.deep\ndef test_high(): pass\n"},
                {"pkg/low.py": CHANGED},
                "test_high",
            ),
            "names-of-a-package": Case(
                PACKAGE | {"pkg/__init__.py": "__all__ = ['low']\n", "pkg/high.py": ""},
                {"pkg/low.py": CHANGED},
                both,
            ),
        },
    )


def test_new_deleted_and_replaced_modules_count(suite: Suite) -> None:
    lazy = {"pkg/high.py": "def later():\n    from pkg import low\n"}
    check(
        suite,
        {
            "deleted": Case(PACKAGE | lazy, {"pkg/low.py": None}, "test_high"),
            "moved": Case(PACKAGE, {"pkg/low.py": None, "pkg/low/__init__.py": CHANGED}, "test_high"),
            "shadowing": Case(PACKAGE, {"pkg/high/__init__.py": CHANGED}, "test_high"),
            # Nobody knows who finds it.
            "new": Case(PACKAGE, {"pkg/new.py": CHANGED}, "test_high test_other"),
            "new-directory": Case(PACKAGE, {"pkg/plugins/new.py": CHANGED}, "test_high test_other"),
        },
    )


def test_tests_depend_on_their_own_files_helpers_fixtures_and_base_classes(suite: Suite) -> None:
    files = PACKAGE | {
        "tests/helper.py": "class Base:\n    def test_base(self): pass\n",
        "tests/test_high.py": "from helper import Base\nclass TestIt(Base): pass\n",
        "conftest.py": "",
        "tests/conftest.py": "",
        "plug.py": "import pytest\n@pytest.fixture\ndef value(): return 1\n",
        "more/test_more.py": "def test_more(value): pass\n",
        "more/conftest.py": "from plug import value\n",
    }
    check(
        suite,
        {
            "test": Case(files, {"tests/test_other.py": "def test_other(): pass\n"}, "test_other"),
            "new-test": Case(files, {"tests/test_new.py": "def test_new(): pass\n"}, "test_new"),
            "helper": Case(files, {"tests/helper.py": files["tests/helper.py"] + "x = 1\n"}, "test_base"),
            "fixture": Case(files, {"plug.py": files["plug.py"] + "x = 1\n"}, "test_more"),
            "conftest": Case(files, {"tests/conftest.py": "x = 1\n"}, "test_base test_other test_more"),
            "conftest-of-all": Case(files, {"conftest.py": "x = 1\n"}, "test_base test_other test_more"),
            "deleted-conftest": Case(files, {"tests/conftest.py": None}, "test_base test_other test_more"),
            "new-conftest": Case(PACKAGE, {"tests/conftest.py": "x = 1\n"}, "test_high test_other"),
            "deleted-test": Case(files, {"tests/test_other.py": None}, ""),
        },
    )


def test_files_with_the_same_name_are_told_apart_with_importlib(suite: Suite) -> None:
    files = {f"{part}/test_it.py": f"import {part}_module\ndef test_{part}(): pass\n" for part in ("a", "b")}
    files |= {"a_module.py": "", "b_module.py": ""}
    cases = {
        "module": Case(files, {"a_module.py": CHANGED}, "test_a"),
        "test": Case(files, {"b/test_it.py": files["b/test_it.py"] + "x = 1\n"}, "test_b"),
    }
    check(suite, cases, "--import-mode=importlib")


def test_the_sources_of_an_installed_copy_count(suite: Suite) -> None:
    # The copy, which is not in the repository, is imported; the change is in the sources.
    of_package = {name: text for name, text in PACKAGE.items() if name.startswith("pkg/")}
    suite.write({f"installed/{name}": text for name, text in of_package.items()})
    tests = {name: text for name, text in PACKAGE.items() if name.startswith("tests/")}
    files = tests | {f"src/{name}": text for name, text in of_package.items()}
    cases = {"project": Case(files, {"src/pkg/low.py": CHANGED}, "test_high")}
    check(suite, cases, "-o", "pythonpath=../installed")


def test_every_module_may_be_a_plugin_if_tests_are_collected_from_every_module(suite: Suite) -> None:
    cases = {"new": Case(PACKAGE, {"pkg/new.py": CHANGED}, "test_high test_other")}
    check(suite, cases, "-o", "python_files=*.py", "tests")
