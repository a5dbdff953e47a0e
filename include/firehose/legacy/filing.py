"""Where the row of an old record is filed, and the lines of a raw batch that stand for it. Pure.

The record key's clock comes before the receipt: all copies of a record have the same one, so that they meet in one
hour file, whatever store they come from, and however often they are read. Must not: read a store, write.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Final, NamedTuple

import msgspec
import pyarrow as pa

from firehose.events.imported import ImportedLine
from firehose.legacy.record import OldRecord, Refused
from firehose.records.clocks import claimed_instants
from firehose.records.imported import QUEUE
from firehose.records.rules import EARLIEST_US
from firehose.syntax import TID
from ingester.contract import wire

_DIGITS: Final = str.maketrans("234567abcdefghijklmnopqrstuvwxyz", "0123456789abcdefghijklmnopqrstuv")
_CLOCK_BITS: Final = 10


class Line(NamedTuple):
    """A line of a queue of the batch of the day that ``time_us`` is in."""

    time_us: int
    queue: str
    line: bytes


class _Commit(msgspec.Struct):
    collection: str
    rev: str | None = None


class _Event(msgspec.Struct):
    time_us: int
    kind: str
    commit: _Commit | None = None


_decode = msgspec.json.Decoder(_Event).decode


def lines_of(old: OldRecord, now_us: int) -> list[Line]:
    """The line of its row, and before it that of the event, where the old system kept one.

    ``now_us``: clocks that are ahead of it are wrong.
    """
    if old.event is not None:
        event = _decode(old.event)
        rev = event.commit.rev if event.commit else None
        collection = event.commit.collection if event.commit else ""
        queue = wire.COLLECTION_QUEUES.get(collection, wire.KIND_QUEUES.get(event.kind, wire.OTHER))
        if EARLIEST_US <= event.time_us <= now_us:
            row = _row(old, event.time_us, "event", rev)
            return [Line(event.time_us, queue, old.event), Line(event.time_us, QUEUE, row)]
    filed_us, by = _filed(old, now_us)
    return [Line(filed_us, QUEUE, _row(old, filed_us, by, None))]


def refused_line(refused: Refused) -> Line:
    """The line that puts a broken file or row into quarantine, with its path and the reason."""
    where = f"{refused.path}#{refused.place}" if refused.place else refused.path
    letter = wire.dead_letter(where.encode(), f"{where}: {refused.reason}", EARLIEST_US)
    return Line(EARLIEST_US, QUEUE, letter)


def _filed(old: OldRecord, now_us: int) -> tuple[int, str]:
    for clock, by in _CLOCKS:  # one after the other: to read a claim costs more than all else of a record
        us = clock(old)
        if us is not None and EARLIEST_US <= us <= now_us:
            return us, by
    return EARLIEST_US, "nothing"


def _key_us(rkey: str) -> int | None:
    if not TID.matches(rkey):
        return None
    return int(rkey.translate(_DIGITS), 32) >> _CLOCK_BITS


def _claimed_us(claim: str | None) -> int | None:
    instant = claimed_instants([claim])[0][0] if claim else None
    return None if instant is None else instant.cast(pa.int64()).as_py()


_CLOCKS: Final[tuple[tuple[Callable[[OldRecord], int | None], str], ...]] = (
    (lambda old: _key_us(old.rkey), "key"),
    (lambda old: old.received_us, "receipt"),
    (lambda old: _claimed_us(old.created_at), "claim"),
)


def _row(old: OldRecord, filed_us: int, by: str, rev: str | None) -> bytes:
    values = (filed_us, old.did, by, old.store.value, *_to_rev(old), rev, *_from_rev(old))
    return _encode(ImportedLine(*values))


_encode = msgspec.json.Encoder().encode
# By position: by name a row takes three times as long, and what the old system kept has the same names.
_NAMES: Final = ImportedLine.__struct_fields__
_REV: Final = _NAMES.index("rev")
_to_rev: Final = attrgetter(*_NAMES[_NAMES.index("store") + 1 : _REV])
_from_rev: Final = attrgetter(*_NAMES[_REV + 1 :])
