"""What is read from a file of Python."""

from __future__ import annotations

import pytest

from rustpar.changed.scan import scan


@pytest.mark.parametrize("source", [b"def (", b"x = 1\0", b"# coding: absent\n", b"\xff", b"(" * 500])
def test_a_file_that_cannot_be_parsed_is_told_apart_from_an_empty_one(source: bytes) -> None:
    assert scan(source) is None
    assert scan(b"") == ([], [], False, False, False, False, False, False, False)


def test_a_declared_encoding_is_used() -> None:
    found = scan('# coding: latin-1\nx = "é.txt"\n'.encode("latin-1"))
    assert found is not None
    assert found[1] == ["é.txt"]


def test_warnings_of_the_parser_are_not_those_of_the_run() -> None:
    assert scan(b"x = '\\d'\nassert (x, 1)\n") is not None


def test_names_are_taken_from_texts_but_prose_is_not() -> None:
    found = scan(b'"""A docstring, see pkg.doc."""\nx = "use pkg.mod and data/x.json, please"\ny = "word"\n')
    assert found is not None
    assert found[1] == ["use pkg.mod and data/x.json, please", "pkg.mod", "data/x.json", "word"]


def test_imports_in_texts_are_imports() -> None:
    found = scan(b'X = """\nimport a.b as c, d\n    from ..e import (f, g as h)\n>>> import i; from j import k\n"""\n')
    assert found is not None
    assert found[0][:3] == [(0, "a.b", []), (0, "d", []), (2, "e", ["f", "g"])]
    assert (0, "j", ["k"]) in found[0]


@pytest.mark.parametrize(
    ("source", "is_dynamic"),
    [
        ("df.eval('a')\nx.exec(y)\n", False),
        ("eval(text)\n", True),
        ("eval('1')\n", False),
        ("import_module('a')\n", False),
        ("import_module(a)\n", True),
        ("load = importlib.import_module\n", True),
        ("pkgutil.iter_modules(path)\n", True),
        ("from pkgutil import iter_modules as find\n", True),
    ],
)
def test_dynamic_imports_are_calls_with_what_is_no_literal(source: str, is_dynamic: bool) -> None:
    found = scan(source.encode())
    assert found is not None
    assert found[2] is is_dynamic


@pytest.mark.parametrize(
    ("source", "is_dynamic"),
    [
        ("__all__ = ['a', 'b']\n__all__ += ('c',)\n", False),
        ("__all__ = [path.stem for path in paths]\n", True),
        ("__all__ += other.__all__\n", True),
    ],
)
def test_names_for_star_imports_may_be_computed(source: str, is_dynamic: bool) -> None:
    found = scan(source.encode())
    assert found is not None
    assert found[2] is is_dynamic


def test_processes_of_python_are_told_apart_from_others() -> None:
    sources = {
        "import subprocess, sys\nsubprocess.run([sys.executable])\n": (True, True),
        "import subprocess\nsubprocess.run(['/usr/bin/python3.11', 'x'])\n": (True, True),
        "import subprocess\nsubprocess.run(['ls'])\n": (True, False),
        "import os\nos.execvp('ls', [])\n": (True, False),
        "import sys\nprint(sys.executable)\n": (False, False),
        "import multiprocessing\n": (False, False),
        "import multiprocessing\nmultiprocessing.get_context('spawn')\n": (True, False),
    }
    for source, expected in sources.items():
        found = scan(source.encode())
        assert found is not None
        assert found[5:7] == expected, source
