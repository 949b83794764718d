"""Suites of released packages, and of directories given on the command line.

The tests of a released package come from its sdist. What they import, the package itself included, is installed once
and found through PYTHONPATH, so that all runners import the same files.
"""

from __future__ import annotations

import shlex
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

from compare.environments import REQUIREMENTS, environment, pins, run, site_packages
from compare.runners import importing

RELEASED = ("click", "attrs", "jinja2")
# What the runners cache in the directory of a suite must not be copied with it.
CACHES = shutil.ignore_patterns(".git", "__pycache__", ".pytest_cache", ".rstest_cache", ".cito", ".hypothesis")


@dataclass(frozen=True)
class GivenSuite:
    """A suite that was not written by the benchmark.

    Attributes:
        directory: Where pytest is started.
        options: Options for pytest, which reach every runner through PYTEST_ADDOPTS.
        imports: Directories with what the tests import, unless the environments of all runners have it.
    """

    directory: Path
    options: str = ""
    imports: tuple[Path, ...] = ()

    @property
    def env(self) -> dict[str, str]:
        """The environment variables that every run of the suite gets."""
        return importing(*self.imports) | ({"PYTEST_ADDOPTS": self.options} if self.options else {})


def given(argument: str, imports: tuple[Path, ...] = ()) -> tuple[str, GivenSuite]:
    """Read ``NAME=DIRECTORY [OPTION...]`` of the command line.

    Raises:
        ValueError: if there is no name, or no such directory.
    """
    words = shlex.split(argument)
    name, _, path = words[0].partition("=") if words else ("", "", "")
    directory = Path(path).resolve()
    if not name or not path or not directory.is_dir():
        raise ValueError(f"invalid suite {argument!r}: expected NAME=DIRECTORY, and options for pytest behind it")
    return name, GivenSuite(directory, shlex.join(words[1:]), imports)


def released(name: str, cache: Path, base: str) -> GivenSuite:
    """Return the suite of a package in tests/requirements/bench-suites.txt, downloaded into `cache` if necessary."""
    requirement = pins("bench-suites")[name]
    python = environment(cache / "suites", base, ["-r", str(REQUIREMENTS / "bench-suites.txt")])
    archives = cache / "sdists"
    sources = archives / requirement.replace("==", "-")
    if not sources.exists():
        run(python, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", name, "-d", archives, requirement)
        unpacked = archives / "unpacked"
        with tarfile.open(archives / f"{sources.name}.tar.gz") as archive:
            archive.extractall(unpacked, filter="data")
        (unpacked / sources.name).rename(sources)
    return GivenSuite(sources, imports=(site_packages(python),))


def copied(suite: GivenSuite, directory: Path) -> Path:
    """Copy a suite to `directory`, because runs leave caches behind; return where it is."""
    shutil.copytree(suite.directory, directory, ignore=CACHES, symlinks=True)
    return directory
