"""``rustpar watch``: run the affected tests whenever files change."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rustpar import _core

if TYPE_CHECKING:
    from collections.abc import Sequence

HELP = "run pytest with these arguments, and the affected tests again whenever files change"

_USAGE = """\
usage: rustpar watch [arguments of pytest]

Run pytest with these arguments. Then, whenever a file of the project changes, run the tests that depend on it, those
that have failed first. A test that has failed runs each time until it passes.

keys, between runs:
{keys}

example: rustpar watch -n auto tests/unit
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit status."""
    # Before a bare `--`, behind which everything is a path.
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if "-h" in options or "--help" in options:
        print(_USAGE.format(keys="\n".join(f"  {line}" for line in _core.WatchSession.help())), end="")
        return 0
    from rustpar.watch import loop

    try:
        return loop.watch(list(arguments))
    except KeyboardInterrupt:
        # Before signals are handled, or after that.
        return 130
    except loop.Failed as error:
        print(f"rustpar watch: {error}", file=sys.stderr)
        return 2
