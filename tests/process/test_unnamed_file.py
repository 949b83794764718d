"""Temporary files without a name are never left behind."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rustpar.process import unnamed_file


def fail(*_: object, **__: object) -> Any:
    """Fail as a file system does that has no unnamed files."""
    raise OSError(errno.EOPNOTSUPP, "Operation not supported")


@pytest.mark.parametrize("is_supported", [True, False])
def test_a_file_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_supported: bool) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if is_supported:
        # At no moment: nothing else is asked for.
        monkeypatch.setattr(tempfile, "mkstemp", fail)
    else:
        monkeypatch.setattr(unnamed_file, "os", SimpleNamespace(**vars(os) | {"open": fail}))
    file = unnamed_file.create()
    try:
        assert os.fstat(file).st_nlink == 0
        os.write(file, b"text")
        assert Path(f"/proc/self/fd/{file}").read_bytes() == b"text"
        assert not list(tmp_path.iterdir())
    finally:
        os.close(file)
