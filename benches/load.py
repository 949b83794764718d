"""Compare load tests with Locust, in turns: ``python benches/load.py [ROUNDS]``.

Needs ``pip install locust requests`` beside the plugin. One process of each generates the load with the same client
library, on one CPU, against a server on another. Without pauses it shows how many requests a second of CPU time makes;
with them, whether both measure the same.
"""

from __future__ import annotations

import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

DIRECTORY = Path(__file__).with_name("load")
USERS = 20
SECONDS = 6

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
    """Return requests, CPU seconds, and the median and 95th percentile in milliseconds."""
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
    """Return the same figures of a load test."""
    with tempfile.TemporaryDirectory() as directory:
        journal = Path(directory, "journal")
        options = ["-q", "-p", "no:cacheprovider", "--rustpar-load", "-n1", f"--rustpar-journal={journal}"]
        output, used = run([sys.executable, "-m", "pytest", *options, f"test_users.py::{test}"], environment)
        lines = [line for line in journal.read_text().splitlines() if '"loadresult"' in line]
    if not lines or not re.search(r"\b1 passed", output):
        raise SystemExit(output)
    values = json.loads(lines[0])["metrics"][0]["values"]
    return json.loads(lines[0])["iterations"], used, values["med"] / 1000, values["p95"] / 1000


def main() -> None:
    """Print a row for each client and each kind of load."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    for title, seconds, pause in (("without pauses", "0", "0"), ("10 ms, pauses of 50 ms", "0.01", "0.05")):
        command = ["taskset", "--cpu-list", "1", sys.executable, str(DIRECTORY / "server.py"), seconds]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdin is not None
            assert server.stdout is not None
            about = {"LOAD_PORT": server.stdout.readline().strip(), "LOAD_PAUSE": pause}
            about |= {"LOAD_USERS": str(USERS), "LOAD_TIME": f"{SECONDS}s"}
            environment = {**os.environ, **about}
            for client in ("requests", "standard"):
                pairs = [
                    (of_locust(client.capitalize(), environment), of_pytest(f"test_{client}", environment))
                    for _ in range(rounds)
                ]
                show(f"{client}, {title}", pairs)
            server.stdin.close()


def show(title: str, pairs: list[tuple[Figures, Figures]]) -> None:
    """Print the medians of both sides, and the median ratio of requests per second of CPU time."""
    ratios = [ours[0] / ours[1] / (theirs[0] / theirs[1]) for theirs, ours in pairs]
    print(f"{title}: {statistics.median(ratios):.2f} times the requests per second of CPU time")
    for name, side in (("locust", 0), ("rustpar", 1)):
        count, used, median, p95 = (statistics.median(pair[side][figure] for pair in pairs) for figure in range(4))
        print(f"  {name:8} {count:8.0f} requests  {used:5.1f} s CPU  median {median:.2f} ms  p95 {p95:.2f} ms")


if __name__ == "__main__":
    main()
