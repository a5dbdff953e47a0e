"""Fast decoders, for records of exactly the lexicon's plain shape: line to struct to columns, no dictionaries.

Made of a type's fields. They take only what the general way (firehose.events.rows) stores without ``extra``, and
give the same columns. Must not: give reasons why a line is not an event.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from firehose.records.columns import Derivation
from firehose.records.fields import Columns, Field, Int64, nulls


class PlainEvent(msgspec.Struct, gc=False):
    """A commit whose record has the plain shape. The parts of other kinds must not be there."""

    did: str
    time_us: Int64
    kind: Literal["commit"]
    commit: Any
    identity: None = None
    account: None = None
    sync: None = None
    displayed_us: Int64 | None = None


class Fast(NamedTuple):
    """Plain functions, to be looked up once a chunk.

    ``decode`` takes a line and raises a msgspec error if it is not plain; ``columns`` makes columns of the
    records.
    """

    decode: Callable[[bytes], PlainEvent]
    columns: Callable[[list[Any]], Columns]


class _Claimed(msgspec.Struct, gc=False, forbid_unknown_fields=True, kw_only=True):
    type: str = msgspec.field(name="$type")
    created_at: str = msgspec.field(name="createdAt")


class _PerhapsClaimed(msgspec.Struct, gc=False, forbid_unknown_fields=True, kw_only=True):
    type: str = msgspec.field(name="$type")
    created_at: str | UnsetType = msgspec.field(name="createdAt", default=UNSET)


class _Commit(msgspec.Struct, gc=False):
    rev: str
    operation: str
    collection: str
    rkey: str
    record: Any
    cid: str | None = None
    resync: Any = None


def fast(fields: Sequence[Field], derivation: Derivation | None = None, *, claimed: bool = True) -> Fast:
    """The fast decoder of a type with these fields. ``claimed``: plain records have a ``createdAt``."""
    record = msgspec.defstruct(
        "_PlainRecord",
        [_member(field) for field in fields],
        bases=(_Claimed if claimed else _PerhapsClaimed,),
        gc=False,
        forbid_unknown_fields=True,
        kw_only=True,
    )
    commit = msgspec.defstruct("_PlainCommit", [("record", record)], bases=(_Commit,), gc=False)
    event = msgspec.defstruct("_PlainEvent", [("commit", commit)], bases=(PlainEvent,), gc=False)
    ways = [(attrgetter(field.key), field.taken) for field in fields]

    def columns(records: list[Any]) -> Columns:
        claims = [record.created_at for record in records]
        found: Columns = {"created_at": claims if claimed else nulls(claims)}
        for get, taken in ways:
            found |= taken(list(map(get, records)))
        if derivation is not None:
            derived = zip(*map(derivation.of_plain, records), strict=True)
            found |= {
                column.name: list(values) for column, values in zip(derivation.columns, derived, strict=True)
            }
        return found

    decode: Any = msgspec.json.Decoder(event).decode
    return Fast(decode, columns)


def _member(field: Field) -> Any:
    plain = field.plain
    optional = UnsetType in getattr(plain, "__args__", ())
    return (field.key, plain, UNSET) if optional else (field.key, plain)
