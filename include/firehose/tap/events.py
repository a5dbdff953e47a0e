"""An event as a person looks for it: when, who, what, and the words in it; from either protocol, or from Redis.

Lives here: pure functions on one message. Must not: connections, choose events, validate them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from firehose.records.registry import BY_COLLECTION, REGISTRY
from ingester.contract import wire

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_BY_KIND: Final[dict[str, str]] = {
    of.kind: of.name for of in REGISTRY.values() if of.is_event and not of.is_commit
}
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode
_instant: Final = msgspec.json.Decoder(datetime).decode


class Seen(NamedTuple):
    """One event. ``raw`` is the message as it came; ``record`` is empty where there is none."""

    raw: bytes
    time_us: int
    did: str
    type: str
    operation: str
    collection: str
    rkey: str
    record: dict[str, Any]

    @property
    def text(self) -> str:
        """The words that a person wrote: a post's text, a profile's description, a list's name."""
        found = (self.record.get(name) for name in ("text", "displayName", "name", "description"))
        return " ".join(said for said in found if isinstance(said, str))

    @property
    def langs(self) -> list[str]:
        """The languages that a post says it is in."""
        found = self.record.get("langs")
        return [lang for lang in found if isinstance(lang, str)] if isinstance(found, list) else []


class Unreadable(ValueError):
    """A message that is not an event."""


class Notice(Exception):
    """The host says something about the stream: ``ends`` if it ends it."""

    def __init__(self, said: str, *, ends: bool) -> None:
        super().__init__(said)
        self.ends = ends


def read_line(line: bytes) -> Seen:
    """The event of a v1 message, or of a line in Redis, which has the same form.

    Raises:
        Unreadable: it is none.
    """
    event = _object(line)
    return _seen(line, event, str(event.get("kind", "")), event.get("time_us"), event.get("commit"))


def read_frame(message: bytes) -> Seen:
    """The event of a v2 message.

    Raises:
        Unreadable: it is none.
        Notice: it is a word of the host about the stream.
    """
    frame = _object(message)
    if frame.get("$type") == "error":
        raise Notice(f"{frame.get('error')}: {frame.get('message')}"[:300], ends=True)
    event = frame.get("payload")
    if not isinstance(event, dict):
        raise Unreadable("a frame without an event")
    kind = str(event.get("$type", "")).rpartition("#")[2]
    if kind == "info":
        raise Notice(f"{event.get('name')}: {event.get('message')}"[:300], ends=False)
    return _seen(message, event, kind, _micros(event.get("witnessedAt") or event.get("time")), event)


def _object(message: bytes) -> dict[str, Any]:
    try:
        return _decode(message)
    except _UNREADABLE as error:
        raise Unreadable(str(error)) from None


def _seen(raw: bytes, event: dict[str, Any], kind: str, time_us: object, commit: object) -> Seen:
    if not kind or not isinstance(time_us, int):
        raise Unreadable("no kind, or no time")
    part = commit if kind == "commit" and isinstance(commit, dict) else {}
    record, collection = part.get("record"), str(part.get("collection", ""))
    return Seen(
        raw,
        time_us,
        str(event.get("did", "")),
        BY_COLLECTION.get(collection) or _BY_KIND.get(kind, wire.OTHER),
        str(part.get("operation", "")) or kind,
        collection,
        str(part.get("rkey", "")),
        record if isinstance(record, dict) else {},
    )


def _micros(value: object) -> int | None:
    try:
        return (_instant(msgspec.json.encode(value)) - _EPOCH) // _MICROSECOND
    except (msgspec.MsgspecError, TypeError):
        return None
