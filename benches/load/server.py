"""A server that costs next to nothing: ``python server.py [SECONDS]`` prints its port; each answer takes so long.

It records how long each answer really took. A request of ``/times`` returns that as a JSON list in seconds, once.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import ClassVar

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Connection(asyncio.Protocol):
    """Answers each request after some time, whatever it asks for."""

    seconds = 0.0
    times: ClassVar[list[float]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer the request that ends here; it has no body."""
        begin = time.perf_counter()
        if data.startswith(b"GET /times "):
            body = json.dumps(self.times).encode()
            self.times.clear()
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        elif data.endswith(b"\r\n\r\n"):
            if self.seconds:
                asyncio.get_running_loop().call_later(self.seconds, self._answer, begin)
            else:
                self._answer(begin)

    def _answer(self, begin: float) -> None:
        self._transport.write(ANSWER)
        self.times.append(time.perf_counter() - begin)


async def main() -> None:
    """Serve until standard input ends."""
    Connection.seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


asyncio.run(main())
