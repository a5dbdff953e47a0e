"""The envelope of a Jetstream v1 event (jetstream.md, "Events"), decoded strictly; the record stays raw.

Lives here: the wire types and the reasons why a line is no event. Must not: look into records.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from ingester.wire import DEAD_LETTER_KIND


class Undecodable(ValueError):
    """A line that is not an event. ``raw`` is what came over the wire, ``time_us`` the best guess of its time."""

    def __init__(self, reason: str, raw: bytes, time_us: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.raw = raw
        self.time_us = time_us


class Commit(msgspec.Struct, gc=False):
    """One operation on one record. A delete has neither ``record`` nor ``cid``."""

    rev: str
    operation: str
    collection: str
    rkey: str
    record: msgspec.Raw = msgspec.Raw(b"")
    cid: str | None = None


class Event(msgspec.Struct, gc=False):
    """One event; exactly the part that ``kind`` names is there."""

    did: str
    time_us: int
    kind: str
    commit: Commit | None = None
    identity: dict[str, Any] | None = None
    account: dict[str, Any] | None = None


class _DeadLetter(msgspec.Struct):
    error: str
    bytes: str
    time_us: int = 0


_decode = msgspec.json.Decoder(Event).decode
_decode_dead_letter = msgspec.json.Decoder(_DeadLetter).decode
_MARK = f'"kind":"{DEAD_LETTER_KIND}"'.encode()


def decode_event(line: bytes) -> Event:
    """The event of one line.

    Raises:
        Undecodable: with the reason and the original bytes.
    """
    try:
        event = _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        if _MARK in line:
            raise _revive(line) from None
        raise Undecodable(f"envelope: {error}", line) from None
    if (event.kind == "commit" and event.commit) or (event.kind in PARTS and getattr(event, event.kind)):
        return event
    raise Undecodable(f"envelope: kind {event.kind[:64]!r} without its part", line, event.time_us)


#: Kinds other than ``commit``.
PARTS = ("identity", "account")


def _revive(line: bytes) -> Undecodable:
    """What the ingester could not read, as it came over the wire."""
    try:
        letter = _decode_dead_letter(line)
        return Undecodable(f"message: {letter.error}", base64.b64decode(letter.bytes), letter.time_us)
    except (msgspec.MsgspecError, ValueError) as error:
        return Undecodable(f"dead letter: {error}", line)
