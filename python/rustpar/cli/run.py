"""``rustpar run``: pytest, from a warm server if there is one.

A thin client: without a server, and only then, this process imports pytest and all that is imported below.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from rustpar.warm import client

if TYPE_CHECKING:
    from collections.abc import Sequence

HELP = "run pytest with these arguments, from a warm server if there is one"


def run(arguments: Sequence[str]) -> int:
    """Run pytest with these arguments; return its exit status."""
    # The script `pytest` beside that of this command, or else the module.
    program, module = os.path.join(os.path.dirname(sys.argv[0]), "pytest"), None
    if not os.path.isfile(program):
        import importlib.util

        found = importlib.util.find_spec("pytest")
        assert found is not None
        assert found.origin is not None
        program, module = os.path.join(os.path.dirname(found.origin), "__main__.py"), "pytest.__main__"
    checkpoint = None
    if "RUSTPAR_WATCH" in os.environ:
        from rustpar.watch import plan

        plan.die_with_watch()
        checkpoint = plan.checkpoint_socket(os.environ[plan.VARIABLE])
    main = client.Main(program, module)
    reason = client.hand_over(main, list(arguments), first=checkpoint)
    sys.argv[:] = [program, *arguments]
    import runpy

    from rustpar.warm import run as warm

    warm.was_asked, warm.reason = True, reason
    # Not `pytest.main`, whose runs belong to the program that calls it.
    if module is None:
        runpy.run_path(program, run_name="__main__")
    else:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0
