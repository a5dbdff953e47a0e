"""From a row of the archive to the event that the stream sends for it, in v1's form, and its queue.

Lives here: pure functions on one row. Must not: files, Redis, judge what an event says.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import libipld
import msgspec

from firehose.archive.format import DELETE, KINDS, Row
from firehose.events.rebuild import cid_of, ipld_to_json
from ingester import wire


class Event(NamedTuple):
    """``line`` is what the ingester would have queued, ``time_us`` when the archive's host witnessed it."""

    queue: str
    time_us: int
    line: bytes


def event_of(row: Row) -> Event:
    """The event of a row. One that cannot be told is a dead letter with the payload, never an error."""
    try:
        return _event(row)
    except (ValueError, TypeError, KeyError, RecursionError, msgspec.MsgspecError) as error:
        reason = f"archive, sequence number {row.seq}: {type(error).__name__}: {error}"
        time_us = max(row.witnessed_us, 0)
        return Event(wire.OTHER, time_us, wire.dead_letter(row.payload, reason[:500], time_us))


def _event(row: Row) -> Event:
    kind = KINDS[row.kind]
    head: dict[str, Any] = {"did": row.did.decode(), "time_us": row.witnessed_us}
    if kind in ("identity", "account", "sync"):
        line = msgspec.json.encode({**head, "kind": kind, kind: _json(row.payload)})
        return Event(wire.KIND_QUEUES.get(kind, wire.OTHER), row.witnessed_us, line)
    collection = row.collection.decode()
    commit: dict[str, Any] = {
        "rev": row.rev.decode(),
        "operation": kind,
        "collection": collection,
        "rkey": row.rkey.decode(),
    }
    if row.kind != DELETE:
        commit |= {"record": _json(row.payload), "cid": cid_of(row.payload)}
    line = msgspec.json.encode({**head, "kind": "commit", "commit": commit})
    return Event(wire.COLLECTION_QUEUES.get(collection, wire.OTHER), row.witnessed_us, line)


def _json(payload: bytes) -> msgspec.Raw:
    """DAG-CBOR as JSON, its keys sorted as the servers sort them.

    Raises:
        ValueError, RecursionError: it is none, or no object.
    """
    value = libipld.decode_dag_cbor(payload)
    if not isinstance(value, dict):
        raise ValueError("the payload is no object")
    found: list[bytes] = []

    def bytes_to_json(part: Any) -> dict[str, str]:
        found.append(part)
        return ipld_to_json(part)

    text = json.dumps(
        value, default=bytes_to_json, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False
    )
    # A byte string that is a CID by chance would come out as a link: nothing but the way back shows that.
    if found and libipld.encode_dag_cbor(value) != payload:
        raise ValueError("a byte string that cannot be told from a link")
    return msgspec.Raw(text.encode())
