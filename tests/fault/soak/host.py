"""One Jetstream host: the simulator's server as a process, which puts on its stream what it is told to.

Arguments: its port, the sequence number of the first event ever, and how many events it has forgotten since.
Standard input: ``<time_us> <only v2: 0 or 1> <line>`` is an event, an empty line publishes those before it; the
answer is the number of events put on the stream so far. Must not: make up events.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

from jetstream_simulator.event_log import Event, EventLog
from jetstream_simulator.feed import Feed
from jetstream_simulator.server import Simulator
from jetstream_simulator.sources import Generated
from jetstream_simulator.v2.host import HostOptions

_LONGEST = 1 << 24


class _Told(Feed):
    """A feed whose events come from outside, when they come."""

    def put(self, events: list[Event]) -> None:
        """Put events on the stream."""
        self._publish(events)


async def serve(port: int, first_seq: int, forgotten: int) -> None:
    """Serve until standard input ends; listens once the first events, maybe none, are published."""
    tape = EventLog(1 << 30, 1 << 40)
    tape.start = forgotten
    feed = _Told(tape, Generated(0, 0.0, 1.0), lambda: tape.newest_us, rate=1.0)
    simulator = Simulator(tape, feed, lambda: tape.newest_us, v2=HostOptions(first_seq=first_seq))
    server = None
    async for events in _told():
        feed.put(events)
        server = server or await simulator.listen("127.0.0.1", port)
        print(tape.end, flush=True)
    if server is not None:
        await simulator.close(server)


async def _told() -> AsyncIterator[list[Event]]:
    reader = asyncio.StreamReader(limit=_LONGEST)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    events: list[Event] = []
    while line := await reader.readline():
        if line == b"\n":
            yield events
            events = []
            continue
        time_us, only_v2, message = line[:-1].split(b" ", 2)
        events.append(Event(int(time_us), message, only_v2 == b"1"))


if __name__ == "__main__":
    asyncio.run(serve(*map(int, sys.argv[1:4])))
