"""What tests each file has had, to notice if an unchanged file has others.

The hazard it handles: the tests of a file may depend on other files, as on a list that these fill at import. Then they
depend on which worker has collected which files before, and a test could be lost without a word.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


def describe(root: Path, node_ids: Iterable[str]) -> dict[str, list[int | str]]:
    """Describe the tests of each file, for :func:`differing`.

    Args:
        root: What node ids are relative to.
        node_ids: Those of all tests, selected or not, in any order.

    Returns:
        By the file's part of the node ids: when it was changed, in nanoseconds, its size, and a digest of them.
    """
    tests: dict[str, list[str]] = {}
    for node_id in node_ids:
        tests.setdefault(node_id.partition("::")[0], []).append(node_id)
    found: dict[str, list[int | str]] = {}
    for file, names in tests.items():
        digest = hashlib.blake2b("\0".join(sorted(names)).encode(errors="surrogatepass"), digest_size=8).hexdigest()
        found[file] = [*_version(root / file), digest]
    return found


def _version(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def differing(root: Path, known: Mapping[str, list[int | str]], found: Mapping[str, list[int | str]]) -> str | None:
    """Return a file that has not changed and has other tests than before; None if there is none."""
    for file, (*version, digest) in known.items():
        # One without tests is not described.
        *now, tests = found.get(file) or (*_version(root / file), None)
        if now == version and tests != digest:
            return file
    return None
