"""The fixtures of ``rustpar_once`` in a template or a worker: when they are set up, and what the controller is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rustpar.compat.longrepr import to_serializable
from rustpar.compat.reports import teardown_report
from rustpar.config.values import has_entry
from rustpar.recording import fixture_timing
from rustpar.worker.terminal import live_output

if TYPE_CHECKING:
    import pytest

    from rustpar import _core
    from rustpar.once.set_up import OnceFixtures


class RunFixtures:
    """The fixtures that are set up once per run."""

    def __init__(self, config: pytest.Config, line: _core.Line) -> None:
        """Use `line` until :meth:`use` is called."""
        self._config = config
        self._line = line
        self._once: OnceFixtures | None = None

    def use(self, line: _core.Line) -> None:
        """Use this line from now on; in a fork, leave the teardown to the process that has set them up."""
        self._line = line
        if self._once is not None and not self._once.is_owner():
            self._once.inherit()

    def set_up(self, session: pytest.Session, *, will_fork: bool) -> None:
        """Set them up if workers `will_fork` from this process; otherwise exchange their values when they are needed.

        Raises:
            pytest.UsageError: A fixture cannot be set up once; a one-line message.
        """
        if not has_entry(self._config, "rustpar_once"):
            return
        from rustpar.once import exchange, selection
        from rustpar.once.set_up import OnceFixtures

        selected = selection.Selection(self._config)
        needed = selected.needed(session.items)
        selected.warn_about_unused(session)
        if needed and not will_fork:
            exchange.register(session, needed, self)
        elif needed:
            self._once = OnceFixtures(self._config)
            with live_output(self._config):
                self._once.set_up(needed, self._begin_set_up, self.set_interrupted)
            self._line.message(self._line.ONCE, ("set up", list(self._once.described())))

    def _begin_set_up(self, name: str) -> None:
        """Send which fixture is set up next, to be reported if this process dies in it."""
        self._line.message(self._line.ONCE, ("begin", name))

    def set_up_for_all(self, name: str, seconds: float) -> None:
        """Send that this worker has set up a fixture for all."""
        self._line.message(self._line.ONCE, ("set up for all", (name, seconds)))

    def set_interrupted(self) -> None:
        """Report that this process does not need to be interrupted."""
        self._line.set_interrupted()

    def waited(self, node_id: str, key: str, seconds: float) -> None:
        """Send how long a test has waited for a fixture; the time counts as the fixture's."""
        if seconds >= fixture_timing.MIN_SECONDS:
            self._line.message(self._line.FIXTURE, (node_id, key, seconds))

    def tear_down(self) -> None:
        """Tear them down, in the process that has set them up, when all workers have exited."""
        if self._once is None or not self._once.is_owner():
            return
        once, self._once = self._once, None
        self._line.message(self._line.ONCE, ("teardown", None))
        with live_output(self._config):
            errors = once.tear_down()
        for item, error in errors:
            report = teardown_report(item, error)
            self._line.message(self._line.ONCE, ("error", to_serializable(self._config, report)))
        self._line.message(self._line.ONCE, ("torn down", None))
