"""What git knows: the files of the repository, and those that differ from a reference.

The hazard it handles: git is the user's, with settings, hooks and environment variables that change what it prints and
where it looks. So only commands with a fixed format are used, and everything that could change it is switched off.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

# Seconds for a command: with a cold file system, git compares 100,000 files in 10 s.
_LIMIT = 120.0

_SETTINGS = ("core.quotePath=false", "core.fsmonitor=false", "core.untrackedCache=keep", "diff.ignoreSubmodules=none")

# Variables that point git to another repository than that of the directory; hooks of git set them. The index is kept:
# `git commit FILE` has one of its own.
_MISLEADING = ("GIT_DIR", "GIT_WORK_TREE", "GIT_PREFIX", "GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS", "GIT_LITERAL_PATHSPECS")

_OTHERS = ("ls-files", "--others", "--exclude-standard", "-z")


class GitError(Exception):
    """Git cannot say what has changed; a one-line message."""


class State(NamedTuple):
    """What git has printed about a repository.

    Attributes:
        top: The directory of the repository.
        tracked: The files in the index, as of ``git ls-files --stage -z``.
        changed: The files that differ from the reference, as of ``git diff --raw -z``.
        untracked: The new files that git does not ignore, as of ``git ls-files --others -z``.
        ignored: The files and directories that it ignores; they are not compared.
    """

    top: str
    tracked: bytes
    changed: bytes
    untracked: bytes
    ignored: bytes


def state_of(directory: Path, reference: str | None) -> State:
    """Return the state of the repository that a directory is in; without a reference, no file counts as changed.

    Raises:
        GitError: There is no git, no repository, or no such reference.
    """
    top = top_of(directory)
    tracked, ignored = files_of(top)
    if reference is None:
        return State(top, tracked, b"", b"", ignored)
    commit = _commit(top, reference)
    changed = _run(
        top,
        *("diff", "--raw", "-z", "--abbrev=7", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-relative"),
        *("--no-color", "--ignore-submodules=none", "--submodule=short", "-O/dev/null", commit, "--"),
    )
    return State(top, tracked, changed, _run(top, *_OTHERS), ignored)


def top_of(directory: Path | str) -> str:
    """Return the top of the repository that a directory is in.

    Raises:
        GitError: There is no git, or no repository.
    """
    return os.fsdecode(_run(directory, "rev-parse", "--show-toplevel").removesuffix(b"\n"))


def files_of(top: str) -> tuple[bytes, bytes]:
    """Return the files in the index, and those that are ignored, as in :class:`State`.

    Raises:
        GitError: Git does not work here.
    """
    tracked = _run(top, "ls-files", "--stage", "-z")
    # With whole directories: there may be 100,000 files in one with packages.
    return tracked, _run(top, *_OTHERS, "--ignored", "--directory")


def index_lock(top: str) -> Path:
    """Return the file that exists while git changes the index, as during a checkout.

    Raises:
        GitError: Git does not work here.
    """
    directory = os.fsdecode(_run(top, "rev-parse", "--git-dir").removesuffix(b"\n"))
    return Path(top, directory, "index.lock")


def _commit(top: str, reference: str) -> str:
    """Return the commit that a reference means."""
    if reference and not reference.startswith("-"):
        try:
            return _run(top, "rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}").decode().strip()
        except GitError:
            pass
    if reference and Path(reference).exists():
        # argparse takes the argument after the option.
        raise GitError(f"--rustpar-changed: {reference!r} is no commit; put paths before the option")
    raise GitError(
        f"--rustpar-changed: git has no commit {reference!r}; name a branch, a tag or a commit, and fetch it if the "
        "clone is shallow"
    )


def _run(directory: Path | str, *arguments: str) -> bytes:
    settings = [argument for setting in _SETTINGS for argument in ("-c", setting)]
    command = ["git", "--no-pager", "--no-optional-locks", "--literal-pathspecs", *settings, *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in _MISLEADING}
    try:
        # Messages are shown to the user only where git's own language does not matter.
        done = subprocess.run(
            command,
            cwd=directory,
            env=environment | {"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LIMIT,
            check=False,
        )
    except FileNotFoundError:
        raise GitError("--rustpar-changed needs git, which is not on PATH") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitError(f"--rustpar-changed: git does not work here: {error}") from None
    if done.returncode != 0:
        message = done.stderr.decode(errors="replace").strip().partition("\n")[0].removeprefix("fatal: ")
        if "not a git repository" in message:
            raise GitError(f"--rustpar-changed needs a git repository, and {directory} is in none")
        raise GitError(f"--rustpar-changed: git {arguments[0]} has failed: {message}")
    return done.stdout
