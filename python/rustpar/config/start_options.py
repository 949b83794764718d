"""The options that decide how a run and its workers start, and how tests are collected."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def add(parser: pytest.Parser, group: pytest.OptionGroup) -> None:
    """Add them to a group of options, and the defaults of the configuration file."""
    group.addoption(
        "--rustpar-start",
        choices=["auto", "template", "early", "xdist"],
        default=None,
        metavar="START",
        help="How the workers of -n start.\n"
        "template: One process collects the tests, and the workers are forked from it.\n"
        "early: Workers are forked before conftests are loaded, and each collects the tests itself.\n"
        "xdist: Run pytest-xdist's own engine.\n"
        "auto (default): template, or early if workers would otherwise share something that each needs for itself, or "
        "xdist if forking is not safe. The header says which, and why.",
    )
    parser.addini("rustpar_start", "How workers start: the default of --rustpar-start.", default="auto")
    group.addoption(
        "--rustpar-warm",
        action="store_true",
        default=None,
        help="Start from a warm server: a process that has pytest and the third-party packages of the last runs in "
        "memory, and whose forks continue as new runs. The first run starts it in the background.",
    )
    parser.addini("rustpar_warm", "Start from a warm server: the default of --rustpar-warm.", default="false")
    group.addoption(
        "--rustpar-collect",
        choices=["serial", "parallel"],
        default=None,
        metavar="HOW",
        help="How the tests of a run with -n are collected.\n"
        "serial (default): One process collects all files.\n"
        "parallel: Each worker collects a part of the files, and those of others when it has to run their tests. The "
        "first run compares that with a serial collection; a run that needs all tests in one process collects "
        "serially, and says why.",
    )
    parser.addini("rustpar_collect", "How tests are collected: the default of --rustpar-collect.", default="serial")
