"""Compare load tests with Locust, in turns: ``python benches/load.py [ROUNDS]``.

Needs ``pip install locust requests`` beside the plugin. One process of each generates the load with the same client
library, on one CPU, against a server on another. Without pauses it shows how many requests a second of CPU time makes;
with them, whether all measure the same, and what the server itself has recorded. The third, bare threads with the
client and nothing else, shows what a load generator could reach at most.
"""

from __future__ import annotations

import functools
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

DIRECTORY = Path(__file__).with_name("load")
USERS = 20
SECONDS = 6

# Requests, CPU seconds, and the median and 95th percentile in milliseconds.
Figures = tuple[float, float, float, float]


def run(command: list[str], environment: dict[str, str]) -> tuple[str, float]:
    """Return the output of a command on the first CPU, and the seconds of CPU time that it has used."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    pinned = ["taskset", "--cpu-list", "0", *command]
    found = subprocess.run(
        pinned, env=environment, cwd=DIRECTORY, text=True, capture_output=True, timeout=120, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return found.stdout, used


def of_locust(user: str, environment: dict[str, str]) -> Figures:
    """Return the figures of Locust."""
    arguments = f"--headless --users {USERS} --spawn-rate {USERS} --run-time {SECONDS}s --only-summary --json"
    output, used = run([sys.executable, "-m", "locust", *arguments.split(), user], environment)
    (stats,) = json.loads(output)
    times = sorted((float(time), count) for time, count in stats["response_times"].items())
    return stats["num_requests"], used, percentile(times, 0.5), percentile(times, 0.95)


def percentile(times: list[tuple[float, int]], part: float) -> float:
    """Return the time that a part of all does not exceed."""
    left = part * sum(count for _, count in times)
    for time, count in times:
        left -= count
        if left <= 0:
            return time
    return 0.0


def of_pytest(test: str, environment: dict[str, str]) -> Figures:
    """Return the figures of a load test."""
    with tempfile.TemporaryDirectory() as directory:
        journal = Path(directory, "journal")
        options = ["-q", "-p", "no:cacheprovider", "--rustpar-load", "-n1", f"--rustpar-journal={journal}"]
        output, used = run([sys.executable, "-m", "pytest", *options, f"test_users.py::{test}"], environment)
        lines = [line for line in journal.read_text().splitlines() if '"loadresult"' in line]
    if not lines or not re.search(r"\b1 passed", output):
        raise SystemExit(output)
    values = json.loads(lines[0])["metrics"][0]["values"]
    return json.loads(lines[0])["iterations"], used, values["med"] / 1000, values["p95"] / 1000


def of_bare_loop(client: str, environment: dict[str, str]) -> Figures:
    """Return the figures of the client alone."""
    output, used = run([sys.executable, "bare_loop.py", client], environment)
    count, median, p95 = json.loads(output)
    return count, used, median, p95


def with_those_of_the_server(figures: Figures, port: str) -> tuple[float, ...]:
    """Add the median and 95th percentile in milliseconds that the server has recorded meanwhile."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/times", timeout=60) as answer:
        cuts = statistics.quantiles(json.load(answer), n=100)
    return (*figures, cuts[49] * 1000, cuts[94] * 1000)


def main() -> None:
    """Print a row for each client and each kind of load."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    for title, seconds, pause in (("without pauses", "0", "0"), ("10 ms, pauses of 50 ms", "0.01", "0.05")):
        command = ["taskset", "--cpu-list", "1", sys.executable, str(DIRECTORY / "server.py"), seconds]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdin is not None
            assert server.stdout is not None
            port = server.stdout.readline().strip()
            about = {"LOAD_PORT": port, "LOAD_PAUSE": pause}
            about |= {"LOAD_USERS": str(USERS), "LOAD_TIME": f"{SECONDS}s"}
            environment = {**os.environ, **about}
            for client in ("requests", "standard"):
                generators = (
                    functools.partial(of_locust, client.capitalize()),
                    functools.partial(of_pytest, f"test_{client}"),
                    functools.partial(of_bare_loop, client),
                )
                found = [
                    [with_those_of_the_server(generate(environment), port) for generate in generators]
                    for _ in range(rounds)
                ]
                show(f"{client}, {title}", found)
            server.stdin.close()


def show(title: str, rounds: list[list[tuple[float, ...]]]) -> None:
    """Print the medians of each, with the median ratio of its requests per second of CPU time to those of Locust."""
    print(title)
    for place, name in enumerate(("locust", "rustpar", "bare")):
        ratio = statistics.median(one[place][0] / one[place][1] / (one[0][0] / one[0][1]) for one in rounds)
        count, used, *times = (
            statistics.median(figures) for figures in zip(*(one[place] for one in rounds), strict=True)
        )
        print(
            f"  {name:8} {ratio:.2f}  {count:8.0f} requests  {used / count * 1e6:5.0f} us CPU each"
            "  median {:.2f} ms  p95 {:.2f} ms  (server: {:.2f} and {:.2f} ms)".format(*times)
        )


if __name__ == "__main__":
    main()
