"""From decoded events to rows of the lake's schema, a chunk at a time.

A column holds a part of the record only if it gives that part back exactly; every other part goes to ``extra``,
so that :mod:`firehose.events.rebuild` returns the record as it was. Must not: judge rows, do I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa

from firehose import schema
from firehose.events import plain
from firehose.events.clocks import claimed_instants, tid_us
from firehose.events.envelope import Commit, Event, Undecodable, decode_event
from firehose.events.plain import PlainEvent
from firehose.events.posts import derive
from firehose.events.spelling import canonical_languages

Row = tuple[Any, ...]
_encode = msgspec.json.encode
_decode_record = msgspec.json.Decoder(dict[str, Any]).decode
_NO_REF: tuple[str | None, str | None] = (None, None)


def decode_rows(
    record_type: str, lines: Sequence[bytes]
) -> tuple[list[Row | PlainEvent], list[bytes], list[Undecodable]]:
    """Decode a chunk of one queue's lines.

    Returns the rows, the line of each row (same length; the plain events come first), and the lines that are no
    event of this type.
    """
    make = _MAKERS[record_type]
    events, kept, left = plain.divide(record_type, lines)
    rows: list[Row | PlainEvent] = [*events]
    failed: list[Undecodable] = []
    for line in left:
        try:
            rows.append(make(decode_event(line), line))
            kept.append(line)
        except Undecodable as error:
            failed.append(error)
    return rows, kept, failed


def to_table(record_type: str, rows: Sequence[Row | PlainEvent], batch: datetime) -> pa.Table:
    """Rows as a table of ``SCHEMAS[record_type]``; ``batch`` fills the first column."""
    events = [row for row in rows if isinstance(row, PlainEvent)]
    others = [row for row in rows if not isinstance(row, PlainEvent)]
    parts = [_table(record_type, plain.columns(record_type, events), len(events), batch)] if events else []
    if others or not events:
        names = [name for name in schema.SCHEMAS[record_type].names if name not in _RECKONED]
        columns = dict(zip(names, map(list, zip(*others, strict=True)), strict=True)) if others else {}
        parts.append(_table(record_type, columns, len(others), batch))
    return pa.concat_tables(parts)


#: Columns that are not decoded, but made of others.
_RECKONED = ("batch", "tid_us", "created_at_raw", "languages")


def _table(record_type: str, columns: plain.Columns, count: int, batch: datetime) -> pa.Table:
    wanted = schema.SCHEMAS[record_type]
    made: dict[str, pa.Array] = {"batch": pa.repeat(pa.scalar(batch, wanted.field("batch").type), count)}
    if "created_at" in columns:
        made["created_at"], made["created_at_raw"] = claimed_instants(columns.pop("created_at"))
    for name, values in columns.items():
        made[name] = pa.array(values, wanted.field(name).type)
    if "tid_us" in wanted.names and "rkey" in made:
        made["tid_us"] = tid_us(made["rkey"])
    if "resync" in wanted.names and "resync" not in made:
        made["resync"] = pa.repeat(pa.scalar(False), count)
    if "languages" in wanted.names and "langs" in made:
        made["languages"] = canonical_languages(made["langs"])
    arrays = [made[field.name] if field.name in made else pa.nulls(count, field.type) for field in wanted]
    return pa.Table.from_arrays(arrays, schema=wanted)


def _commit(event: Event, line: bytes) -> tuple[Commit, dict[str, Any]]:
    commit = event.commit
    if commit is None:
        raise Undecodable(f"envelope: a {event.kind[:64]} event among commits", line, event.time_us)
    raw = bytes(commit.record)
    if not raw or commit.operation == "delete":
        return commit, {}
    try:
        return commit, _decode_record(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Undecodable(f"record: {error}", line, event.time_us) from None


def _head(event: Event, commit: Commit, record: dict[str, Any], extra: bytes | None) -> Row:
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
        _int(event.displayed_us),
    )


def _leftover(record: dict[str, Any], commit: Commit, modelled: set[str]) -> bytes | None:
    """``extra``: an object of the parts that no column holds, or an array of one, the whole record.

    The array is for records whose ``$type`` is not their collection: columns cannot give that back.
    """
    if not record:
        return _encode([record]) if commit.operation != "delete" and commit.record else None
    if record.get("$type") != commit.collection:
        return _encode([record])
    if len(record) == len(modelled):
        return None
    return _encode({key: value for key, value in record.items() if key not in modelled})


def _modelled(record: dict[str, Any]) -> set[str]:
    return {"$type", "createdAt"} if isinstance(record.get("createdAt"), str) else {"$type"}


def _strong_ref(value: object) -> tuple[str | None, str | None]:
    """URI and CID of a com.atproto.repo.strongRef; each None where it is no string."""
    if not isinstance(value, dict):
        return _NO_REF
    uri, cid = value.get("uri"), value.get("cid")
    return uri if isinstance(uri, str) else None, cid if isinstance(cid, str) else None


def _is_plain_ref(value: object, ref: tuple[str | None, str | None]) -> bool:
    return isinstance(value, dict) and len(value) == 2 and ref[0] is not None and ref[1] is not None


def _subject_record(event: Event, line: bytes) -> Row:
    """app.bsky.feed.like and app.bsky.feed.repost."""
    commit, record = _commit(event, line)
    modelled = _modelled(record)
    refs: dict[str, tuple[str | None, str | None]] = {}
    for key in ("subject", "via"):
        value = record.get(key)
        refs[key] = ref = _strong_ref(value)
        if _is_plain_ref(value, ref):
            modelled.add(key)
    extra = _leftover(record, commit, modelled)
    return (*_head(event, commit, record, extra), *refs["subject"], *refs["via"])


def _subject_account(event: Event, line: bytes) -> Row:
    """app.bsky.graph.follow and app.bsky.graph.block."""
    commit, record = _commit(event, line)
    modelled = _modelled(record)
    subject = record.get("subject")
    if isinstance(subject, str):
        modelled.add("subject")
    else:
        subject = None
    return (*_head(event, commit, record, _leftover(record, commit, modelled)), subject)


def _post(event: Event, line: bytes) -> Row:
    """app.bsky.feed.post."""
    commit, record = _commit(event, line)
    modelled = _modelled(record)
    text, langs, reply = record.get("text"), record.get("langs"), record.get("reply")
    if isinstance(text, str):
        modelled.add("text")
    else:
        text = None
    if isinstance(langs, list) and all(isinstance(lang, str) for lang in langs):
        modelled.add("langs")
    else:
        langs = None
    parent, root = _NO_REF, _NO_REF
    if isinstance(reply, dict):
        parent, root = _strong_ref(reply.get("parent")), _strong_ref(reply.get("root"))
        if (
            len(reply) == 2
            and _is_plain_ref(reply.get("parent"), parent)
            and _is_plain_ref(reply.get("root"), root)
        ):
            modelled.add("reply")
    texts: list[str | None] = []
    for key in ("embed", "facets"):
        if (value := record.get(key)) is None:
            texts.append(None)
        else:
            modelled.add(key)
            texts.append(_encode(value).decode())
    head = _head(event, commit, record, _leftover(record, commit, modelled))
    return (*head, text, langs, *parent, *root, *texts, *derive(*map(record.get, ("embed", "facets", "tags"))))


def _other(event: Event, line: bytes) -> Row:
    return _any_record(event, line) if event.sync is None or event.kind != "sync" else _sync(event, event.sync)


def _any_record(event: Event, line: bytes) -> Row:
    commit, record = _commit(event, line)
    if commit.operation == schema.SYNC:
        raise Undecodable(f"envelope: a commit whose operation is {schema.SYNC!r}", line, event.time_us)
    extra = _encode([record]) if commit.record and commit.operation != "delete" else None
    head = _head(event, commit, record, extra)
    return (*head[:2], commit.collection, *head[2:])


def _identity(event: Event, line: bytes) -> Row:
    part = _part(event, event.identity, line)
    seq, handle, time = part.pop("seq", None), part.pop("handle", None), part.pop("time", None)
    return (*_account_head(event, part), _int(seq), _text(handle), _text(time), _rest(part))


def _account(event: Event, line: bytes) -> Row:
    part = _part(event, event.account, line)
    seq, active = part.pop("seq", None), part.pop("active", None)
    status, time = part.pop("status", None), part.pop("time", None)
    active = active if isinstance(active, bool) else None
    return (*_account_head(event, part), _int(seq), active, _text(status), _text(time), _rest(part))


def _sync(event: Event, part: dict[str, Any]) -> Row:
    """Its identity is the relay's sequence number, as an identity event's: a revision may be announced again."""
    rev, seq = _text(part.get("rev")), _int(part.get("seq"))
    head = _account_head(event, part)
    for name, taken in (("rev", rev), ("seq", seq)):
        if taken is not None:
            del part[name]
    return (*head, "", rev, schema.SYNC, None if seq is None else str(seq), None, None, _rest(part), False, None)


def _part(event: Event, part: dict[str, Any] | None, line: bytes) -> dict[str, Any]:
    if part is None:
        raise Undecodable(f"envelope: a {event.kind[:64]} event in the wrong queue", line, event.time_us)
    return part


def _account_head(event: Event, part: dict[str, Any]) -> Row:
    if part.get("did") == event.did:
        del part["did"]
    return (event.time_us, event.did)


def _int(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _rest(part: dict[str, Any]) -> str | None:
    """In order, so that two hosts' copies are the same text: it is a part of the event's identity."""
    return msgspec.json.encode(part, order="sorted").decode() if part else None


_MAKERS: dict[str, Callable[[Event, bytes], Row]] = {
    schema.POSTS: _post,
    schema.LIKES: _subject_record,
    schema.REPOSTS: _subject_record,
    schema.FOLLOWS: _subject_account,
    schema.BLOCKS: _subject_account,
    schema.OTHER: _other,
    schema.IDENTITIES: _identity,
    schema.ACCOUNTS: _account,
}
