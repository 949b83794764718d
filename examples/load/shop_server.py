"""A small web shop: ``python shop_server.py`` prints the address at which it listens.

Looking at an item takes 5 ms. Only so many orders are paid at the same time, as with a database that has few
connections: above 200 orders per second they queue.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys

PAYMENTS_AT_A_TIME = 4
SECONDS_TO_PAY = 0.02
SECONDS_TO_LOOK = 0.005


class Shop:
    """The state of the shop."""

    def __init__(self) -> None:
        """Open the shop."""
        self.tokens = itertools.count(1)
        self.orders = itertools.count(1)
        self.payments = asyncio.Semaphore(PAYMENTS_AT_A_TIME)

    async def answer(self, method: str, path: str) -> tuple[int, object]:
        """Return status and body for a request."""
        if (method, path) == ("POST", "/login"):
            return 200, {"token": f"t{next(self.tokens)}"}
        if method == "GET" and path.startswith("/items/"):
            await asyncio.sleep(SECONDS_TO_LOOK)
            return 200, {"item": path.removeprefix("/items/"), "price": 499}
        if (method, path) == ("POST", "/orders"):
            async with self.payments:
                await asyncio.sleep(SECONDS_TO_PAY)
            return 201, {"order": next(self.orders)}
        return 404, {"error": "not found"}


async def serve(shop: Shop, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of a connection."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, path, _ = head.split("\r\n", 1)[0].split(" ")
            headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            await reader.readexactly(int(headers.get("content-length", 0)))
            status, value = await shop.answer(method, path)
            body = json.dumps(value).encode()
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    """Serve until standard input ends."""
    shop = Shop()
    server = await asyncio.start_server(lambda *streams: serve(shop, *streams), "127.0.0.1", 0, backlog=1024)
    host, port = server.sockets[0].getsockname()
    print(f"{host}:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
