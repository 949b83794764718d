"""Command line options, their effects and their error messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Run, Suite

ONE = "def test_it(): pass\n"
FOUR = """
    import pytest

    @pytest.mark.parametrize("n", range(4))
    def test_it(n): pass
"""


def assert_usage_error(run: Run, option: str) -> list[str]:
    assert run.ret == pytest.ExitCode.USAGE_ERROR, option
    assert run.reports == [], option
    assert "Traceback" not in run.text
    assert "INTERNALERROR" not in run.text
    errors = [line for line in run.text.splitlines() if "error:" in line.lower()]
    assert option in errors[-1]
    return errors


INVALID_VALUES = [
    ["-n", "-1"],
    ["-n", "2", "--maxschedchunk", "0"],
    ["-n", "2", "--maxschedchunk", "-5"],
    ["-n", "2", "--max-worker-restart", "x"],
    ["-n", "2", "--max-worker-restart", "-1"],
    ["-n", "2", "--maxprocesses", "-1"],
    ["-n", "2", "--pdb"],
]
WRONG_TYPES = [
    ["-n", "lots"],
    ["-n", "2", "--maxschedchunk", "x"],
    ["-n", "2", "--dist", "nonsense"],
    ["-n", "2", "--rustpar-start", "nonsense"],
]


def run_each(suite: Suite, arguments: list[list[str]]) -> list[Run]:
    """Run one test with each of these arguments."""
    for given in arguments:
        suite.part(" ".join(given)).test(ONE)
    return list(suite.run_each({" ".join(given): given for given in arguments}).values())


def test_an_invalid_value_is_one_line_that_names_the_option(suite: Suite) -> None:
    for arguments, run in zip(INVALID_VALUES, run_each(suite, INVALID_VALUES), strict=True):
        (error,) = assert_usage_error(run, "--pdb" if "--pdb" in arguments else arguments[-2])
        assert error.startswith("ERROR: "), arguments


def test_a_value_of_the_wrong_type_is_an_argparse_error(suite: Suite) -> None:
    for arguments, run in zip(WRONG_TYPES, run_each(suite, WRONG_TYPES), strict=True):
        assert_usage_error(run, arguments[-2])


def test_n_0_runs_in_one_process(suite: Suite) -> None:
    suite.test("import os\ndef test_it(): assert 'PYTEST_XDIST_WORKER' not in os.environ\n")
    run = suite.run(n="0")
    assert run.ret == 0
    assert run.workers == {"test_it.py::test_it": {None}}
    assert "workers" not in run.out


def test_n_0_overrides_addopts(suite: Suite) -> None:
    suite.write({"pytest.ini": "[pytest]\naddopts = -n 2\n"})
    suite.test(ONE)
    assert suite.run(n="0").workers == {"test_it.py::test_it": {None}}


def test_addopts_in_pyproject_can_request_workers(suite: Suite) -> None:
    suite.write({"pyproject.toml": '[tool.pytest.ini_options]\naddopts = "-n 2 --dist loadfile"\n'})
    suite.test(FOUR)
    run = suite.run("-v", n=None)
    assert run.used_rustpar()
    assert run.counts() == {"passed": 4}
    assert "scheduling tests via LoadFileScheduling" in run.lines


def test_addopts_in_the_environment_can_request_workers(suite: Suite) -> None:
    suite.test(FOUR)
    run = suite.run_with({"PYTEST_ADDOPTS": "-n2"}, n=None)
    assert run.used_rustpar()
    assert run.counts() == {"passed": 4}


def test_n_auto_starts_no_more_workers_than_there_are_tests(suite: Suite) -> None:
    suite.test(FOUR)
    run = suite.run_with({"PYTEST_XDIST_AUTO_NUM_WORKERS": "16"}, n="auto")
    assert "4 workers [4 items]" in run.lines


def test_n_auto_with_pdb_runs_in_one_process(suite: Suite) -> None:
    suite.test(ONE)
    run = suite.run("--pdb", n="auto")
    assert run.ret == 0
    assert run.workers == {"test_it.py::test_it": {None}}


def test_collect_only_never_distributes(suite: Suite) -> None:
    suite.test(FOUR)
    run = suite.run("--collect-only", "-q")
    assert run.ret == 0
    assert [line for line in run.lines if "::" in line] == [f"test_it.py::test_it[{n}]" for n in range(4)]
    assert run.reports == []


def test_a_dist_mode_without_workers_is_reported(suite: Suite) -> None:
    suite.test(ONE)
    run = suite.run("--dist", "loadfile", n=None)
    assert run.ret == 0
    assert "has no effect without workers" in run.line("--dist loadfile")


def test_xdists_engine_runs_if_the_ini_file_requests_it(suite: Suite) -> None:
    suite.write({"pytest.ini": "[pytest]\nrustpar_start = xdist\n"})
    suite.test(FOUR)
    run = suite.run()
    assert run.counts() == {"passed": 4}
    assert "start: xdist" in run.line("rustpar: ")
    assert {name for names in run.workers.values() for name in names} <= {"gw0", "gw1"}


def test_without_the_plugin_it_is_plain_xdist(suite: Suite) -> None:
    suite.test(FOUR)
    run = suite.run("-p", "no:rustpar")
    assert run.counts() == {"passed": 4}
    assert not any(line.startswith("rustpar") for line in run.lines)


def test_a_timer_of_faulthandler_falls_back_to_xdist_and_says_so(suite: Suite) -> None:
    suite.write({"hasty.py": "import faulthandler\nfaulthandler.dump_traceback_later(3600)\n"})
    suite.test("def test_fails(): assert False\ndef test_passes(): pass\n")
    run = suite.run("-p", "hasty")
    assert run.counts()["failed"] == run.counts()["passed"] == 1
    assert "a faulthandler timer" in run.line("start: xdist")


def test_a_process_with_threads_falls_back_to_xdist_and_says_so(suite: Suite) -> None:
    suite.write(
        {
            "threaded.py": """
                import threading

                threading.Thread(target=threading.Event().wait, daemon=True).start()
            """
        }
    )
    suite.test(FOUR)
    run = suite.run("-p", "threaded")
    assert run.counts() == {"passed": 4}
    assert "2 threads" in run.line("start: xdist")


def test_the_plugin_can_be_loaded_with_p_if_autoload_is_off(suite: Suite) -> None:
    suite.test(FOUR)
    run = suite.run_with({"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, "-p", "rustpar")
    assert run.used_rustpar(), run.text
    assert run.counts() == {"passed": 4}


def test_the_plugin_can_be_named_with_p_although_it_is_autoloaded(suite: Suite) -> None:
    suite.test(FOUR)
    run = suite.run("-p", "rustpar")
    assert run.used_rustpar(), run.text
    assert run.counts() == {"passed": 4}


def test_the_header_has_no_rustpar_line_without_workers(suite: Suite) -> None:
    suite.test(ONE)
    assert not any(line.startswith("rustpar") for line in suite.run(n=None).lines)


def test_options_that_only_print_work_with_n(suite: Suite) -> None:
    options = ["--help", "--version", "--fixtures", "--markers"]
    for option, run in zip(options, run_each(suite, [["-n", "2", option] for option in options]), strict=True):
        assert run.ret == 0, option
        assert run.reports == [], option
        assert "Traceback (most" not in run.text


def test_an_unknown_option_is_a_usage_error_that_names_it(suite: Suite) -> None:
    suite.test(ONE)
    run = suite.run("--no-such-option")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "--no-such-option" in run.err


def test_a_path_that_does_not_exist_is_the_usage_error_of_plain_pytest(suite: Suite) -> None:
    suite.test(ONE)
    plain, run = suite.plain("nowhere.py"), suite.run("nowhere.py")
    assert run.ret == plain.ret == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: file or directory not found: nowhere.py" in run.text
    assert run.text.count("not found: nowhere.py") == plain.text.count("not found: nowhere.py")
