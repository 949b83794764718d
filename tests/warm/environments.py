"""A virtual environment with packages of a test's own, and warm servers in it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sysconfig
import tempfile
import textwrap
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.harness import RUN_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Seconds for a server to start, or to leave.
SERVER_LIMIT = 60.0

# Where `rustpar` and pytest are.
_PACKAGES = Path(sysconfig.get_paths()["purelib"])


def make_environment(directory: Path) -> Path:
    """Make a virtual environment with the packages of this one, as files of its own; return its interpreter."""
    venv.create(directory, with_pip=False, symlinks=True)
    (packages,) = directory.glob("lib/python*/site-packages")
    for path in _PACKAGES.iterdir():
        if path.name != "__pycache__":
            _link(path, packages / path.name)
    found = importlib.util.find_spec("rustpar")
    assert found is not None
    package = Path(found.origin or "").parent
    if package.parent != _PACKAGES:
        # An editable installation, which a server would not take for a package.
        _link(package, packages / package.name)
    return directory / "bin" / "python"


def _link(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_hard_link, symlinks=True)
    else:
        _hard_link(str(source), str(target))


def _hard_link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


class WarmSuite:
    """A project, its packages, and its warm server.

    Attributes:
        path: The project's directory.
        packages: The directory of installed packages.
        variables: Environment variables of its runs.
    """

    def __init__(self, python: Path, directory: Path) -> None:
        """Create an empty project that asks for warm starts."""
        self.path = directory / "project"
        self.path.mkdir()
        self._python = python
        (self.packages,) = python.parent.parent.glob("lib/python*/site-packages")
        # Paths of sockets must be short.
        self._runtime = tempfile.TemporaryDirectory()
        self.runtime = Path(self._runtime.name, "rustpar")
        self.variables = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST_", "PYTHON", "COV_")) and name not in ("COLUMNS", "LINES")
        }
        self.variables |= {"XDG_RUNTIME_DIR": self._runtime.name, "PYTHONDONTWRITEBYTECODE": "1"}
        self._installed: list[Path] = []
        self.write({"pytest.ini": "[pytest]\nrustpar_warm = true\naddopts = -p no:cacheprovider"})

    def write(self, files: Mapping[str, str]) -> None:
        """Write dedented files of the project."""
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(textwrap.dedent(text))

    def install(self, name: str, text: str) -> None:
        """Install a package of a single module."""
        path = self.packages / f"{name}.py"
        path.write_text(textwrap.dedent(text))
        self._installed.append(path)

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs pytest."""
        return [str(self._python), "-m", "pytest", *arguments]

    def run(
        self, *arguments: str, command: list[str] | None = None, directory: str = "", **settings: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run pytest with these arguments, or another command."""
        settings.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(
            command or self.command(*arguments),
            cwd=self.path / directory,
            env=settings.pop("env", self.variables),
            text=True,
            capture_output=True,
            timeout=RUN_LIMIT,
            check=False,
            **settings,
        )

    def start(self, *arguments: str, **settings: Any) -> subprocess.Popen[str]:
        """Start pytest with these arguments."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.path,
            env=self.variables,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **settings,
        )

    def rustpar(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command `rustpar`."""
        return self.run(command=[str(self._python), "-m", "rustpar.cli", *arguments])

    def warm_up(self, *arguments: str) -> None:
        """Run pytest once, and wait until the server that it has started is there."""
        run = self.run(*arguments)
        assert run.returncode == 0, run.stdout + run.stderr
        self.wait_for_server()

    def wait_for_server(self) -> None:
        """Wait until a server is there."""
        self._wait(lambda: bool(list(self.runtime.glob("*.socket"))))

    def wait_for_no_server(self) -> None:
        """Wait until no process is a server any more."""
        self._wait(lambda: not self.servers())

    def _wait(self, condition: Any) -> None:
        end = time.monotonic() + SERVER_LIMIT
        while not condition():
            logs = "".join(path.read_text() for path in self.runtime.glob("*.log"))
            assert time.monotonic() < end, f"it never came to be\n{logs}"
            time.sleep(0.02)

    def log(self) -> str:
        """Return what the server has written."""
        (log,) = self.runtime.glob("*.log")
        return log.read_text()

    def servers(self) -> list[int]:
        """Return the process ids of this project's servers, and of their forks."""
        return list(self._servers())

    def _servers(self) -> Iterator[int]:
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                try:
                    command = (process / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if b"rustpar.warm.server" in command and any(str(self.runtime).encode() in word for word in command):
                    yield int(process.name)

    def close(self) -> None:
        """End the servers, and uninstall the packages."""
        for process in self.servers():
            os.kill(process, signal.SIGKILL)
        self.wait_for_no_server()
        for path in self._installed:
            path.unlink(missing_ok=True)
        self._runtime.cleanup()
