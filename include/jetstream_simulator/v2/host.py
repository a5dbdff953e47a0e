"""Puts v2 together: its options, the handshake of ``subscribeEvents``, and the other calls.

Lives here: from a request's path to a session or a response. Must not: sockets, the calls themselves.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import NamedTuple

import zstandard
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from jetstream_simulator.event_log import EventLog
from jetstream_simulator.session import Sender
from jetstream_simulator.v2 import options, xrpc
from jetstream_simulator.v2.archive import Archive
from jetstream_simulator.v2.gate import OPEN, Gate, GateOptions
from jetstream_simulator.v2.session import EventSession
from jetstream_simulator.v2.subscriber import EventSubscriber, Numbers, Start, start

SUBPROTOCOL = Subprotocol("xrpc.v1.json")
STREAM_PATH = f"{xrpc.PREFIX}subscribeEvents"


@dataclass(frozen=True, kw_only=True)
class HostOptions:
    """How a server speaks v2. ``ahead``: events are still to come, so cursors ahead of the event log wait.

    ``v1_cursors`` makes ``/subscribe`` that of a v2 host; ``lookback`` is in events, 0 for all retained.
    """

    v1_cursors: bool = False
    first_seq: int = 1
    lookback: int = 0
    ahead: bool = False
    dictionary: xrpc.Dictionary | None = None
    segment_events: int = 16_384
    block_events: int = 1024
    plan_entries: int = 100_000
    gate: GateOptions = OPEN


class Stream(NamedTuple):
    """A ``subscribeEvents`` subscription that has been accepted."""

    filter: options.Filter
    begin: Start
    compressor: zstandard.ZstdCompressor | None


class Host:
    """The v2 side of a server over ``event_log``."""

    def __init__(self, event_log: EventLog, given: HostOptions) -> None:
        self.numbers = Numbers(event_log, given.first_seq, given.lookback)
        self.v1_cursors = given.v1_cursors
        self._dictionary, self._ahead = given.dictionary, given.ahead
        archive = Archive(self.numbers, given.segment_events, given.block_events, given.plan_entries)
        self._calls = xrpc.Calls(archive, given.dictionary, Gate(given.gate))

    def stream(self, query: str, now_us: int) -> Stream:
        """The subscription that a handshake asks for.

        Raises:
            Refused: the parameters are wrong, the dictionary is unknown, or the cursor is too old.
        """
        wanted = options.parse(query)
        begin = start(wanted.cursor, self.numbers, now_us, ahead=self._ahead)
        return Stream(wanted.filter, begin, self._compressor(wanted.dictionary))

    def _compressor(self, identifier: int | None) -> zstandard.ZstdCompressor | None:
        if identifier is None:
            return None
        current = self._dictionary
        if current is None or current.id != identifier:
            known = "this server has none" if current is None else f"current dictionary id is {current.id}"
            raise options.Refused("UnknownZstdDictionary", f"unknown zstd dictionary {identifier}; {known}")
        return current.compressor

    def session(self, connection: ServerConnection, stream: Stream, sender: Sender) -> EventSession:
        """The session that serves an accepted subscription."""
        subscriber = EventSubscriber(self.numbers, stream.filter, stream.begin, stream.compressor)
        return EventSession(connection, subscriber, sender, stream.begin.notice)

    def call(self, path: str, query: str, request: Request, body: bytes) -> Awaitable[Response]:
        """The answer to a call other than ``subscribeEvents``."""
        return self._calls.answer(path.removeprefix(xrpc.PREFIX), query, request, body)

    def v1_position(self, cursor: int | None) -> int | None:
        """Where a ``/subscribe`` cursor that is a sequence number begins; None for other cursors."""
        if not self.v1_cursors or cursor is None or cursor >= options.FIRST_TIME_US:
            return None
        return max(max(cursor, 1) - self.numbers.first, 0)
