"""Which code is a project's own, and which is the standard library's or an installed package's."""

from __future__ import annotations

import json
import site
import sysconfig
from pathlib import Path

import pytest

from rustpar.process.code_origin import CodeOrigins


@pytest.mark.parametrize("scheme", ["stdlib", "purelib", "platlib"])
def test_the_directories_of_the_installation_are_not_a_projects_own(scheme: str) -> None:
    directory = Path(sysconfig.get_paths()[scheme])
    assert not CodeOrigins().is_own_file(str(directory / "package" / "module.py"))


def test_the_standard_library_is_found_without_the_build_configuration() -> None:
    assert not CodeOrigins().is_own_file(json.__file__)
    assert not CodeOrigins().is_own_file("<frozen importlib._bootstrap>")


@pytest.mark.parametrize("is_enabled", [True, False])
def test_packages_of_the_user_are_installed_if_python_uses_them(
    is_enabled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "ENABLE_USER_SITE", is_enabled)
    monkeypatch.setattr(site, "USER_SITE", str(tmp_path / "user"))
    origins = CodeOrigins()
    assert origins.is_own_file(str(tmp_path / "user" / "package.py")) is not is_enabled
    assert origins.is_own_file(str(tmp_path / "user-project" / "package.py"))
