"""Output of a test is shown with that test and no other; each worker has its own standard streams."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Suite

# Each test prints its own name repeatedly in four ways, while the other worker does the same.
LOUD = """
    import os
    import subprocess
    import sys
    import pytest

    @pytest.mark.parametrize("n", range(10))
    def test_it(n):
        for _ in range(20):
            print(f"<{n}:print>")
            print(f"<{n}:stderr>", file=sys.stderr)
            os.write(1, f"<{n}:write>\\n".encode())
            os.write(2, f"<{n}:write2>\\n".encode())
        subprocess.run([sys.executable, "-S", "-c", f"print('<{n}:child>')"], check=True)
"""


def test_captured_output_never_holds_that_of_another_test(suite: Suite) -> None:
    suite.test(LOUD)
    run = suite.run()
    assert run.ret == 0
    for n in range(10):
        sections = dict(run.report(f"test_it[{n}]", "teardown")["sections"])
        said = "".join(sections.values())
        assert {number for number, _ in re.findall(r"<(\d+):(\w+)>", said)} == {str(n)}
        assert sections["Captured stdout call"].count(f"<{n}:print>") == 20
        assert sections["Captured stdout call"].count(f"<{n}:write>") == 20
        assert sections["Captured stdout call"].count(f"<{n}:child>") == 1
        assert sections["Captured stderr call"].count(f"<{n}:stderr>") == 20
        assert sections["Captured stderr call"].count(f"<{n}:write2>") == 20


def test_captured_output_and_logged_messages_of_failures_are_shown(suite: Suite) -> None:
    suite.test(
        """
        import logging
        def test_it():
            print("a word")
            logging.error("a message")
            assert False
        def test_other(): print("nothing to see")
        """
    )
    run = suite.run()
    assert "a word" in run.lines
    assert "ERROR" in run.line("test_it.py:5 a message")
    assert any("Captured log call" in line for line in run.lines)
    assert "nothing to see" not in run.text


def test_sections_of_passing_tests_are_shown_with_rP(suite: Suite) -> None:
    suite.test("def test_it(): print('a word')\ndef test_other(): pass\n")
    run = suite.run("-rP")
    assert "a word" in run.lines
    assert "_ test_it _" in run.line("_ test_it _")


def test_without_capturing_no_line_is_lost_or_broken(suite: Suite) -> None:
    suite.test(LOUD)
    run = suite.run("-s")
    assert run.ret == 0
    for n in range(10):
        for method, count in [("print", 20), ("write", 20), ("child", 1)]:
            lines = [line for line in run.lines if f"<{n}:{method}>" in line]
            assert len(lines) == count
            assert all(re.fullmatch(rf"\[gw[01]\] <{n}:{method}>", line) for line in lines)
        assert run.text.count(f"<{n}:stderr>") == 20


def test_without_capturing_the_prefix_names_the_worker(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.mark.parametrize("n", range(10))
        def test_it(n, worker_id):
            print(f"test {n} in {worker_id}")
        """
    )
    run = suite.run("-s")
    for n in range(10):
        (worker,) = run.workers[f"test_it.py::test_it[{n}]"]
        assert f"[{worker}] test {n} in {worker}" in run.lines


def test_without_capturing_a_single_worker_has_no_prefix_and_a_last_line_without_a_newline_is_shown(
    suite: Suite,
) -> None:
    suite.test("import sys\ndef test_it(): print('a word')\ndef test_last(): sys.stdout.write('no end')\n")
    run = suite.run("-s", n="1")
    assert "a word" in [line.lstrip(".") for line in run.lines]
    assert "no end" in run.out


def test_output_at_import_is_shown_without_capturing(suite: Suite) -> None:
    suite.test("print('imported')\ndef test_it(): pass\n")
    assert suite.run("-s").out.count("imported") == 1


def test_standard_input_is_empty(suite: Suite) -> None:
    suite.test(
        """
        import os
        import sys

        def test_it(): assert os.read(0, 1) == b""
        def test_other(): assert sys.stdin.read() == ""
        """
    )
    run = suite.run("-s")
    assert run.counts() == {"passed": 2}


def test_reading_while_capturing_is_the_error_of_plain_pytest(suite: Suite) -> None:
    suite.test("def test_it(): input()\n")
    last = [run.report("test_it")["longrepr"].splitlines()[-3:] for run in (suite.run(), suite.plain())]
    assert last[0] == last[1]
    assert "reading from stdin while output is captured" in "".join(last[0])


@pytest.mark.parametrize("method", ["fd", "sys", "tee-sys"])
def test_capture_fixtures_only_see_their_own_test(suite: Suite, method: str) -> None:
    suite.test(
        """
        import os
        import pytest

        @pytest.mark.parametrize("n", range(20))
        def test_capfd(n, capfd):
            os.write(1, b"%d-a" % n)
            print(f"{n}-b", end="", flush=True)
            assert sorted(capfd.readouterr().out.replace("-a", "-a ").split()) == [f"{n}-a", f"{n}-b"]

        @pytest.mark.parametrize("n", range(20))
        def test_capsys(n, capsys):
            print(n)
            assert capsys.readouterr() == (f"{n}\\n", "")

        @pytest.mark.parametrize("n", range(5))
        def test_caplog(n, caplog):
            import logging
            logging.getLogger().warning("log %s", n)
            assert caplog.messages == [f"log {n}"]
        """
    )
    run = suite.run(f"--capture={method}")
    assert run.counts() == {"passed": 45}


def test_five_megabytes_of_output_arrive_completely(suite: Suite) -> None:
    suite.test(
        """
        def test_big():
            print("x" * 5_000_000)
            assert False, "y" * 100_000

        def test_small(): pass
        """
    )
    run = suite.run()
    report = run.report("test_big")
    assert run.counts() == {"failed": 1, "passed": 1}
    assert dict(report["sections"])["Captured stdout call"] == "x" * 5_000_000 + "\n"
    assert "y" * 100_000 in report["longrepr"]


def test_much_uncaptured_output_arrives_completely(suite: Suite) -> None:
    suite.test(
        """
        import pytest

        @pytest.mark.parametrize("n", range(4))
        def test_it(n):
            for line in range(20000):
                print(f"line {n} {line}")
        """
    )
    run = suite.run("-s")
    assert run.ret == 0
    for n in range(4):
        found = [int(line.split()[-1]) for line in run.lines if re.match(rf"\[gw\d\] line {n} ", line)]
        assert found == list(range(20000))


def test_log_files_opened_by_pytest_hold_every_line(suite: Suite) -> None:
    suite.test(
        """
        import logging
        import pytest

        @pytest.mark.parametrize("n", range(20))
        def test_it(n):
            logging.getLogger().warning("from test %s", n)
        """
    )
    assert suite.run("--log-file=run.log").ret == 0
    text = (suite.path / "run.log").read_text()
    assert sorted(int(n) for n in re.findall(r"from test (\d+)", text)) == list(range(20))
