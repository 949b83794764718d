"""The lines of pytest's header: how workers start and how many there are, with the reasons for what was chosen.

The hazard it handles: an option that only concerns workers of the engine must not be ignored in silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rustpar

if TYPE_CHECKING:
    import pytest


def compose(config: pytest.Config, reason: str | None) -> str | None:
    """Compose the lines; None if there is nothing to say.

    Args:
        config: The session's configuration.
        reason: Why pytest-xdist's own engine runs, if there are workers; None if it does not.
    """
    lines = [
        _start(config, reason),
        _without_effect(config, "--rustpar-max-rss", config.option.rustpar_max_rss),
        _without_effect(config, "--rustpar-timeout", config.option.rustpar_timeout),
        _without_effect(config, "--rustpar-run-timeout", config.option.rustpar_run_timeout),
    ]
    return "\n".join(f"rustpar: {line}" for line in lines if line is not None) or None


def _start(config: pytest.Config, reason: str | None) -> str | None:
    dsession: Any = config.pluginmanager.get_plugin("dsession")
    option, choice = config.option, None
    if option.numprocesses is not None:
        from rustpar.controller.worker_count import chosen

        choice = chosen(config)
    if dsession is None:
        if choice is not None and choice.count == 0:
            return f"{rustpar.__version__}, {choice.description}"
        if option.dist == "no" or option.numprocesses is not None or option.tx or option.collectonly:
            return None
        return f"--dist {option.dist} has no effect without workers: add -n auto"
    if reason is not None:
        lines = [f"start: xdist ({reason})"]
    elif dsession.verdict is not None and dsession.verdict.start == "early":
        lines = dsession.verdict.words(option.verbose)
    else:
        # The start method is reported when the template has collected.
        return rustpar.__version__
    if choice is not None:
        lines[0] += f", {choice.description}"
    return f"{rustpar.__version__}, " + "\n".join(lines)


def _without_effect(config: pytest.Config, option: str, value: object) -> str | None:
    """Return a line that says why an option for workers has no effect; None if it has one or was not given."""
    if not value or config.pluginmanager.has_plugin("rustpar-memory"):
        return None
    if config.pluginmanager.has_plugin("dsession"):
        return f"{option} has no effect with pytest-xdist's own engine"
    return f"{option} has no effect without workers: add -n auto"
