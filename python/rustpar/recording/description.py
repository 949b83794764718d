"""The description of a run in its journal: options, versions, directory and seeds."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rustpar import _core
from rustpar.config.slow_limit import slow_limit
from rustpar.config.versions import versions

if TYPE_CHECKING:
    import pytest

# Options that affect a run or its reports, recorded in the journal.
_OPTIONS = (
    *("numprocesses", "dist", "maxprocesses", "max_worker_restart", "keyword", "markexpr", "maxfail"),
    *("rustpar_start", "rustpar_plan", "rustpar_order", "rustpar_shard", "rustpar_shard_by", "rustpar_max_rss"),
    *("rustpar_timeout", "rustpar_run_timeout", "rustpar_changed"),
)

# Variables that affect options and order, and that hold no secrets: no others are recorded.
_VARIABLES = ("PYTHONHASHSEED", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")

# Options that neither select tests nor change what they do. Workers run tests as one process does.
_NEUTRAL_OPTIONS = frozenset(
    # The command line, which `args` stands for, and its syntax
    {"file_or_dir", "help", "version", "plugins", "inifilename", "rootdir"}
    # Output
    | {"basetemp", "code_highlight", "color", "debug", "disable_warnings", "durations", "durations_min", "fold_skipped"}
    | {"force_short_summary", "junitprefix", "no_fold_skipped", "no_header", "no_summary", "no_tests_summary"}
    | {"pastebin", "reportchars", "show_capture", "showcapture", "showlocals", "tbstyle", "traceconfig", "verbose"}
    | {"verbosity_level", "xmlpath", "xfail_tb", "fulltrace", "htmlpath", "self_contained_html", "cov_report"}
    | {"cov_append", "cov_fail_under", "cov_precision", "no_cov_on_fail"}
    # When a run stops
    | {"maxfail", "exitfirst", "usepdb", "usepdb_cls", "cacheclear", "cacheshow"}
    # Workers
    | {"dist", "distload", "looponfail", "loadgroup", "loadscopereorder", "max_worker_restart", "maxprocesses"}
    | {"maxschedchunk", "maxworkerrestart", "numprocesses", "px", "ramp", "rsyncdir", "rsyncignore", "testrunuid", "tx"}
)
# Options whose values are recorded. Any other may be a secret, perhaps from the environment, so only a digest is.
_SHOWN_OPTIONS = frozenset(
    {"args", "keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "failedfirst", "newfirst", "stepwise"}
    | {
        "stepwise_skip",
        "last_failed_no_failures",
        "doctestmodules",
        "doctestglob",
        "pyargs",
        "noconftest",
        "importmode",
    }
    | {"collect_in_virtualenv", "keepduplicates", "runxfail", "strict", "capture", "assertmode", "p", "cov_source"}
    | {"rustpar_changed", "rustpar_shard", "rustpar_shard_by", "rustpar_leaks"}
)
_NEUTRAL_PREFIXES = ("log_", "rustpar_")
_SELECTING = ("rustpar_changed", "rustpar_shard", "rustpar_shard_by", "rustpar_leaks")


def describe_run(
    journal: _core.Journal,
    config: pytest.Config,
    selection: dict[str, str],
    thresholds: _core.Thresholds | None,
    resumed: str | None,
) -> None:
    """Write the description of the run into its journal.

    Args:
        journal: The journal.
        config: The session's configuration.
        selection: What :func:`selection_of` has returned, before plugins were configured.
        thresholds: The thresholds of the run.
        resumed: The id of the run that this one resumes.
    """
    uid = config.getoption("testrunuid", None) or f"{int(_core.since_epoch() * 1e9):x}-{os.getpid():x}"
    given = {name: config.getoption(name, None) for name in _OPTIONS}
    limit = slow_limit(config)
    given |= {"rustpar_thresholds": thresholds, "rustpar_slow": None if limit is None else str(limit)}
    journal.run(
        uid,
        ["pytest", *map(str, config.invocation_params.args)],
        {name: str(value) for name, value in given.items() if value not in (None, "", 0)},
        versions(config),
        {"cpus": str(os.cpu_count()), "platform": sys.platform},
        str(config.rootpath),
        _directory(config),
        {name: os.environ[name] for name in _VARIABLES if name in os.environ},
        _seeds(config),
        selection,
        resumed,
    )


def selection_of(config: pytest.Config) -> dict[str, str]:
    """Return the options that can change which tests run, or what they do, as texts by name.

    Values are those of the command line, because plugins store other things in options while they are configured, a
    random seed for example. Only the options of conftests are read later.
    """
    read = vars(config.option) | vars(config.known_args_namespace)
    given = {name: value for name, value in read.items() if value and _is_selecting(name)}
    given["args"] = [os.path.relpath(arg, config.rootpath) if Path(arg).is_absolute() else arg for arg in config.args]
    texts = {name: json.dumps(value, default=_named, sort_keys=True) for name, value in given.items()}
    return {name: text if name in _SHOWN_OPTIONS else _digest(text) for name, text in texts.items()}


def _digest(text: str) -> str:
    return f"(digest {_core.digest(text)})"


def _is_selecting(name: str) -> bool:
    return name in _SELECTING or not (name in _NEUTRAL_OPTIONS or name.startswith(_NEUTRAL_PREFIXES))


def _named(value: object) -> str:
    return type(value).__name__


def _directory(config: pytest.Config) -> str:
    """Return the directory in which pytest was started, relative to rootdir; empty if it is the same."""
    try:
        relative = os.path.relpath(config.invocation_params.dir, config.rootpath)
    except ValueError:
        # On another drive.
        return ""
    return "" if relative == os.curdir else relative


def _seeds(config: pytest.Config) -> dict[str, str]:
    """Return the options of plugins that are seeds: ``randomly_seed``, ``random_order_seed``, ``hypothesis_seed``."""
    options = vars(config.option).items()
    return {
        name: str(value)
        for name, value in options
        if "seed" in name and isinstance(value, (int, str)) and not isinstance(value, bool)
    }
