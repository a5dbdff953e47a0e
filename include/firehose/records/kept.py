"""How columns that follow from others are kept in the files of closed hours: as what differs, or not at all.

Lives here: the vocabulary, and the clocks: revision, the key's clock, the claimed time. Each is declared once for
all ways: what is stored, the plain column out of it, and SQL for that. What does not follow is stored as it is.
Must not: know any type, do I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from firehose.records import tid_sql
from firehose.records.clocks import CLOCK_BITS, tid_texts, tid_us, tid_values
from firehose.records.columns import SMALL, TINY, Column, Packing

Rows = Mapping[str, pa.Array]
_CLOCKS: Final = 1 << CLOCK_BITS
_FAR: Final = 1 << 31
_BITS: Final = pa.scalar(CLOCK_BITS, pa.uint64())


class Kept(Protocol):
    """One plain column that closed files keep in another way."""

    @property
    def name(self) -> str:
        """The plain column."""

    @property
    def stored(self) -> bool:
        """Whether closed files have the plain column, for what does not follow."""

    @property
    def adds(self) -> tuple[Column, ...]:
        """Columns that only closed files have."""

    @property
    def needs(self) -> tuple[str, ...]:
        """The plain columns from which it follows."""

    def keep(self, rows: Rows) -> dict[str, pa.Array]:
        """What is stored: under its own name, and in the columns that it adds."""

    def give(self, rows: Rows) -> pa.Array:
        """The plain column. ``rows`` has what is stored, and those that it needs, plain."""

    def sql(self, plain: Mapping[str, str], table: str) -> str:
        """The plain column, of files of either form. ``plain`` has the same of those that it needs."""


class _Revision:
    """``rev``: as far from its base as it is, in milliseconds, of which servers' clocks are made, and the rest.

    The base is the record key's TID; of a delete, whose key is old, and of another key, the witnessed time.
    """

    name = "rev"
    stored = True
    adds = (
        Column("rev_ms", SMALL, "Of rev: whole milliseconds after its base", Packing.SPREAD),
        Column("rev_us", TINY, "Of rev: microseconds after these", Packing.FEW),
        Column("rev_clock", TINY, "Of rev: its clock id, less the base's", Packing.FEW),
    )
    needs = ("operation", "rkey", "time_us")

    def keep(self, rows: Rows) -> dict[str, pa.Array]:
        base, own = _base(rows), tid_values(rows["rev"])
        away = pc.subtract(_us(own), _us(base))
        near = pc.fill_null(pc.less(pc.abs(away), _FAR * 1000), False)
        ms = pc.subtract(pc.divide(pc.add(away, _FAR * 1000), 1000), _FAR)
        rest = pc.subtract(away, pc.multiply(ms, 1000))
        parts = zip(self.adds, (ms, rest, pc.subtract(_clock(own), _clock(base))), strict=True)
        kept = {column.name: pc.if_else(near, part, None).cast(column.type) for column, part in parts}
        return {"rev": pc.if_else(near, None, rows["rev"])} | kept

    def give(self, rows: Rows) -> pa.Array:
        base = _base(rows)
        ms, rest, clock = (rows[column.name].cast(pa.int64()) for column in self.adds)
        us = pc.add(_us(base), pc.add(pc.multiply(ms, 1000), rest)).cast(pa.uint64())
        whole = pc.bit_wise_or(pc.shift_left(us, _BITS), pc.add(_clock(base), clock).cast(pa.uint64()))
        return pc.if_else(ms.is_valid(), tid_texts(whole), rows["rev"])

    def sql(self, plain: Mapping[str, str], table: str) -> str:
        key, (ms, rest, clock) = f"{table}.rkey", (f"assumeNotNull({table}.{column.name})" for column in self.adds)
        by_key = f"{table}.operation != 'delete' AND {tid_sql.is_tid(key)}"
        base = f"if({by_key}, {tid_sql.value_of(key)}, toUInt64(bitShiftLeft({table}.time_us, {CLOCK_BITS})))"
        whole = f"{base} + ({ms} * 1000 + {rest}) * {_CLOCKS} + {clock}"
        return f"if(isNull({table}.rev_ms), {table}.rev, {tid_sql.text_of(whole)})"


class _KeyClock:
    """``tid_us``: not stored, as it follows from the record key."""

    name = "tid_us"
    stored = False
    adds: tuple[Column, ...] = ()
    needs = ("rkey",)

    def keep(self, rows: Rows) -> dict[str, pa.Array]:
        return {}

    def give(self, rows: Rows) -> pa.Array:
        return tid_us(rows["rkey"])

    def sql(self, plain: Mapping[str, str], table: str) -> str:
        key = f"{table}.rkey"
        clock = f"toInt64(bitShiftRight({tid_sql.value_of(key)}, 10))"
        return f"multiIf(isNotNull({table}.tid_us), {table}.tid_us, {tid_sql.is_tid(key)}, {clock}, NULL)"


class _Claim:
    """``created_at``: as far from the witnessed time as it is, in milliseconds, in which most clients write it."""

    name = "created_at"
    stored = True
    adds = (Column("created_ms", SMALL, "Of created_at: milliseconds after the witnessed time", Packing.SPREAD),)
    needs = ("time_us",)

    def keep(self, rows: Rows) -> dict[str, pa.Array]:
        instants = rows["created_at"].cast(pa.int64())
        claimed = pc.divide(instants, 1000)
        away = pc.subtract(claimed, pc.divide(rows["time_us"], 1000))
        whole = pc.equal(pc.multiply(claimed, 1000), instants)
        near = pc.fill_null(pc.and_(whole, pc.less(pc.abs(away), _FAR)), False)
        return {
            "created_at": pc.if_else(near, None, rows["created_at"]),
            "created_ms": pc.if_else(near, away, None).cast(SMALL),
        }

    def give(self, rows: Rows) -> pa.Array:
        ms = pc.add(pc.divide(rows["time_us"], 1000), rows["created_ms"].cast(pa.int64()))
        instants = pc.multiply(ms, 1000).cast(rows["created_at"].type)
        return pc.coalesce(instants, rows["created_at"])

    def sql(self, plain: Mapping[str, str], table: str) -> str:
        ms = f"intDiv({table}.time_us, 1000) + assumeNotNull({table}.created_ms)"
        instant = f"fromUnixTimestamp64Micro(({ms}) * 1000, 'UTC')"
        return f"if(isNull({table}.created_ms), {table}.created_at, {instant})"


REVISION: Final[Kept] = _Revision()
KEY_CLOCK: Final[Kept] = _KeyClock()
CLAIM: Final[Kept] = _Claim()


def _base(rows: Rows) -> pa.Array:
    """The TID from which a revision is counted; a witnessed time has the clock id 0."""
    witnessed = pc.shift_left(rows["time_us"].cast(pa.uint64()), _BITS)
    by_key = pc.fill_null(pc.not_equal(rows["operation"], "delete"), True)
    return pc.coalesce(pc.if_else(by_key, tid_values(rows["rkey"]), None), witnessed)


def _us(values: pa.Array) -> pa.Array:
    return pc.shift_right(values, _BITS).cast(pa.int64())


def _clock(values: pa.Array) -> pa.Array:
    return pc.bit_wise_and(values, pa.scalar(_CLOCKS - 1, pa.uint64())).cast(pa.int64())
