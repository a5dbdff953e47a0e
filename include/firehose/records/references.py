"""References to a version of a record: a kind of field of two columns, and what else holds one.

Lives here: com.atproto.repo.strongRef in all the ways of fields.py. Must not: know any single type.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from firehose.records.cbor import Maker, Part
from firehose.records.columns import Column
from firehose.records.fields import Columns
from firehose.records.json_sql import ref_in, text_in

_NO_REF: Final[tuple[str | None, str | None]] = (None, None)


class Ref(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """com.atproto.repo.strongRef, and nothing else in it."""

    uri: str
    cid: str


class StrongRef(msgspec.Struct, frozen=True):
    """A reference to a version of a record: two columns, its address and its content identifier."""

    key: str
    uri: Column
    cid: Column
    required: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.uri, self.cid

    @property
    def plain(self) -> Any:
        return Ref if self.required else Ref | UnsetType

    def take(self, value: object) -> tuple[tuple[Any, ...], bool]:
        uri, cid = strong_ref(value)
        return (uri, cid), is_plain_ref(value, (uri, cid))

    def taken(self, values: list[Any]) -> Columns:
        return refs_taken(self.columns, values)

    def give(self, record: dict[str, Any], row: dict[str, Any]) -> None:
        if (ref := ref_of(self.columns, row)) is not None:
            record[self.key] = ref

    def cbor(self, make: Maker[Part]) -> Part:
        return cbor_ref(self.columns, make)

    def found_in(self, record: str) -> tuple[str, ...]:
        return text_in(record, self.key, "uri"), text_in(record, self.key, "cid")

    def held_in(self, record: str) -> str:
        return ref_in(record, self.key)


def strong_ref(value: object) -> tuple[str | None, str | None]:
    """URI and CID of a com.atproto.repo.strongRef; each None where it is not a string."""
    if not isinstance(value, dict):
        return _NO_REF
    uri, cid = value.get("uri"), value.get("cid")
    return uri if isinstance(uri, str) else None, cid if isinstance(cid, str) else None


def is_plain_ref(value: object, ref: tuple[str | None, str | None]) -> bool:
    """Whether ``ref``, of :func:`strong_ref`, is all that the value holds."""
    return isinstance(value, dict) and len(value) == 2 and ref[0] is not None and ref[1] is not None


def refs_taken(columns: Sequence[Column], values: list[Any]) -> Columns:
    """Two columns of references that a fast decoder took, or did not find."""
    uri, cid = columns
    return {
        uri.name: [None if ref is UNSET else ref.uri for ref in values],
        cid.name: [None if ref is UNSET else ref.cid for ref in values],
    }


def ref_of(columns: Sequence[Column], row: dict[str, Any]) -> dict[str, str] | None:
    """The reference that a row's two columns hold."""
    uri, cid = (row[column.name] for column in columns)
    return None if uri is None or cid is None else {"uri": uri, "cid": cid}


def cbor_ref(columns: Sequence[Column], make: Maker[Part]) -> Part:
    """The DAG-CBOR of a reference in two columns."""
    uri, cid = columns
    return make.map({"cid": make.text(cid.name), "uri": make.text(uri.name)})
