"""Reads only the parts of a message that decide its queue: kind, time and collection. The record is skipped.

Lives here: pure functions on one message. Must not: I/O, clocks, anything about frames.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from ingester.contract import metrics, wire
from ingester.contract.counting import count
from ingester.contract.losses import LossPath

#: A cursor found in a broken message is used only if it is this near (µs) to the one before: a cursor in the
#: future would make the next connection start at the live tail, and lose the events between.
PLAUSIBLE_US: Final = 3_600_000_000
_TIME_US: Final = re.compile(rb'"time_us"\s*:\s*(\d{1,18})\b')


class Forged(ValueError):
    """A message from the source that looks like a dead letter, which only this program makes."""


class _Commit(msgspec.Struct, gc=False):
    collection: str = ""


class Envelope(msgspec.Struct, gc=False):
    """The part of an event that decides its queue, and its cursor."""

    time_us: Annotated[int, Meta(ge=0, le=2**62)]
    kind: str = ""
    commit: _Commit | None = None


_decode: Final = msgspec.json.Decoder(Envelope).decode
_collection_queue: Final = wire.COLLECTION_QUEUES.get
_kind_queue: Final = wire.KIND_QUEUES.get


def classify(message: bytes, last_us: int) -> tuple[str, int, bytes]:
    """The queue, the cursor (µs) and the line of ``message``; never raises on its contents.

    A message that is not an event becomes a dead letter in the queue ``other``. Its cursor is the one that its
    bytes seem to contain, else ``last_us``, the cursor of the message before.
    """
    try:
        envelope = _decode(message)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return dead_letter(message, error, last_us)
    commit = envelope.commit
    if commit is not None and envelope.kind == "commit":
        return _collection_queue(commit.collection, wire.OTHER), envelope.time_us, message
    if envelope.kind == wire.DEAD_LETTER_KIND:
        return dead_letter(message, Forged(f"kind {wire.DEAD_LETTER_KIND} from the source"), last_us)
    return _kind_queue(envelope.kind, wire.OTHER), envelope.time_us, message


def follow(last: int, named: int, leap: int, limit: int) -> tuple[int, int]:
    """The cursor after an event that names ``named``, and the leap that waits to be confirmed (0: none).

    A cursor further than ``limit`` from ``last`` is accepted only when the next event agrees with it; until then
    it is the ``leap``. Otherwise one event with a wrong time would make the next connection start at the live
    tail, or days ago. On a quiet stream, where every event is a leap forward, the cursor is one event behind.
    """
    if not named:
        return last, leap
    if abs(named - last) < limit:
        return named, 0
    if leap and abs(named - leap) < limit:
        return named, 0
    return (leap if last < leap < named else last), named


def dead_letter(message: bytes, error: Exception, last_us: int) -> tuple[str, int, bytes]:
    """The result of :func:`classify` for a message that cannot be read because of ``error``."""
    count(metrics.LOSSES, label=LossPath.DEAD_LETTER.code)
    time_us = last_us
    if found := _TIME_US.search(message):
        named = int(found[1])
        if not last_us or abs(named - last_us) <= PLAUSIBLE_US:
            time_us = named
    return wire.OTHER, time_us, wire.dead_letter(message, f"{type(error).__name__}: {error}", time_us)
