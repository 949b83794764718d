"""Virtual environments with pinned packages, made once and kept in a cache directory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parents[2] / "tests" / "requirements"


def default_cache() -> Path:
    """Return the directory in which environments and suites are kept between runs of the benchmark."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rustpar-benches"


def pins(name: str) -> dict[str, str]:
    """Return the requirements of a file in tests/requirements, by the name of the package."""
    lines = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return {line.partition("==")[0]: line for line in lines if "==" in line and not line.startswith("#")}


def run(*command: str | Path) -> None:
    """Run a command that prepares something; if it fails, the benchmark ends with its output."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"failed: {' '.join(map(str, command))}\n{done.stdout}{done.stderr}")


def environment(directory: Path, base: str, requirements: Sequence[str]) -> Path:
    """Return the interpreter of a virtual environment that has these arguments of ``pip install``.

    It is made by the interpreter `base` when it does not exist or was made with other arguments.
    """
    stamp, wanted = directory / "installed.txt", "\n".join([base, *requirements])
    python = directory / "bin" / "python"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        print(f"  making {directory}", file=sys.stderr, flush=True)
        run(base, "-m", "venv", "--clear", directory)
        run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements)
        stamp.write_text(wanted, encoding="utf-8")
    return python


def site_packages(python: Path) -> Path:
    """Return the directory with the packages of an environment; in PYTHONPATH, it serves other environments, too."""
    return next(python.parents[1].glob("lib/python*/site-packages"))
