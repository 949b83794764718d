"""Whether tests run as load tests: ``--rustpar-load``, and the profiles of the configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rustpar.config.values import ini_choice, ini_lines

if TYPE_CHECKING:
    from collections.abc import Sequence


def is_load_run(config: pytest.Config) -> bool:
    """Whether marked tests run as load tests, and no others."""
    return config.getoption("rustpar_load", None) is not None


def profile_of(config: pytest.Config) -> tuple[str, Sequence[str]]:
    """Return the name of the run's profile, and the definitions of the configuration file.

    Raises:
        pytest.UsageError: There is no such profile, or a definition is invalid.
    """
    from rustpar import _core

    name: str = config.getoption("rustpar_load")
    defined = ini_lines(config, "rustpar_load_profiles")
    try:
        _core.LoadPlan.check_profile(name, defined)
    except ValueError as error:
        if "::" in name or Path(config.invocation_params.dir, name).exists():
            text = f"--rustpar-load takes a profile, and {name} is none: write --rustpar-load=load {name}"
            raise pytest.UsageError(text) from None
        raise pytest.UsageError(f"--rustpar-load: {error}") from None
    return name, defined


def check_profiles(config: pytest.Config) -> None:
    """Check the definitions of the configuration file, also in a run without load tests.

    Raises:
        pytest.UsageError: One is invalid.
    """
    from rustpar import _core

    try:
        _core.LoadPlan.check_profile(_core.LoadPlan.AS_MARKED, ini_lines(config, "rustpar_load_profiles"))
    except ValueError as error:
        raise pytest.UsageError(f"rustpar_load_profiles: {error}") from None


def are_requests_recorded(config: pytest.Config) -> bool:
    """Whether HTTP requests of load tests are recorded.

    Raises:
        pytest.UsageError: The entry of the configuration file is invalid.
    """
    meanings = {"true": "auto", "false": "off"}
    return ini_choice(config, "rustpar_load_http", ("auto", "off"), meanings) == "auto"
