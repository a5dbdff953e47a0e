"""Turns a row of the archive into the event that the stream sends for it, in v1's form, and names its queue.

Lives here: pure functions on one row. Must not: files, Redis, validate what an event says.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

import libipld
import msgspec

from firehose.backfill.format import CREATE, DELETE, EVENTS, OPERATIONS, RESYNC, SYNC, Row
from firehose.events.rebuild import cid_of, ipld_to_json
from ingester.contract import wire
from ingester.contract.resyncs import MARK, Resyncs

_TEXTS: Final = ("did", "collection", "rkey", "rev")


class QueueLine(NamedTuple):
    """An event as a line of its queue, as the ingester would have written it.

    ``time_us`` is when the archive's host witnessed it.
    """

    queue: str
    time_us: int
    line: bytes


def event_of(row: Row) -> QueueLine:
    """The event of a row. One that cannot be converted becomes a dead letter with all its fields."""
    try:
        return _event(row)
    except (ValueError, TypeError, RecursionError, msgspec.MsgspecError) as error:
        reason = f"archive, sequence number {row.seq}: {type(error).__name__}: {error}"
        return _dead_letter(row, reason[:500])


def resynced(row: Row, resyncs: Resyncs) -> Row:
    """The row, marked as a resync if it creates a record under a revision that an earlier sync row announced.

    Archives of today's servers mark such rows themselves, by the kind.
    """
    try:
        if row.kind == SYNC and isinstance(rev := libipld.decode_dag_cbor(row.payload).get("rev"), str):
            resyncs.announce(row.did.decode(), rev)
        if row.kind == CREATE and resyncs.known and resyncs.has(row.did.decode(), row.rev.decode()):
            return row._replace(kind=RESYNC)
    except (ValueError, AttributeError, RecursionError):  # event_of makes a dead letter of it
        pass
    return row


def _event(row: Row) -> QueueLine:
    head: dict[str, Any] = {"did": row.did.decode(), "time_us": row.witnessed_us}
    if row.displayed_us not in (0, row.witnessed_us):
        head["displayed_us"] = row.displayed_us
    if kind := EVENTS.get(row.kind):
        line = msgspec.json.encode({**head, "kind": kind, kind: _json(row.payload)})
        return QueueLine(wire.KIND_QUEUES.get(kind, wire.OTHER), row.witnessed_us, line)
    if row.kind not in OPERATIONS:
        return _dead_letter(row, f"{wire.NEW_KIND}{row.kind} in an archive")
    collection = row.collection.decode()
    commit: dict[str, Any] = {
        "rev": row.rev.decode(),
        "operation": OPERATIONS[row.kind],
        "collection": collection,
        "rkey": row.rkey.decode(),
    }
    if row.kind != DELETE:
        commit |= {"record": _json(row.payload), "cid": cid_of(row.payload)}
    if row.kind == RESYNC:
        commit[MARK] = True
    line = msgspec.json.encode({**head, "kind": "commit", "commit": commit})
    return QueueLine(wire.COLLECTION_QUEUES.get(collection, wire.OTHER), row.witnessed_us, line)


def _dead_letter(row: Row, reason: str) -> QueueLine:
    """A dead letter that names the row, so that it can be found, and keeps its bytes for a later version."""
    texts = {name: getattr(row, name).decode(errors="backslashreplace") for name in _TEXTS}
    numbers = {name: getattr(row, name) for name in ("seq", "kind", "witnessed_us", "displayed_us")}
    message = msgspec.json.encode({**numbers, **texts, "payload": row.payload})
    time_us = max(row.witnessed_us, 0)
    return QueueLine(wire.OTHER, time_us, wire.dead_letter(message, reason, time_us))


def _json(payload: bytes) -> msgspec.Raw:
    """DAG-CBOR as JSON, its keys sorted as the servers sort them.

    Raises:
        ValueError, RecursionError: it is not DAG-CBOR, or not an object.
    """
    value = libipld.decode_dag_cbor(payload)
    if not isinstance(value, dict):
        raise ValueError("the payload is not an object")
    found: list[bytes] = []

    def bytes_to_json(part: Any) -> dict[str, str]:
        found.append(part)
        return ipld_to_json(part)

    text = json.dumps(
        value, default=bytes_to_json, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False
    )
    # A byte string that happens to be a CID would come out as a link: only encoding it again shows that.
    if found and libipld.encode_dag_cbor(value) != payload:
        raise ValueError("a byte string that cannot be distinguished from a link")
    return msgspec.Raw(text.encode())
