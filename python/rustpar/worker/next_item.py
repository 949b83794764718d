"""The test after the running one, which determines what is torn down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rustpar.compat import sessions
from rustpar.compat.hooks import intercept

if TYPE_CHECKING:
    from collections.abc import Callable


class NextItemChooser:
    """Chooses the next test when fixtures are torn down, instead of when the previous test starts.

    pytest passes the next item to the teardown, so that shared fixtures stay alive. The engine may take back a worker's
    next test while a long test runs. So the next item is determined at the last moment and passed to all plugins, some
    of which decide by it when a class or a module ends.
    """

    def __init__(
        self, session: pytest.Session, choose: Callable[[pytest.Item | None], pytest.Item | pytest.Session | None]
    ) -> None:
        """Call `choose` for the next item in `session`; it returns the session if that is not known yet."""
        self._state = setup_state = sessions.setup_state_of(session)
        self._teardown: Callable[[Any], None] = setup_state.teardown_exact
        self._choose = choose
        self._in_loop = True
        # The choices of the teardowns in progress.
        self._chosen: list[pytest.Item | pytest.Session | None] = []
        setup_state.teardown_exact = self._teardown_exact
        self._call = intercept(session.config.hook.pytest_runtest_teardown, self._call_teardown)
        session.config.pluginmanager.register(self, "rustpar-teardown")

    def _call_teardown(self, name: str, impls: Any, kwargs: dict[str, Any], firstresult: bool) -> object:
        """Call the hook with the next item, or with None if there is none or it is not known yet."""
        if not self._in_loop:
            return self._call(name, impls, kwargs, firstresult)
        chosen = self._choose(kwargs.get("nextitem"))
        self._chosen.append(chosen)
        kwargs["nextitem"] = chosen if isinstance(chosen, pytest.Item) else None
        try:
            return self._call(name, impls, kwargs, firstresult)
        finally:
            self._chosen.pop()

    def _teardown_exact(self, nextitem: Any) -> None:
        if self._chosen:
            nextitem = self._chosen[-1]
        elif self._in_loop:
            nextitem = self._choose(nextitem)
        self._teardown(sessions.needed_after_teardown(self._state, nextitem))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Stop choosing: from now on, None means that there is no next item."""
        self._in_loop = False
