"""From decoded events to rows of the lake's schema, a chunk at a time.

A column holds a part of the record only if it gives that part back exactly; every other part goes to ``extra``,
so that :mod:`firehose.events.rebuild` returns the record as it was. Must not: judge rows, do I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
import pyarrow as pa

from firehose.events import imported, plain
from firehose.events.envelope import JetstreamCommit, JetstreamEvent, Undecodable, decode_event
from firehose.records.base import RecordType
from firehose.records.clocks import claimed_instants
from firehose.records.columns import SYNC
from firehose.records.fast import PlainEvent
from firehose.records.fields import Columns, integer
from firehose.records.registry import REGISTRY
from firehose.records.rules import WRITES

Row = tuple[Any, ...]
_encode = msgspec.json.encode
_decode_record = msgspec.json.Decoder(dict[str, Any]).decode


def decode_rows(
    record_type: str, lines: Sequence[bytes]
) -> tuple[list[Row | PlainEvent], list[bytes], list[Undecodable]]:
    """Decode a chunk of lines of one type.

    Returns the rows, the line of each row (same length; the plain events come first), and the lines that are not
    events of this type.
    """
    make = _MAKERS[record_type]
    events, kept, left = plain.divide(record_type, lines)
    rows: list[Row | PlainEvent] = [*events]
    failed: list[Undecodable] = []
    for line in left:
        try:
            rows.append(make(line))
            kept.append(line)
        except Undecodable as error:
            failed.append(error)
    return rows, kept, failed


def to_table(record_type: str, rows: Sequence[Row | PlainEvent], batch: datetime) -> pa.Table:
    """Rows as a table of the type's schema; ``batch`` fills the first column."""
    of = REGISTRY[record_type]
    events = [row for row in rows if isinstance(row, PlainEvent)]
    others = [row for row in rows if not isinstance(row, PlainEvent)]
    parts = [_table(of, plain.columns(record_type, events), len(events), batch)] if events else []
    if others or not events:
        columns = dict(zip(of.decoded, map(list, zip(*others, strict=True)), strict=True)) if others else {}
        parts.append(_table(of, columns, len(others), batch))
    return pa.concat_tables(parts)


def _table(of: RecordType, columns: Columns, count: int, batch: datetime) -> pa.Table:
    wanted = of.schema
    made: dict[str, pa.Array] = {"batch": pa.repeat(pa.scalar(batch, wanted.field("batch").type), count)}
    if "created_at" in columns:
        made["created_at"], made["created_at_raw"] = claimed_instants(columns.pop("created_at"))
    for name, values in columns.items():
        made[name] = pa.array(values, wanted.field(name).type)
    if of.is_commit and "resync" not in made:
        made["resync"] = pa.repeat(pa.scalar(False), count)
    for column in of.columns:
        if column.make is not None and column.made_of in made:
            made[column.name] = column.make(made[column.made_of])
    arrays = [made[field.name] if field.name in made else pa.nulls(count, field.type) for field in wanted]
    return pa.Table.from_arrays(arrays, schema=wanted)


def _commit(event: JetstreamEvent, line: bytes) -> tuple[JetstreamCommit, dict[str, Any]]:
    commit = event.commit
    if commit is None:
        raise Undecodable(f"envelope: a {event.kind[:64]} event among commits", line, event.time_us)
    raw = bytes(commit.record)
    if not raw and commit.operation in WRITES:
        # Told here, since a type without a required column would store it as an empty record.
        raise Undecodable(f"record: {commit.operation} without a record", line, event.time_us)
    if not raw or commit.operation == "delete":
        return commit, {}
    try:
        return commit, _decode_record(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Undecodable(f"record: {error}", line, event.time_us) from None


def _head(event: JetstreamEvent, commit: JetstreamCommit, record: dict[str, Any], extra: bytes | None) -> Row:
    """The columns that all commits share; ``created_at`` is still the claimed text."""
    claim = record.get("createdAt")
    return (
        event.time_us,
        event.did,
        commit.rev,
        commit.operation,
        commit.rkey,
        commit.cid,
        claim if isinstance(claim, str) else None,
        None if extra is None else extra.decode(),
        commit.resync is True,
        integer(event.displayed_us),
    )


def _leftover(record: dict[str, Any], commit: JetstreamCommit, held: set[str]) -> bytes | None:
    """``extra``: an object of the parts that no column holds, or an array of one, the whole record.

    The array is for records whose ``$type`` is not their collection: columns cannot give that back.
    """
    if not record:
        return _encode([record]) if commit.operation != "delete" and commit.record else None
    if record.get("$type") != commit.collection:
        return _encode([record])
    if len(record) == len(held):
        return None
    return _encode({key: value for key, value in record.items() if key not in held})


def _record(of: RecordType, event: JetstreamEvent, line: bytes) -> Row:
    """A record of the one collection of its type: no column says which, so another's would come back as this."""
    commit, record = _commit(event, line)
    if commit.collection not in of.collections:
        reason = f"envelope: a record of {commit.collection[:64]!r} among {of.name}"
        raise Undecodable(reason, line, event.time_us)
    held = {"$type", "createdAt"} if isinstance(record.get("createdAt"), str) else {"$type"}
    values: list[Any] = []
    for field in of.fields:
        taken, is_held = field.take(record.get(field.key))
        values += taken
        if is_held:
            held.add(field.key)
    derived = of.derivation.of_record(record) if of.derivation is not None else ()
    return (*_head(event, commit, record, _leftover(record, commit, held)), *values, *derived)


def _any(event: JetstreamEvent, line: bytes) -> Row:
    """A record of any collection, or a sync event."""
    return _any_record(event, line) if event.sync is None or event.kind != "sync" else _sync(event, event.sync)


def _any_record(event: JetstreamEvent, line: bytes) -> Row:
    commit, record = _commit(event, line)
    if commit.operation == SYNC:
        raise Undecodable(f"envelope: a commit whose operation is {SYNC!r}", line, event.time_us)
    extra = _encode([record]) if commit.record and commit.operation != "delete" else None
    head = _head(event, commit, record, extra)
    return (*head[:2], commit.collection, *head[2:])


def _sync(event: JetstreamEvent, part: dict[str, Any]) -> Row:
    """Its identity is the relay's sequence number, as an identity event's: a revision may be announced again."""
    rev, seq = _text(part.get("rev")), integer(part.get("seq"))
    head = _account_head(event, part)
    for name, taken in (("rev", rev), ("seq", seq)):
        if taken is not None:
            del part[name]
    return (*head, "", rev, SYNC, None if seq is None else str(seq), None, None, _rest(part), False, None)


def _about_account(of: RecordType, event: JetstreamEvent, line: bytes) -> Row:
    """An identity or an account event. What a field's kind does not hold is not kept."""
    part: dict[str, Any] | None = getattr(event, of.kind)
    if part is None:
        raise Undecodable(f"envelope: a {event.kind[:64]} event in the wrong queue", line, event.time_us)
    values: list[Any] = []
    for field in of.fields:
        values += field.take(part.pop(field.key, None))[0]
    return (*_account_head(event, part), *values, _rest(part))


def _account_head(event: JetstreamEvent, part: dict[str, Any]) -> Row:
    if part.get("did") == event.did:
        del part["did"]
    return (event.time_us, event.did)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _rest(part: dict[str, Any]) -> str | None:
    """In order, so that two hosts' copies are the same text: it is a part of the event's identity."""
    return msgspec.json.encode(part, order="sorted").decode() if part else None


def _maker(of: RecordType) -> Callable[[bytes], Row]:
    if not of.is_event:
        return imported.row
    make = _event_maker(of)
    return lambda line: make(decode_event(line), line)


def _event_maker(of: RecordType) -> Callable[[JetstreamEvent, bytes], Row]:
    if not of.is_commit:
        return partial(_about_account, of)
    return partial(_record, of) if of.collections else _any


_MAKERS = {name: _maker(of) for name, of in REGISTRY.items()}
