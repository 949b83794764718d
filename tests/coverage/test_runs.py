"""Coverage of runs with workers is that of plain pytest in every start mode, and no data files are left over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import RUN_LIMIT

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "app.py": """
        import threading

        AT_IMPORT = [n for n in range(3)]

        def branches(n):
            if n > 2:
                return "large"
            if n < 0:
                return "never"
            return "small"

        def in_thread():
            done = []
            thread = threading.Thread(target=lambda: done.append(branches(1)))
            thread.start()
            thread.join()
            return done

        def in_fork():
            return 1

        def in_subprocess():
            return 2

        def not_tested():
            return 3
        """,
    "conftest.py": """
        import app
        import pytest

        @pytest.fixture(scope="module")
        def service():
            yield app.branches(1)
            app.branches(5)
        """,
    "test_one.py": """
        import app
        import pytest

        @pytest.mark.parametrize("n", range(6))
        def test_branches(n, service): assert app.branches(n)
        def test_thread(): assert app.in_thread() == ["small"]
        """,
    "test_two.py": """
        import app
        import subprocess
        import sys

        class TestMore:
            def test_large(self, service): assert app.branches(9) == "large"
        def test_subprocess(): subprocess.run([sys.executable, "-c", "import app; app.in_subprocess()"], check=True)
        """,
}
# The number of tests in these files.
TESTS = 9
PLUGINS = ("-p", "xdist", "-p", "rustpar")
PLAIN = ("-p", "no:rustpar", "-p", "no:xdist")
RUN_MODES = {
    "template": ("-n", "2", "--rustpar-start=template"),
    "early": ("-n", "2", "--rustpar-start=early"),
    "loadfile": ("-n", "3", "--dist", "loadfile"),
    "each": ("-n", "2", "--dist", "each"),
    "xdist's engine": ("-n", "2", "--rustpar-start=xdist"),
}


class Project:
    """A directory with a program and its tests."""

    def __init__(self, path: Path) -> None:
        """Write the program and its tests."""
        self.path = path
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        """Write a file, dedented."""
        (self.path / name).write_text(textwrap.dedent(text))

    def python(self, *args: str) -> str:
        """Run Python with only these pytest plugins; return the output."""
        environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        done = subprocess.run(
            [sys.executable, *args],
            cwd=self.path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=RUN_LIMIT,
        )
        return done.stdout

    def pytest_cov(self, *args: str) -> str:
        """Run the tests under pytest-cov."""
        return self.python(
            "-m", "pytest", *PLUGINS, "-p", "pytest_cov", "--cov=app", "--cov-report=term-missing", *args
        )

    def coverage_run(self, *args: str, options: tuple[str, ...] = ()) -> str:
        """Run the tests under ``coverage run``."""
        return self.python("-m", "coverage", "run", *options, "-m", "pytest", *PLUGINS, *args)

    def covered(self, *, contexts: bool = False) -> Any:
        """Return the covered lines from the JSON report of the data file; delete the file."""
        left = [path.name for path in self.path.iterdir() if "coverage" in path.name and path.name != ".coveragerc"]
        assert left == [".coverage"]
        shown = ("--show-contexts",) if contexts else ()
        said = self.python("-m", "coverage", "json", "-o", "report.json", *shown)
        report = json.loads((self.path / "report.json").read_text()) if "Wrote" in said else said
        (self.path / ".coverage").unlink()
        (self.path / "report.json").unlink(missing_ok=True)
        if isinstance(report, dict):
            report.pop("meta")
            for file in report["files"].values():
                _normalize(file)
        return report


def _normalize(part: dict[str, Any]) -> None:
    """Sort contexts and omit those of set-up and teardown, because each worker sets up the fixtures that it needs."""
    lines = part.get("contexts", {})
    for line, contexts in lines.items():
        lines[line] = sorted(context for context in contexts if not context.endswith(("|setup", "|teardown")))
    for inner in (*part.get("functions", {}).values(), *part.get("classes", {}).values()):
        _normalize(inner)


# Since Python 3.14 coverage.py measures with sys.monitoring by default.
CORES = ["default", "ctrace"] if sys.version_info >= (3, 14) else ["default"]


@pytest.fixture(params=CORES)
def project(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A program and its tests, measured with each available core of coverage.py."""
    monkeypatch.delenv("COVERAGE_CORE", raising=False)
    if request.param != "default":
        monkeypatch.setenv("COVERAGE_CORE", request.param)
    return Project(tmp_path)


@pytest.mark.parametrize("options", [(), ("--cov-branch",), ("--cov-branch", "--cov-context=test")])
def test_pytest_cov_reports_what_it_does_without_workers(project: Project, options: tuple[str, ...]) -> None:
    plain = project.pytest_cov(*PLAIN, *options)
    # sys.monitoring reports each line once per process: its context is the first test in the process that runs it.
    contexts = "--cov-context=test" in options and (sys.version_info < (3, 14) or "COVERAGE_CORE" in os.environ)
    covered = project.covered(contexts=contexts)

    def lines(text: str) -> list[str]:
        return [line for line in text.splitlines() if line.startswith(("app.py", "TOTAL"))]

    (percent,) = (line.split()[-1] for line in lines(plain) if line.startswith("TOTAL"))
    for run_mode, arguments in RUN_MODES.items():
        run = project.pytest_cov(*arguments, *options)
        assert project.covered(contexts=contexts) == covered, run_mode
        assert lines(run) == lines(plain), run_mode
        if run_mode != "xdist's engine":
            (said,) = (line for line in run.splitlines() if line.startswith("rustpar: coverage: "))
            assert said.removeprefix("rustpar: coverage: ").partition(".")[0] == percent.removesuffix("%"), run_mode
            assert "saving, joining and reporting took" in said


@pytest.mark.parametrize("options", [(), ("--cov-branch",)])
def test_tests_in_processes_of_their_own_are_covered(project: Project, options: tuple[str, ...]) -> None:
    project.pytest_cov(*PLAIN, *options)
    covered = project.covered()
    for arguments in ((), ("-n", "2")):
        assert f"{TESTS} passed" in project.pytest_cov(*arguments, *options, "--rustpar-forked")
        assert project.covered() == covered, arguments
    if not options:
        for arguments in ((), ("-n", "2")):
            project.coverage_run(*arguments, "--rustpar-forked", options=("--source=app",))
            assert project.covered() == covered, arguments


def test_cov_append_keeps_earlier_coverage(project: Project) -> None:
    project.python("-m", "coverage", "run", "--source=app", "-c", "pass")
    project.python("-m", "coverage", "run", "-m", "app")
    (project.path / "more.py").write_text("import app\napp.not_tested()\n")
    project.python("-m", "coverage", "run", "--include=app.py", "more.py")
    run = project.pytest_cov("-n", "2", "--cov-append")
    assert "not_tested" not in run
    summary = project.covered()["files"]["app.py"]
    assert summary["functions"]["not_tested"]["summary"]["percent_covered"] == 100
    assert summary["functions"]["branches"]["summary"]["covered_lines"] == 4


def test_cov_fail_under_fails_the_run_and_no_cov_disables_measuring(project: Project) -> None:
    assert "FAIL Required test coverage of 99% not reached" in project.pytest_cov("-n", "2", "--cov-fail-under=99")
    (project.path / ".coverage").unlink()
    assert "rustpar: coverage" not in project.pytest_cov("-n", "2", "--no-cov")
    assert not (project.path / ".coverage").exists()


FORK = """
    import app, os
    def test_fork():
        pid = os.fork()
        if not pid:
            app.in_fork()
            os._exit(0)
        os.waitpid(pid, 0)
"""


def test_subprocesses_and_forks_of_tests_are_covered(project: Project) -> None:
    project.write("test_fork.py", FORK)
    project.write(".coveragerc", "[run]\npatch = subprocess, fork, _exit\n")
    project.pytest_cov(*PLAIN)
    covered = project.covered()
    assert covered["files"]["app.py"]["missing_lines"] == [10, 27]
    for run_mode in ("template", "early"):
        project.pytest_cov(*RUN_MODES[run_mode])
        assert project.covered() == covered


CRASH = """
    import app, os, signal
    def test_before(): assert app.branches(1)
    def test_before_that_too(): assert app.in_fork()
    def test_crashes():
        app.not_tested()
        os.kill(os.getpid(), signal.SIGKILL)
    def test_after(): assert app.in_subprocess()
"""


@pytest.mark.parametrize("run_mode", ["template", "early"])
@pytest.mark.parametrize("by", ["pytest-cov", "coverage"])
def test_a_crash_loses_only_the_data_of_the_crashed_test(project: Project, run_mode: str, by: str) -> None:
    project.write("test_crash.py", CRASH)
    arguments = ("-n", "1", RUN_MODES[run_mode][2], "test_crash.py")
    run = project.pytest_cov(*arguments) if by == "pytest-cov" else project.coverage_run(*arguments)
    assert "1 failed, 3 passed" in run
    functions = project.covered()["files"]["app.py"]["functions"]
    covered = {name: bool(function["summary"]["covered_lines"]) for name, function in functions.items() if name}
    assert covered == {
        "branches": True,
        "in_thread": False,
        "in_fork": True,
        "in_subprocess": True,
        "not_tested": False,
    }


SETTINGS = {
    "nothing said": "",
    "branches": "[run]\nbranch = true\n",
    "the program alone": "[run]\nsource = .\nomit = test_*\n",
    "contexts": "[run]\ndynamic_context = test_function\n",
    "relative paths": "[run]\nrelative_files = true\n",
    "forks": "[run]\npatch = fork\n",
    "exits": "[run]\npatch = _exit\n",
    "another file": "[run]\ndata_file = .coverage\n",
}


@pytest.mark.parametrize("settings", SETTINGS)
def test_coverage_run_covers_what_it_does_without_workers(project: Project, settings: str) -> None:
    (project.path / "test_two.py").unlink()
    project.write(".coveragerc", SETTINGS[settings])
    include = ("--include=app.py,conftest.py,test_one.py",) if "source" not in SETTINGS[settings] else ()
    contexts = "context" in SETTINGS[settings]
    project.coverage_run(*PLAIN, options=include)
    covered = project.covered(contexts=contexts)
    for run_mode in ("template", "early", "each"):
        run = project.coverage_run(*RUN_MODES[run_mode], options=include)
        assert "CoverageWarning" not in run, run_mode
        assert project.covered(contexts=contexts) == covered, run_mode


@pytest.mark.parametrize("settings", ["parallel = true", "patch = subprocess", "concurrency = multiprocessing, thread"])
def test_files_of_a_parallel_run_are_left_for_coverage_combine(project: Project, settings: str) -> None:
    project.write(".coveragerc", f"[run]\ninclude = app.py\n{settings}\n")
    project.coverage_run(*PLAIN)
    project.python("-m", "coverage", "combine")
    covered = project.covered()
    project.coverage_run(*RUN_MODES["template"])
    assert len(list(project.path.glob(".coverage.*"))) > 2
    assert not (project.path / ".coverage").exists()
    project.python("-m", "coverage", "combine")
    assert project.covered() == covered


def test_coverage_run_appends(project: Project) -> None:
    (project.path / "more.py").write_text("import app\napp.not_tested()\n")
    project.python("-m", "coverage", "run", "--include=app.py", "more.py")
    project.coverage_run("-n", "2", options=("--append", "--include=app.py"))
    functions = project.covered()["files"]["app.py"]["functions"]
    assert functions["not_tested"]["summary"]["percent_covered"] == 100
    assert functions["in_thread"]["summary"]["percent_covered"] == 100


@pytest.mark.parametrize("by", ["pytest-cov", "pytest-cov, damaged", "coverage run"])
def test_a_run_that_was_killed_and_is_resumed_covers_what_an_undisturbed_run_does(project: Project, by: str) -> None:
    project.write(
        "test_zz.py",
        """
        import os
        import time

        def test_stuck():
            if not os.path.exists("free"):
                open("stuck", "w").close()
                time.sleep(600)
        """,
    )
    command = ["coverage", "run", "--include=app.py"] if by == "coverage run" else []
    options = [] if command else ["-p", "pytest_cov", "--cov=app", "--cov-report="]
    arguments = ["-m", *command, *(["-m"] if command else []), "pytest", *PLUGINS, *options, "-n", "2"]

    def run(*more: str) -> str:
        return project.python(*arguments, *more)

    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=project.path, env=environment, stdout=subprocess.DEVNULL
    )
    journals = project.path / ".pytest_cache" / "d" / "rustpar" / "runs"
    end = time.monotonic() + RUN_LIMIT
    while (
        not (project.path / "stuck").exists()
        or "".join(path.read_text() for path in journals.glob("*.jsonl")).count('"e":"saved"') < TESTS
    ):
        assert time.monotonic() < end
        time.sleep(0.01)
    process.kill()
    process.wait()
    (project.path / "free").touch()
    files = [path for path in project.path.glob(".coverage.*") if path.stat().st_size]
    assert files
    if by == "pytest-cov, damaged":
        for path in files:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    said = run("--rustpar-resume")
    finished = 0 if by == "pytest-cov, damaged" else TESTS
    assert f"resumed: {finished} of {TESTS + 1} tests" in said, said
    assert f"{TESTS + 1} passed" in said
    resumed = project.covered()
    assert f"{TESTS + 1} passed" in run()
    assert resumed == project.covered()
