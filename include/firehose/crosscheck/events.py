"""Reads the parts of an event that two hosts can be compared by: type, operation, identity, and its time.

Lives here: pure functions on one message of either protocol. Must not: connections, counting.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta

from ingester.contract import wire
from ingester.contract.resyncs import Resyncs

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
#: Kinds that only v2 sends: hosts of different protocols differ in them by design.
ONLY_V2: Final = "sync"


class Unreadable(ValueError):
    """A message that is neither an event nor a notice."""


class Ended(Exception):
    """The server has ended the stream with an error, which the message gives."""


class Seen(NamedTuple):
    """One event. ``identity`` is a hash that is valid in this process only; ``time_us`` is its host's own.

    ``resync``: the record was sent again by a resync, which each host does at a time of its own.
    """

    type: str
    operation: str
    identity: int
    time_us: int
    resync: bool = False


class _Commit(msgspec.Struct, gc=False):
    rev: str
    operation: str
    collection: str
    rkey: str


_Upstream = dict[str, Any]


class _V1(msgspec.Struct, gc=False):
    did: str
    time_us: Annotated[int, Meta(ge=0, le=2**62)]
    kind: str
    commit: _Commit | None = None
    identity: _Upstream | None = None
    account: _Upstream | None = None


class _Payload(msgspec.Struct, gc=False):
    type: str = msgspec.field(name="$type")
    did: str = ""
    time: Annotated[datetime, Meta(tz=True)] | None = None
    witnessedAt: Annotated[datetime, Meta(tz=True)] | None = None
    rev: str = ""
    operation: str = ""
    collection: str = ""
    rkey: str = ""
    identity: _Upstream | None = None
    account: _Upstream | None = None
    sync: _Upstream | None = None


class _V2(msgspec.Struct, gc=False):
    type: str = msgspec.field(name="$type")
    payload: _Payload | None = None
    error: str = ""
    message: str = ""


_v1: Final = msgspec.json.Decoder(_V1).decode
_v2: Final = msgspec.json.Decoder(_V2).decode
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def read_v1(message: bytes) -> Seen | None:
    """The event of a message of ``/subscribe``.

    Raises:
        Unreadable: it is none.
    """
    try:
        event = _v1(message)
    except _UNREADABLE as error:
        raise Unreadable(str(error)) from None
    commit, upstream = event.commit, event.identity or event.account
    if event.kind == "commit" and commit is not None:
        parts = (event.did, commit.rev, commit.collection, commit.rkey, commit.operation)
        return _commit(parts, event.time_us)
    if upstream is not None and event.kind in wire.KIND_QUEUES:
        return _other(event.kind, event.did, upstream, event.time_us)
    raise Unreadable(f"kind {event.kind[:40]!r}")


def read_v2(resyncs: Resyncs, message: bytes) -> Seen | None:
    """The event of a frame of ``subscribeEvents``; None for a notice. ``resyncs`` is what came before it.

    Raises:
        Unreadable: it is neither.
        Ended: it is the error that ends the stream.
    """
    try:
        frame = _v2(message)
    except _UNREADABLE as error:
        raise Unreadable(str(error)) from None
    if frame.type == "error":
        raise Ended(f"{frame.error} {frame.message}"[:200])
    event = frame.payload
    if event is None:
        raise Unreadable(f"a frame of type {frame.type[:40]!r}")
    kind = event.type.rpartition("#")[2]
    if kind == "info":
        return None
    witnessed = event.witnessedAt or event.time
    if witnessed is None:
        raise Unreadable("no time")
    time_us = (witnessed - _EPOCH) // _MICROSECOND
    if kind == "commit":
        resync = event.operation == "create" and resyncs.has(event.did, event.rev)
        seen = _commit((event.did, event.rev, event.collection, event.rkey, event.operation), time_us)
        return seen._replace(resync=resync)
    upstream = event.identity or event.account or event.sync
    if upstream is None:
        raise Unreadable(f"kind {kind[:40]!r}")
    if event.sync:
        resyncs.announce(event.did, str(event.sync.get("rev")))
    return _other(kind, event.did, upstream, time_us)


def _commit(parts: tuple[str, str, str, str, str], time_us: int) -> Seen:
    operation = parts[4] if len(parts[4]) < 10 else "?"
    return Seen(wire.COLLECTION_QUEUES.get(parts[2], wire.OTHER), operation, hash(parts), time_us)


def _other(kind: str, did: str, upstream: _Upstream, time_us: int) -> Seen:
    """An event that a relay has numbered. Two relays' copies are one by what they say (lake/identity.py)."""
    if not isinstance(upstream.get("seq"), int):
        raise Unreadable(f"a {kind[:40]} event without a number")
    operation = "" if kind in wire.KIND_QUEUES else kind[:10]
    said = {name: value for name, value in upstream.items() if name != "seq" or not upstream.get("time")}
    identity = hash((did, kind, msgspec.json.encode(said, order="sorted")))
    return Seen(wire.KIND_QUEUES.get(kind, wire.OTHER), operation, identity, time_us)
