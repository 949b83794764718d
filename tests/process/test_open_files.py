"""Files that are opened before the fork: each worker reads them independently."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.harness import Suite

RUN_MODES = ("plain", "template", "early")

# Files that are opened once, and what a worker reads from them; `Q` is evaluated repeatedly in each worker.
KINDS = {
    "text": (
        "file = open(DATA)\nassert file.readline() == 'line 0\\n'\n",
        "[file.readline() for _ in range(100)] == [f'line {n}\\n' for n in range(1 + 100 * turn, 101 + 100 * turn)]",
    ),
    "unbuffered": (
        "file = open(DATA, 'rb', buffering=0)\nfile.seek(7)\n",
        "file.read(350) == content[7 + 350 * turn : 357 + 350 * turn]",
    ),
    "descriptor": (
        "fd = os.open(DATA, os.O_RDONLY)\nos.read(fd, 10)\n",
        "os.read(fd, 500) == content[10 + 500 * turn : 510 + 500 * turn]",
    ),
    "inheritable": (
        "fd = os.open(DATA, os.O_RDONLY)\nos.set_inheritable(fd, True)\n",
        "os.read(fd, 500) == content[500 * turn : 500 * (turn + 1)] and os.get_inheritable(fd)",
    ),
    "duplicated": (
        "fd = os.open(DATA, os.O_RDONLY)\nother = os.dup(fd)\n",
        "os.read(fd, 100) + os.read(other, 100) == content[200 * turn : 200 * (turn + 1)]",
    ),
    "opened twice": (
        "fd, other = [os.open(DATA, os.O_RDONLY) for _ in range(2)]\n",
        "os.read(fd, 100) == os.read(other, 100) == content[100 * turn : 100 * (turn + 1)]",
    ),
    "deleted": (
        # Early workers collect at the same time.
        "mine = f'{DATA}.{time.monotonic_ns()}'\nshutil.copy(DATA, mine)\nfile = open(mine, 'rb')\nos.unlink(mine)\n",
        "file.read(9000) == content[9000 * turn : 9000 * (turn + 1)]",
    ),
    "zip": (
        "archive = zipfile.ZipFile(DATA + '.zip')\n",
        "all(archive.read(name) == content for name in archive.namelist())",
    ),
    "tar": (
        "archive = tarfile.open(DATA + '.tar')\nmembers = archive.getmembers()\n",
        "all(archive.extractfile(member).read() == content for member in members)",
    ),
    "directory": (
        "fd = os.open(os.path.dirname(DATA), os.O_RDONLY | os.O_DIRECTORY)\n",
        "{'test_it.py', 'data.txt'} <= set(os.listdir(fd)) and os.stat('test_it.py', dir_fd=fd)",
    ),
    "mapped": (
        "file = open(DATA, 'rb')\nmapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)\n",
        "mapped[:] == content and file.read(300) == content[300 * turn : 300 * (turn + 1)]",
    ),
}

HEAD = """
    import mmap, os, shutil, tarfile, time, zipfile
    DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data.txt")
    with open(DATA, "rb") as opened:
        content = opened.read()
"""

# Workers read at the same time, so that their reads are interleaved.
TESTS = """
    import importlib
    import os
    import pytest
    from support import meet
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
    modules = [importlib.import_module(name) for name in NAMES]

    @pytest.mark.parametrize("me", range(2))
    def test_it(me):
        wrong = []
        for turn in range(10):
            if workers == 2:
                meet(f"{me}-{turn}", f"{1 - me}-{turn}")
            elif me:
                break
            for module in modules:
                try:
                    assert module.reads(turn)
                except Exception as error:
                    wrong.append(f"{module.__name__}, turn {turn}: {error!r}")
        assert wrong == []
"""


def write(suite: Suite, kinds: Mapping[str, tuple[str, str]]) -> list[str]:
    """Write a suite with a module for each kind that opens a file, and tests that read all; return the modules."""
    content = "".join(f"line {number}\n" for number in range(20_000))
    (suite.path / "data.txt").write_text(content)
    import tarfile
    import zipfile

    with zipfile.ZipFile(suite.path / "data.txt.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(5):
            archive.writestr(f"{number}.txt", content)
    with tarfile.open(suite.path / "data.txt.tar", "w") as tar:
        for number in range(5):
            tar.add(suite.path / "data.txt", f"{number}.txt")
    modules = [f"opens_{kind.replace(' ', '_')}" for kind in kinds]
    for module, (opening, reads) in zip(modules, kinds.values(), strict=True):
        suite.write({f"{module}.py": f"{textwrap.dedent(HEAD)}{opening}def reads(turn): return {reads}\n"})
    suite.test(TESTS.replace("NAMES", str(modules)))
    return modules


@pytest.mark.parametrize("run_mode", RUN_MODES)
def test_files_opened_during_collection_can_be_read_by_each_worker(suite: Suite, run_mode: str) -> None:
    write(suite, KINDS)
    run = suite.run_in(run_mode, "-v")
    assert run.counts() == {"passed": 2}, run.text


@pytest.mark.parametrize("run_mode", ["template", "early"])
def test_files_opened_by_plugins_can_be_read_by_each_worker(suite: Suite, run_mode: str) -> None:
    run = suite.run_in(run_mode, *(f"-p{module}" for module in write(suite, KINDS)))
    assert run.counts() == {"passed": 2}, run.text


def test_a_file_open_for_reading_is_not_a_reason_for_early(suite: Suite) -> None:
    write(suite, {"zip": KINDS["zip"]})
    run = suite.run()
    assert (run.start(), run.counts()) == ("template", {"passed": 2})


def test_a_file_open_for_reading_and_writing_has_a_position_in_each_worker(suite: Suite) -> None:
    opening = "fd = os.open(DATA, os.O_RDWR)\n"
    write(suite, {"both": (opening, "os.read(fd, 500) == content[500 * turn : 500 * (turn + 1)]")})
    assert suite.run_in("template").counts() == {"passed": 2}


def test_a_lock_stays_with_its_file(suite: Suite) -> None:
    opening = "import fcntl\nfd = os.open(DATA, os.O_RDONLY)\nfcntl.flock(fd, fcntl.LOCK_EX)\n"
    write(suite, {"locked": (opening, "True")})
    suite.write(
        {
            "test_it.py": """
            import fcntl, os
            import pytest
            from opens_locked import DATA, fd

            def test_it():
                other = os.open(DATA, os.O_RDONLY)
                with pytest.raises(BlockingIOError):
                    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Ours already, by the description that this is.
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            """
        }
    )
    assert suite.run_in("template").counts() == {"passed": 1}


def test_files_that_cannot_be_reopened_are_left_unchanged(suite: Suite) -> None:
    """A descriptor without read access, a device and a memfd."""
    opening = """
import os
fds = [os.open(DATA, os.O_PATH), os.open("/dev/zero", os.O_RDONLY), os.memfd_create("mine")]
os.write(fds[2], b"12345")
os.lseek(fds[2], 2, os.SEEK_SET)
"""
    reads = "os.fstat(fds[0]) and os.read(fds[1], 2) == b'\\0\\0' and os.pread(fds[2], 5, 0) == b'12345'"
    write(suite, {"others": (opening, reads)})
    assert suite.run_in("template").counts() == {"passed": 2}


def test_standard_error_in_a_file_keeps_one_position(suite: Suite) -> None:
    suite.test(
        "import os, pytest\n@pytest.mark.parametrize('n', range(40))\ndef test_it(n): os.write(2, b'<%02d>' % n)\n"
    )
    with (suite.path / "output").open("w+") as output:
        process = suite.start("-s", "--rustpar-start=template", output=output)
        run = suite.wait_for_exit_with_output_file(process)
    assert sorted(re.findall(r"<(\d+)>", run.out)) == [f"{number:02d}" for number in range(40)]
