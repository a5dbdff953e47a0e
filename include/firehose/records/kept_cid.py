"""``cid`` in the files of closed hours: not stored where the row gives it, and SQL can recompute it as well.

That is: the record's DAG-CBOR can be built from texts, references, lists of texts and JSON, of which a shape is
kept, the row has nothing else of it, and its SHA-256 is the CID. Other CIDs are stored; the empty text stands for
a record without one. Must not: do I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from firehose.records import cbor_arrow, cbor_sql
from firehose.records.cbor import Maker, Part, encoded_text
from firehose.records.cbor_arrow import ArrowMaker
from firehose.records.clocks import canonical_texts
from firehose.records.columns import STRING, Column, Packing
from firehose.records.fields import Field, Json, columns_of
from firehose.records.kept import Rows

_CLAIM = "createdAt"
_NO_WRITE = pa.array(["create", "update"])


class OwnCid(msgspec.Struct, frozen=True):
    """The CID of records of a collection with these fields."""

    collection: str
    fields: tuple[Field, ...]
    name: str = "cid"
    stored: bool = True

    @property
    def adds(self) -> tuple[Column, ...]:
        """The shapes of what is kept as JSON, where the CID follows."""
        columns = columns_of([field for field in self.fields if isinstance(field, Json) and field.in_cid])
        return tuple(
            Column(cbor_sql.shape(column.name), STRING, f"How {column.name} is encoded, for cid", Packing.FEW)
            for column in columns
        )

    @property
    def needs(self) -> tuple[str, ...]:
        """All that the record is made of."""
        columns = (column.name for column in columns_of(self.fields))
        return ("operation", "created_at", "created_at_raw", "extra", *columns)

    def keep(self, rows: Rows) -> dict[str, pa.Array]:
        """The CIDs that do not follow."""
        given, shapes = self._given(rows)
        follows = pc.fill_null(pc.equal(given, rows["cid"]), False)
        without = pc.and_(given.is_valid(), pc.is_null(rows["cid"]))
        kept = {"cid": pc.if_else(without, "", pc.if_else(follows, None, rows["cid"]))}
        return kept | {cbor_sql.shape(name): pc.if_else(follows, shape, None) for name, shape in shapes.items()}

    def give(self, rows: Rows) -> pa.Array:
        """The CIDs."""
        stored = rows["cid"]
        if not stored.null_count:
            return pc.if_else(pc.equal(stored, ""), None, stored)
        whole = pc.coalesce(stored, self._given(rows)[0])
        return pc.if_else(pc.equal(whole, ""), None, whole)

    def sql(self, plain: Mapping[str, str], table: str) -> str:
        """The CIDs, of files of either form."""
        claim = (
            f"ifNull({table}.created_at_raw, concat(replaceOne(substring(toString({plain['created_at']}), 1, 23),"
            " ' ', 'T'), 'Z'))"
        )
        required, optional = self._parts(cbor_sql.SqlMaker(plain, table))
        required["$type"] = [cbor_sql.text(f"'{self.collection}'")]
        optional[_CLAIM] = [cbor_sql.text(claim)]
        computed = cbor_sql.cid(required, optional)
        stored = f"{table}.cid"
        return (
            f"multiIf(isNotNull({stored}), nullIf({stored}, ''), {table}.operation NOT IN ('create', 'update')"
            f" OR isNotNull({table}.extra), NULL, {computed})"
        )

    def _given(self, rows: Rows) -> tuple[pa.Array, dict[str, pa.Array]]:
        """The CIDs that the rows give, null where they cannot; and the shapes of columns that hold JSON."""
        make = ArrowMaker(rows)
        make.without("extra")
        make.refused.append(pc.invert(pc.fill_null(pc.is_in(rows["operation"], value_set=_NO_WRITE), False)))
        required, optional = self._parts(make)
        required["$type"] = [encoded_text(self.collection)]
        optional[_CLAIM] = make.of_texts(_claims(rows, make))
        return cbor_arrow.cids(make.record(required, optional)), make.shapes

    def _parts(self, make: Maker[Part]) -> tuple[dict[str, Part], dict[str, Part]]:
        required: dict[str, Part] = {}
        optional: dict[str, Part] = {}
        for field in self.fields:
            if (part := field.cbor(make)) is not None:
                (required if field.required else optional)[field.key] = part
        return required, optional


def kept_cid(collection: str, fields: Sequence[Field]) -> OwnCid:
    """The way of a type's CIDs."""
    return OwnCid(collection, tuple(fields))


def _claims(rows: Rows, make: ArrowMaker) -> pa.Array:
    """``createdAt`` of each row: its text, or the instant in canonical form."""
    instants, text = rows["created_at"].cast(pa.int64()), rows["created_at_raw"]
    odd = pc.or_(pc.less(instants, cbor_arrow.FIRST_US), pc.greater_equal(instants, cbor_arrow.LAST_US))
    make.refused.append(pc.and_(text.is_null(), pc.fill_null(odd, False)))
    shown = canonical_texts(pc.if_else(pc.fill_null(odd, True), None, rows["created_at"]))
    return pc.coalesce(text, shown)
