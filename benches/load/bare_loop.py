"""What a client costs by itself: ``python bare_loop.py requests|standard`` makes requests in a loop of each thread.

No load generator of threads can use less CPU time. It prints the number of requests, and the median and 95th percentile
in milliseconds, as JSON.
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import sys
import threading
import time
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from collections.abc import Callable

PORT = int(os.environ["LOAD_PORT"])
PAUSE = float(os.environ["LOAD_PAUSE"])


def with_requests() -> Callable[[], int]:
    """Return a function that makes a request, and returns its status."""
    session = requests.Session()
    session.trust_env = False
    return lambda: session.get(f"http://127.0.0.1:{PORT}/").status_code


def with_the_standard_library() -> Callable[[], int]:
    """Return the same for the client of the standard library."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)

    def get() -> int:
        connection.request("GET", "/")
        response = connection.getresponse()
        response.read()
        return response.status

    return get


def main() -> None:
    """Make requests on threads for some seconds."""
    make = {"requests": with_requests, "standard": with_the_standard_library}[sys.argv[1]]
    end = time.monotonic() + float(os.environ["LOAD_TIME"].removesuffix("s"))
    times: list[float] = []

    def repeat() -> None:
        get = make()
        begin = time.perf_counter()
        while time.monotonic() < end:
            assert get() == 200
            times.append(time.perf_counter() - begin)
            if PAUSE:
                time.sleep(PAUSE)
            begin = time.perf_counter()

    threads = [threading.Thread(target=repeat) for _ in range(int(os.environ["LOAD_USERS"]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cuts = statistics.quantiles(times, n=100)
    print(json.dumps([len(times), cuts[49] * 1000, cuts[94] * 1000]))


main()
