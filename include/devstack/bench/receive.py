"""The ingest baseline: a bare `websockets` client that receives and drops. Run as a child process.

Usage: python -m devstack.bench.receive URL EVENTS. Prints events a second, from the first message to the last.
"""

from __future__ import annotations

import asyncio
import sys
import time

from websockets.asyncio.client import connect


async def receive(url: str, events: int) -> float:
    """The rate at which ``events`` messages are received."""
    async with connect(url, compression=None, max_size=None) as connection:
        await connection.recv(decode=False)
        began = time.perf_counter()
        for _ in range(events - 1):
            await connection.recv(decode=False)
        return (events - 1) / (time.perf_counter() - began)


if __name__ == "__main__":
    print(asyncio.run(receive(sys.argv[1], int(sys.argv[2]))))  # noqa: T201 - its one output
