"""What a v2 host adds to the events of a source: cursors in v1's events, and ``sync`` events.

Lives here: sources around a source. Must not: the tape, made-up records.
"""

from __future__ import annotations

import base64
import re
from random import Random
from typing import Final

from firehose.simulator import envelope, identifiers
from firehose.simulator.lines import other_line
from firehose.simulator.sources import Source
from firehose.simulator.tape import Event

_HEAD: Final = re.compile(rb'(\{"did":"[^"]*","time_us":\d+)(?:,"cursor":\d+)?')
_REPLAYED: Final = re.compile(rb'^\{"cursor":\d+,')


def with_cursor(line: bytes, seq: int) -> bytes:
    """``line`` with its sequence number as a v2 host's ``/subscribe`` sends it; no object stays as it is."""
    line, found = _HEAD.subn(rb'\g<1>,"cursor":%d' % seq, line, count=1) if _HEAD.match(line) else (line, 0)
    if found or not line.startswith(b'{"'):
        return line
    return b'{"cursor":%d,' % seq + _REPLAYED.sub(b"{", line)[1:]


class Numbered:
    """A source's events with their sequence numbers, ``first`` being the first one's."""

    def __init__(self, source: Source, first: int) -> None:
        self._source, self._next = source, first

    def take(self, n: int, now_us: int) -> list[Event]:
        """As the source's, with cursors."""
        events = self._source.take(n, now_us)
        seq = self._next
        self._next += len(events)
        return [event._replace(line=with_cursor(event.line, seq + i)) for i, event in enumerate(events)]


class Synced:
    """A source with a share of ``sync`` events among its own, which only v2 sends."""

    def __init__(self, source: Source, rate: float, seed: int) -> None:
        self._source, self._rate, self._rng = source, rate, Random(seed)
        self._upstream = 40_000_000_000

    def take(self, n: int, now_us: int) -> list[Event]:
        """At most ``n`` events, some of them ``sync`` events of the account of the event before."""
        syncs = sum(self._rng.random() < self._rate for _ in range(n)) if n > 1 else 0
        events = self._source.take(n - min(syncs, n - 1) if n else 0, now_us)
        for _ in range(min(syncs, n - 1) if events else 0):
            before = self._rng.randrange(len(events))
            events.insert(before + 1, self._sync(events[before]))
        return events

    def _sync(self, before: Event) -> Event:
        try:
            did = envelope.read(before.line).did or "did:plc:nobody"
        except envelope.NotAnObject:
            did = "did:plc:nobody"
        self._upstream += 1
        blocks = base64.b64encode(self._rng.randbytes(60)).decode().rstrip("=")
        sync = {
            "blocks": {"$bytes": blocks},
            "did": did,
            "rev": identifiers.tid(before.time_us, 0),
            "seq": self._upstream,
            "time": identifiers.iso(before.time_us),
        }
        return Event(before.time_us, other_line("sync", did, before.time_us, sync), only_v2=True)
