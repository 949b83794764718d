"""A real HTTP server for tests: it keeps what it was asked, and which connections were used."""

from __future__ import annotations

import contextlib
import http.server
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Asked:
    """A request that the server was asked.

    Attributes:
        line: Method and path.
        connection: The client's port.
        headers: Names in lower case, with their values.
        body: The body.
    """

    line: str
    connection: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """A running server.

    Attributes:
        url: Its address, without a slash at the end.
        asked: The requests, in the order of their arrival.
    """

    url: str
    asked: list[Asked] = field(default_factory=list)

    def lines(self) -> set[str]:
        """Return methods and paths that were asked for."""
        return {asked.line for asked in self.asked}

    def connections(self, line: str) -> set[int]:
        """Return the connections that were used for a method and path."""
        return {asked.connection for asked in self.asked if asked.line == line}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener
    # Otherwise headers and body are two packets, and the second one waits for 40 ms.
    wbufsize = -1

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        line = f"{self.command} {self.path}"
        self.server.record.asked.append(Asked(line, self.client_address[1], headers, body))
        path = self.path.partition("?")[0]
        if path == "/broken":
            self._answer(200, {"Content-Length": "1000"}, b"short")
            self.close_connection = True
        elif path == "/login":
            self._answer(302, {"Location": "/home", "Set-Cookie": "session=1", "Content-Length": "0"}, b"")
        elif path == "/chunks":
            self._answer(200, {"Transfer-Encoding": "chunked"}, b"5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n")
        elif path.startswith("/status/"):
            self._answer(int(path.removeprefix("/status/")), {"Content-Length": "2"}, b"no")
        else:
            self._answer(200, {"Content-Length": "1000"}, b"x" * 1000)

    do_POST = do_GET

    def do_HEAD(self) -> None:
        self.server.record.asked.append(Asked(f"HEAD {self.path}", self.client_address[1], {}, b""))
        self._answer(200, {"Content-Length": "1000"}, b"")

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    record: Server

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of connections that are closed in the middle."""


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """Serve on a free port of the loopback interface."""
    with _Listener(("127.0.0.1", 0), _Handler) as listener:
        listener.record = Server(f"http://127.0.0.1:{listener.server_port}")
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield listener.record
        finally:
            listener.shutdown()
            thread.join()
