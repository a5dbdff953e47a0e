"""The quick way for records of exactly the lexicon's plain shape: line to struct to columns, no dictionaries.

Takes only what the general way (:mod:`firehose.events.rows`) stores without ``extra``, and gives the same columns;
whatever else a line holds is left to it. Must not: give reasons why a line is no event, do I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import UNSET, UnsetType

from firehose import schema
from firehose.events.envelope import MAX_DEPTH
from firehose.events.posts import Derived, derive

Columns = dict[str, list[Any]]
_encode = msgspec.json.encode


class Ref(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """com.atproto.repo.strongRef, and nothing else in it."""

    uri: str
    cid: str


class _Record(msgspec.Struct, gc=False, forbid_unknown_fields=True, kw_only=True):
    type: str = msgspec.field(name="$type")
    created_at: str = msgspec.field(name="createdAt")


class _SubjectRecord(_Record, gc=False, forbid_unknown_fields=True, kw_only=True):
    subject: Ref
    via: Ref | UnsetType = UNSET


class _SubjectAccount(_Record, gc=False, forbid_unknown_fields=True, kw_only=True):
    subject: str


class _Reply(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    parent: Ref
    root: Ref


class _Post(_Record, gc=False, forbid_unknown_fields=True, kw_only=True):
    text: str
    langs: list[str] | UnsetType = UNSET
    reply: _Reply | UnsetType = UNSET
    embed: dict[str, Any] | UnsetType = UNSET
    facets: list[Any] | UnsetType = UNSET


class _Commit(msgspec.Struct, gc=False):
    rev: str
    operation: str
    collection: str
    rkey: str
    record: Any
    cid: str | None = None
    resync: Any = None


class _LikeCommit(_Commit, gc=False):
    record: _SubjectRecord


class _FollowCommit(_Commit, gc=False):
    record: _SubjectAccount


class _PostCommit(_Commit, gc=False):
    record: _Post


class PlainEvent(msgspec.Struct, gc=False):
    """A commit whose record has the plain shape. The parts of other kinds must not be there."""

    did: str
    time_us: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
    kind: Literal["commit"]
    commit: Any
    identity: None = None
    account: None = None
    sync: None = None
    displayed_us: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None = None


class _LikeEvent(PlainEvent, gc=False):
    commit: _LikeCommit


class _FollowEvent(PlainEvent, gc=False):
    commit: _FollowCommit


class _PostEvent(PlainEvent, gc=False):
    commit: _PostCommit


def divide(record_type: str, lines: Iterable[bytes]) -> tuple[list[PlainEvent], list[bytes], list[bytes]]:
    """The plain events of a chunk, the line of each of them, and the lines that are left for the general way."""
    plain: list[PlainEvent] = []
    taken: list[bytes] = []
    left: list[bytes] = []
    decode = _DECODERS.get(record_type)
    if decode is None:
        return plain, taken, list(lines)
    for line in lines:
        try:
            event = decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            left.append(line)
            continue
        commit = event.commit
        if commit.record.type == commit.collection and commit.operation != "delete" and not _may_be_deep(line):
            plain.append(event)
            taken.append(line)
        else:
            left.append(line)
    return plain, taken, left


def _may_be_deep(line: bytes) -> bool:
    # As in the envelope: only a long line with many brackets needs the general way's walk.
    return len(line) > 2 * MAX_DEPTH and line.count(b"[") + line.count(b"{") > MAX_DEPTH


def columns(record_type: str, events: list[PlainEvent]) -> Columns:
    """The columns of plain events by name; those that are null, or false, in all of them are not there.

    ``created_at`` is still the claimed text, and ``tid_us`` is for the caller to reckon from ``rkey``.
    """
    commits = [event.commit for event in events]
    records = [commit.record for commit in commits]
    return {
        "time_us": [event.time_us for event in events],
        "did": [event.did for event in events],
        "rev": [commit.rev for commit in commits],
        "operation": [commit.operation for commit in commits],
        "rkey": [commit.rkey for commit in commits],
        "cid": [commit.cid for commit in commits],
        "created_at": [record.created_at for record in records],
        **_rare(events, commits),
        **_COLUMNS[record_type](records),
    }


def _rare(events: list[PlainEvent], commits: list[Any]) -> Columns:
    """What nearly no event has: a column is there only where one of these events has it."""
    resync = [commit.resync for commit in commits]
    displayed = [event.displayed_us for event in events]
    found: Columns = {"resync": [mark is True for mark in resync]} if any(resync) else {}
    return found | ({"displayed_us": displayed} if any(shown is not None for shown in displayed) else {})


def _subject_record(records: list[_SubjectRecord]) -> Columns:
    subjects = [record.subject for record in records]
    return {
        "subject_uri": [subject.uri for subject in subjects],
        "subject_cid": [subject.cid for subject in subjects],
        **_refs("via", [record.via for record in records]),
    }


def _subject_account(records: list[_SubjectAccount]) -> Columns:
    return {"subject_did": [record.subject for record in records]}


def _post(records: list[_Post]) -> Columns:
    replies = [record.reply for record in records]
    derived = [_derived(record) for record in records]
    return {
        "text": [record.text for record in records],
        "langs": [None if record.langs is UNSET else record.langs for record in records],
        **_refs("reply_parent", [reply if reply is UNSET else reply.parent for reply in replies]),
        **_refs("reply_root", [reply if reply is UNSET else reply.root for reply in replies]),
        "embed": [None if record.embed is UNSET else _encode(record.embed).decode() for record in records],
        "facets": [None if record.facets is UNSET else _encode(record.facets).decode() for record in records],
        **{name: list(column) for name, column in zip(Derived._fields, zip(*derived, strict=True), strict=True)},
    }


def _refs(name: str, refs: list[Ref | UnsetType]) -> Columns:
    return {
        f"{name}_uri": [None if ref is UNSET else ref.uri for ref in refs],
        f"{name}_cid": [None if ref is UNSET else ref.cid for ref in refs],
    }


def _derived(record: _Post) -> Derived:
    return derive(record.embed or None, record.facets or None, None)


_EVENTS: dict[str, type[PlainEvent]] = {
    schema.POSTS: _PostEvent,
    schema.LIKES: _LikeEvent,
    schema.REPOSTS: _LikeEvent,
    schema.FOLLOWS: _FollowEvent,
    schema.BLOCKS: _FollowEvent,
}
_DECODERS = {name: msgspec.json.Decoder(kind).decode for name, kind in _EVENTS.items()}
_COLUMNS = cast(
    dict[str, Callable[[list[Any]], Columns]],
    {
        schema.POSTS: _post,
        schema.LIKES: _subject_record,
        schema.REPOSTS: _subject_record,
        schema.FOLLOWS: _subject_account,
        schema.BLOCKS: _subject_account,
    },
)
