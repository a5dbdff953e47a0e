"""Turns a frame of Jetstream v2 into the event that v1 sends for it, the record's bytes untouched.

Lives here: pure functions on one frame. Must not: I/O, clocks, buffers.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta, Raw

from ingester.contract import metrics, wire
from ingester.contract.counting import count
from ingester.contract.losses import LossPath
from ingester.contract.resyncs import Resyncs
from ingester.jetstream.disconnected import Cause, Disconnected
from ingester.jetstream.hosts import V2_METHOD, V2_TIME_CURSOR

#: A sequence number found in a broken frame is used only if it is this near to the one before: one far ahead would
#: skip events if the process ended right then.
PLAUSIBLE_SEQ: Final = 1_000_000
_SEQ: Final = re.compile(rb'"seq"\s*:\s*(\d{1,15})\b')
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
#: Names that v1 gives to parts of an event: a v2 field of the same name would be mistaken for them.
_RESERVED: Final = frozenset({"time_us", "displayed_us", "kind", "commit"})


class SourceNotice(Exception):
    """The server says something about the stream, without an event and without ending it."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message


class NotAnEvent(ValueError):
    """A frame that is JSON but not an event."""


#: The errors of :func:`read` for a frame that must be kept as a dead letter.
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, NotAnEvent)


class QueueLine(NamedTuple):
    """An event with its queue. ``line`` is the event in v1's form; ``seq`` is the cursor after it."""

    queue: str
    time_us: int
    seq: int
    line: bytes


#: An absent field.
_NONE: Final = Raw()


class _Commit(msgspec.Struct, gc=False, forbid_unknown_fields=True, tag_field="$type", tag=f"{V2_METHOD}#commit"):
    seq: Annotated[int, Meta(ge=0, lt=V2_TIME_CURSOR)]
    did: Raw
    time: Annotated[datetime, Meta(tz=True)]
    witnessedAt: Annotated[datetime, Meta(tz=True)] | None = None
    rev: Raw = _NONE
    operation: Raw = _NONE
    collection: str = ""
    rkey: Raw = _NONE
    record: Raw = _NONE
    cid: Raw = _NONE


class _CommitFrame(msgspec.Struct, gc=False, tag_field="$type", tag="message"):
    payload: _Commit


class _V1Commit(msgspec.Struct, gc=False, omit_defaults=True):
    rev: Raw = _NONE
    operation: Raw = _NONE
    collection: str = ""
    rkey: Raw = _NONE
    record: Raw = _NONE
    cid: Raw = _NONE
    resync: bool = False


class _V1Event(msgspec.Struct, gc=False, omit_defaults=True):
    did: Raw
    time_us: int
    kind: str
    commit: _V1Commit
    displayed_us: int | None = None


class _Frame(msgspec.Struct, gc=False):
    type: str = msgspec.field(name="$type")
    payload: dict[str, Raw] = msgspec.field(default_factory=dict)
    error: str = ""
    message: str = ""


class _Info(msgspec.Struct):
    name: str = ""
    message: str = ""


_commit: Final = msgspec.json.Decoder(_CommitFrame).decode
_frame: Final = msgspec.json.Decoder(_Frame).decode
_text: Final = msgspec.json.Decoder(str).decode
_seq: Final = msgspec.json.Decoder(Annotated[int, Meta(ge=0, lt=V2_TIME_CURSOR)]).decode
_instant: Final = msgspec.json.Decoder(Annotated[datetime, Meta(tz=True)]).decode
_encode: Final = msgspec.json.Encoder().encode
_collection_queue: Final = wire.COLLECTION_QUEUES.get
_kind_queue: Final = wire.KIND_QUEUES.get


def read(message: bytes, resyncs: Resyncs) -> QueueLine:
    """The event of a frame; kinds that v1 does not know, such as ``sync``, keep their name and all their fields.

    ``resyncs`` learns of sync events, and identifies the creates that send a record again: those are marked.

    Raises:
        SourceNotice: the frame is a notice, not an event.
        Disconnected: the frame ends the stream.
        UNREADABLE: the frame is neither of these, nor an event.
    """
    try:
        commit = _commit(message).payload
    except msgspec.ValidationError:
        event = _read_any(message)
        return event._replace(line=resyncs.take(event.line))
    time_us, shown_us = _times(commit.time, commit.witnessedAt)
    fields = _V1Commit(commit.rev, commit.operation, commit.collection, commit.rkey, commit.record, commit.cid)
    if resyncs.known and resyncs.may_have(bytes(commit.rev)) and bytes(commit.operation) == b'"create"':
        fields.resync = resyncs.has(_text(commit.did), _text(commit.rev))
    line = _encode(_V1Event(commit.did, time_us, "commit", fields, shown_us))
    return QueueLine(_collection_queue(commit.collection, wire.OTHER), time_us, commit.seq, line)


def _read_any(message: bytes) -> QueueLine:
    """The slow path of :func:`read`, for everything but commits of known fields: a third of the speed."""
    frame = _frame(message)
    if frame.type == "error":
        raise Disconnected(Cause.DROPPED, f"error frame {frame.error[:100]}: {frame.message[:200]}")
    if frame.type != "message":
        raise NotAnEvent(f"a frame of type {frame.type[:64]!r}")
    payload = frame.payload
    try:
        kind = _text(payload.pop("$type")).rpartition("#")[2]
        if kind == "info":
            raise _notice(payload)
        seq, did = _seq(payload.pop("seq")), payload.pop("did")
        shown, witnessed = _instant(payload.pop("time")), payload.pop("witnessedAt", None)
        time_us, shown_us = _times(shown, None if witnessed is None else _instant(witnessed))
    except KeyError as missing:
        raise NotAnEvent(f"a payload without {missing}") from None
    head = {"did": did, "time_us": time_us, "kind": kind}
    if shown_us is not None:
        head["displayed_us"] = shown_us
    if kind == "commit":
        collection = payload.get("collection")
        queue = _collection_queue(_text(collection), wire.OTHER) if collection is not None else wire.OTHER
        return QueueLine(queue, time_us, seq, _encode({**head, "commit": payload}))
    if not _RESERVED.isdisjoint(payload):
        raise NotAnEvent(f"a payload with {', '.join(sorted(_RESERVED & payload.keys()))}")
    return QueueLine(_kind_queue(kind, wire.OTHER), time_us, seq, _encode({**head, **payload}))


def dead_letter(message: bytes, error: Exception, last_us: int, last_seq: int) -> QueueLine:
    """The event that stands for a frame that cannot be read because of ``error``.

    ``last_us`` and ``last_seq`` are those of the event before. The sequence number advances to the one that the
    bytes seem to contain: to the least of several, since records and upstream events may contain others.
    """
    count(metrics.LOSSES, label=LossPath.DEAD_LETTER.code)
    named = map(int, _SEQ.findall(message)) if last_seq else ()
    seq = min((n for n in named if last_seq < n <= last_seq + PLAUSIBLE_SEQ), default=last_seq)
    line = wire.dead_letter(message, f"{type(error).__name__}: {error}", last_us)
    return QueueLine(wire.OTHER, last_us, seq, line)


def _times(shown: datetime, witnessed: datetime | None) -> tuple[int, int | None]:
    """The time at which the host witnessed the event, in µs, and the time that it shows, if that differs.

    Without the former, the time shown is taken for both.
    """
    shown_us = time_us = (shown - _EPOCH) // _MICROSECOND
    if witnessed is not None:
        time_us = (witnessed - _EPOCH) // _MICROSECOND
    if time_us < 0:
        raise NotAnEvent("a time before 1970")
    return time_us, None if shown_us == time_us else shown_us


def _notice(payload: dict[str, Raw]) -> SourceNotice:
    info = msgspec.json.decode(_encode(payload), type=_Info)
    return SourceNotice(info.name[:100], info.message[:200])
