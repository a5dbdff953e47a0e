"""A rule that rows must keep: declared once, as a vectorised mask here and as an expectation in the suites.

A rule is about what every query relies on. What a client merely claims (``created_at``) is not ruled on:
such rows are stored as they came. Must not: import Great Expectations, do I/O.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from firehose.records.columns import SYNC
from firehose.syntax import DID, RECORD_CID, RECORD_KEY, TID, Syntax

#: Operations that come with a record.
WRITES: Final = ("create", "update")
OPERATIONS: Final = (*WRITES, "delete")
#: Operations that write no record.
NO_WRITE: Final = ("delete", SYNC)
#: Witnessed times are between Bluesky's first day and the year 2100: others would make folders of impossible days.
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
        """What is written next to a row in quarantine."""
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


def written(column: str, syntax: Syntax | None = None) -> Rule:
    """A column that every row has which writes a record."""
    return Rule(column=column, required=True, exempt=NO_WRITE, syntax=syntax)


EVENT: Final = (
    Rule(column="did", required=True, syntax=DID),
    Rule(column="time_us", required=True, between=(EARLIEST_US, LATEST_US)),
)
#: Of rows that have a place in a repository, whatever they say of it.
ROW: Final = (
    *EVENT,
    Rule(column="rev", required=True, syntax=TID),
    Rule(column="rkey", required=True, syntax=RECORD_KEY),
    written("cid", RECORD_CID),
)
OPERATION_RULES: Final = (*ROW, Rule(column="operation", required=True, among=OPERATIONS))
#: Of identity and account events.
SEQUENCED: Final = (*EVENT, Rule(column="seq", required=True))
