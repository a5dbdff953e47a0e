"""Additions of a v2 host to a source: cursors in v1's events, ``sync`` events, resyncs, imported times.

Lives here: sources around a source. Must not: the event log, synthetic records.
"""

from __future__ import annotations

import base64
import re
from collections import deque
from random import Random
from typing import Final

import msgspec

from jetstream_simulator import envelope, identifiers
from jetstream_simulator.event_log import Event
from jetstream_simulator.lines import other_line
from jetstream_simulator.sources import Source
from jetstream_simulator.v2.layout import MARK

_HEAD: Final = re.compile(rb'(\{"did":"[^"]*","time_us":\d+)(?:,"cursor":\d+)?')
#: Account, operation and the like lie in the first bytes of synthetic events.
_HEAD_BYTES: Final = 300
#: Accounts whose records are remembered.
_ACCOUNTS: Final = 20_000
_parts: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_REPLAYED: Final = re.compile(rb'^\{"cursor":\d+,')


def with_cursor(line: bytes, seq: int) -> bytes:
    """``line`` with its sequence number, as a v2 host's ``/subscribe`` sends it; as it is if not an object."""
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
    """A source with a share of ``sync`` events among its own, which only v2 sends.

    ``resync``: this many of the account's records come again after each one, as creates under its revision.
    """

    def __init__(self, source: Source, rate: float, seed: int, resync: int = 0) -> None:
        self._source, self._rate, self._rng, self._resync = source, rate, Random(seed), resync
        self._upstream = 40_000_000_000
        self._made: dict[str, list[bytes]] = {}
        self._again: deque[tuple[bytes, str]] = deque()  # lines to send again, and the revision under which

    def take(self, n: int, now_us: int) -> list[Event]:
        """At most ``n`` events, some of them ``sync`` events of the account of the event before."""
        again = [self._again.popleft() for _ in range(min(n, len(self._again)))]
        n -= len(again)
        syncs = sum(self._rng.random() < self._rate for _ in range(n)) if n > 1 else 0
        events = self._source.take(n - min(syncs, n - 1), now_us) if n else []
        if self._resync:
            for event in events:
                self._remember(event.line)
        for _ in range(min(syncs, n - 1) if events else 0):
            before = self._rng.randrange(len(events))
            events.insert(before + 1, self._sync(events[before]))
        time_us = events[0].time_us if events else now_us
        return [Event(time_us, _sent_again(line, rev, time_us), only_v2=True) for line, rev in again] + events

    def _sync(self, before: Event) -> Event:
        try:
            did = envelope.read(before.line).did or "did:plc:nobody"
        except envelope.NotAnObject:
            did = "did:plc:nobody"
        self._upstream += 1
        blocks = base64.b64encode(self._rng.randbytes(60)).decode().rstrip("=")
        rev = identifiers.tid(before.time_us, 0)
        sync = {
            "blocks": {"$bytes": blocks},
            "did": did,
            "rev": rev,
            "seq": self._upstream,
            "time": identifiers.iso(before.time_us),
        }
        self._again.extend((line, rev) for line in self._made.get(did, ()))
        return Event(before.time_us, other_line("sync", did, before.time_us, sync), only_v2=True)

    def _remember(self, line: bytes) -> None:
        """Keep the latest creates of the latest accounts."""
        if b'"operation":"create"' not in line[:_HEAD_BYTES]:
            return
        made = self._made.setdefault(envelope.read(line).did, [])
        made.append(line)
        del made[: -self._resync]
        if len(self._made) > _ACCOUNTS:
            del self._made[next(iter(self._made))]


def _sent_again(line: bytes, rev: str, time_us: int) -> bytes:
    event = _parts(line)
    commit = {**_parts(event["commit"]), "rev": rev, MARK: True}
    return msgspec.json.encode({**event, "time_us": time_us, "commit": commit})


class Imported:
    """A source of a host whose operator has imported times: each commit has a displayed time next to its own, and
    in a share of them it is another one, from years before."""

    def __init__(self, source: Source, share: float, seed: int) -> None:
        self._source, self._share, self._rng = source, share, Random(seed)

    def take(self, n: int, now_us: int) -> list[Event]:
        """As the source's."""
        return [event._replace(line=self._shown(event)) for event in self._source.take(n, now_us)]

    def _shown(self, event: Event) -> bytes:
        before_us = self._rng.randint(1, 800 * 86_400_000_000) if self._rng.random() < self._share else 0
        if b'"kind":"commit"' not in event.line[:_HEAD_BYTES] or not event.line.endswith(b"}}"):
            return event.line
        return b'%b,"displayed_us":%d}' % (event.line[:-1], event.time_us - before_us)
