"""Thread pools of numerical libraries, which compete if every worker has one."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

# A library as OpenBLAS is one, which says how many threads it uses. Its module has the name of one that loads it.
LIBRARY = "int openblas_get_num_threads(void) { return THREADS; }\n"
NUMPY = """
import ctypes, os
library = ctypes.CDLL(os.path.join(os.path.dirname(__file__), "libopenblas.so"))
"""


@pytest.fixture
def numpy(suite: Suite) -> Suite:
    """A suite that uses 64 threads in each process."""
    suite.write({"library.c": LIBRARY.replace("THREADS", "64"), "numpy.py": NUMPY})
    command = ["cc", "-shared", "-fPIC", "-o", "libopenblas.so", "library.c"]
    subprocess.run(command, cwd=suite.path, check=True)
    suite.test("import numpy\ndef test_one(): pass\ndef test_two(): pass")
    return suite


@pytest.mark.parametrize("start", ["template", "early"])
def test_a_line_says_how_many_threads_share_the_cpus(numpy: Suite, start: str) -> None:
    run = numpy.run(f"--rustpar-start={start}")
    assert run.counts() == {"passed": 2}
    cpus = len(os.sched_getaffinity(0))
    shared = f"{cpus} CPU{'' if cpus == 1 else 's'}"
    line = f"rustpar: 2 workers with 64 threads of OpenBLAS each share {shared}: OPENBLAS_NUM_THREADS=1 may be faster"
    assert (line in run.lines) == (cpus + cpus // 2 < 128)


@pytest.mark.parametrize("variable", ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"])
def test_nothing_is_said_if_a_variable_sets_the_number(numpy: Suite, variable: str) -> None:
    assert "threads of OpenBLAS" not in numpy.run_with({variable: "64"}).text


def test_one_worker_may_use_all(numpy: Suite) -> None:
    assert "threads of OpenBLAS" not in numpy.run(n="1").text
