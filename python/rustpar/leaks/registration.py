"""Whether leaks are detected in this process, and by which plugins; those are imported only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rustpar.leaks.settings import mode_of

if TYPE_CHECKING:
    import pytest


def register(config: pytest.Config) -> None:
    """Register the plugins that detect leaks, before the journal: their last events precede its end.

    Raises:
        pytest.UsageError: ``rustpar_leaks`` in the configuration file is invalid.
    """
    mode = mode_of(config)
    if mode == "off" or config.pluginmanager.has_plugin("rustpar-leaks"):
        return
    from rustpar.leaks.detector import LeakDetector

    summary = None
    if not hasattr(config, "workerinput"):
        from rustpar.leaks.summary import LeakSummary

        summary = LeakSummary(config, mode)
    config.pluginmanager.register(LeakDetector(config, mode, summary), "rustpar-leaks")
    if summary is not None:
        config.pluginmanager.register(summary, "rustpar-leak-summary")
