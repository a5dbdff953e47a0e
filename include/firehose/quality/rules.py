"""The rules that a row must keep, declared once: as a vectorised mask and as a Great Expectations suite.

A rule is about what every query relies on. What a client merely claims (``created_at``) is not ruled on:
such rows are stored as they came. Must not: import Great Expectations, do I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from firehose import schema
from firehose.syntax import AT_URI, DID, NSID, RECORD_CID, RECORD_KEY, TID, Syntax

OPERATIONS: Final = ("create", "update", "delete")
#: Witnessed times are between Bluesky's first day and the year 2100: others would found wild partitions.
EARLIEST_US: Final = 1_668_470_400_000_000
LATEST_US: Final = 4_102_444_800_000_000


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One condition on one column. Null passes, unless ``required``; rows of an ``exempt`` operation always do."""

    column: str
    required: bool = False
    exempt: tuple[str, ...] = ()
    syntax: Syntax | None = None
    among: tuple[str, ...] | None = None
    between: tuple[int, int] | None = None

    @property
    def reason(self) -> str:
        """What is written beside a row in quarantine."""
        expected = (self.syntax and self.syntax.name) or self.among or self.between or "a value"
        return f"{self.column}: expected {expected}"

    def broken_by(self, table: pa.Table) -> pa.Array:
        """A boolean array: true for the rows of ``table`` that break this rule."""
        values = table[self.column]
        broken = pc.is_null(values) if self.required else pa.repeat(False, len(values))
        if (bad := self._bad_values(values)) is not None:
            broken = pc.or_(broken, pc.fill_null(bad, False))
        if self.exempt:
            broken = pc.and_not(broken, pc.is_in(table["operation"], value_set=pa.array(self.exempt)))
        return broken

    def _bad_values(self, values: pa.ChunkedArray) -> Any:
        if self.syntax is not None:
            right = pc.match_substring_regex(values, self.syntax.pattern)
            if self.syntax.open_ended:  # these names are ASCII: a byte is a character
                right = pc.and_(right, pc.less_equal(pc.binary_length(values), self.syntax.longest))
            return pc.invert(right)
        if self.among is not None:
            return pc.invert(pc.is_in(values, value_set=pa.array(self.among)))
        if self.between is not None:
            low, high = self.between
            return pc.or_(pc.less(values, low), pc.greater(values, high))
        return None


# Operations that write no record.
_NO_WRITE = ("delete", schema.SYNC)
_EVENT = (
    Rule(column="did", required=True, syntax=DID),
    Rule(column="time_us", required=True, between=(EARLIEST_US, LATEST_US)),
)
_ROW = (
    *_EVENT,
    Rule(column="rev", required=True, syntax=TID),
    Rule(column="rkey", required=True, syntax=RECORD_KEY),
    Rule(column="cid", required=True, exempt=_NO_WRITE, syntax=RECORD_CID),
)
_COMMIT = (*_ROW, Rule(column="operation", required=True, among=OPERATIONS))
_SUBJECT_RECORD = (
    *_COMMIT,
    Rule(column="subject_uri", required=True, exempt=_NO_WRITE, syntax=AT_URI),
    Rule(column="subject_cid", required=True, exempt=_NO_WRITE),
)
_SUBJECT_ACCOUNT = (*_COMMIT, Rule(column="subject_did", required=True, exempt=_NO_WRITE, syntax=DID))
_SEQUENCED = (*_EVENT, Rule(column="seq", required=True))

RULES: Final[dict[str, tuple[Rule, ...]]] = {
    schema.POSTS: (*_COMMIT, Rule(column="text", required=True, exempt=_NO_WRITE)),
    schema.LIKES: _SUBJECT_RECORD,
    schema.REPOSTS: _SUBJECT_RECORD,
    schema.FOLLOWS: _SUBJECT_ACCOUNT,
    schema.BLOCKS: _SUBJECT_ACCOUNT,
    schema.OTHER: (
        *_ROW,
        Rule(column="operation", required=True, among=(*OPERATIONS, schema.SYNC)),
        Rule(column="collection", required=True, exempt=(schema.SYNC,), syntax=NSID),
        Rule(column="extra", required=True, exempt=_NO_WRITE),
    ),
    schema.IDENTITIES: _SEQUENCED,
    schema.ACCOUNTS: (*_SEQUENCED, Rule(column="active", required=True)),
}


def columns_of(record_type: str) -> list[str]:
    """The columns that the rules of a type look at, in the order of the schema."""
    ruled = {rule.column for rule in RULES[record_type]}
    return [name for name in schema.SCHEMAS[record_type].names if name in ruled]


def split(record_type: str, table: pa.Table) -> tuple[pa.Array, dict[int, str]]:
    """Divide the rows of a table.

    Returns the mask of good rows, and for every other row index the reasons, joined by ``; ``.
    """
    reasons: dict[int, str] = {}
    bad = pa.repeat(False, len(table))
    for rule in RULES[record_type]:
        broken = rule.broken_by(table)
        if pc.any(broken).as_py():
            bad = pc.or_(bad, broken)
            for index in _where(broken):
                reasons[index] = f"{reasons[index]}; {rule.reason}" if index in reasons else rule.reason
    return pc.invert(bad), reasons


def _where(mask: Any) -> Sequence[int]:
    combined = mask.combine_chunks() if isinstance(mask, pa.ChunkedArray) else mask
    indices: list[int] = pc.indices_nonzero(combined).to_pylist()
    return indices
