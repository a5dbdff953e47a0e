"""The rules of each type at work: which rows of a table are good, and what is wrong with the others.

Must not: declare a rule (firehose.records does), import Great Expectations, do I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from firehose import schema
from firehose.records.registry import REGISTRY
from firehose.records.rules import Rule

RULES: Final[dict[str, tuple[Rule, ...]]] = {name: of.rules for name, of in REGISTRY.items()}


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
