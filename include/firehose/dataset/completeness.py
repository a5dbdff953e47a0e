"""How complete what was read is: by hour and type, the open gaps, and one line that says what is missing.

Lives here: the answer's form and its words. Must not: ask ClickHouse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import pyarrow as pa

from firehose import schema
from firehose.dataset.asked import Asked
from firehose.warehouse.incomplete import length, minute

_HOURS: Final = pa.schema(
    [
        ("hour_start", pa.timestamp("s", tz="UTC")),
        ("type", pa.string()),
        ("share", pa.float64()),
        ("seconds_missing", pa.float64()),
        ("seconds_unaccounted", pa.float64()),
        ("running", pa.bool_()),
    ]
)
_GAPS: Final = pa.schema(
    [
        ("start", pa.timestamp("us", tz="UTC")),
        ("end", pa.timestamp("us", tz="UTC")),
        ("type", pa.string()),
        ("reason", pa.string()),
        ("host", pa.string()),
    ]
)


@dataclass(frozen=True)
class Completeness:
    """What there is of the hours and types that were read; see the view ``firehose.completeness``.

    ``hours`` has a row for each hour and type, with the columns of that view. ``gaps`` are the open gaps; ``type``
    is that of the queue, empty for all types. ``begins`` and ``ends`` are those of the first and the last live
    batch: what is between them and not missing is there. Both are None where there is no live batch.
    """

    hours: pa.Table
    gaps: pa.Table
    begins: datetime | None
    ends: datetime | None
    missing: str

    @property
    def complete(self) -> bool:
        """Whether nothing is missing of what was asked for."""
        return not self.missing

    def to_json(self) -> bytes:
        """All of it, as the metadata of an Arrow table has it."""
        made = {"hours": self.hours.to_pylist(), "gaps": self.gaps.to_pylist(), "missing": self.missing}
        return msgspec.json.encode(made | {"begins": self.begins, "ends": self.ends})


def completeness(
    asked: Asked, hours: Sequence[Sequence[Any]], gaps: Sequence[Sequence[Any]], bounds: Sequence[int]
) -> Completeness:
    """Of the rows of the statements in statements.py."""
    begins, ends = (datetime.fromtimestamp(moment, UTC) if moment else None for moment in bounds)
    starts = [start for start, *_ in hours]  # replayed hours may lie beyond the live batches
    known = (min([begins, *starts]), max([ends, *starts])) if begins and ends else None
    missing = "; ".join(filter(None, [_lost(hours), _outside(asked, known)]))
    return Completeness(_table(hours, _HOURS), _table(gaps, _GAPS), begins, ends, missing)


def _lost(hours: Sequence[Sequence[Any]]) -> str:
    lost: dict[str, float] = {}
    starts = []
    for start, name, _, missing, unaccounted, _ in hours:
        if missing or unaccounted:
            lost[name] = lost.get(name, 0.0) + missing + unaccounted
            starts.append(start.timestamp())
    if not lost:
        return ""
    first, end = (datetime.fromtimestamp(moment, UTC) for moment in (min(starts), max(starts) + 3600))
    of = "all types" if len(lost) == len(schema.EVENT_TYPES) else ", ".join(sorted(lost))
    return (
        f"events are missing in what was read: up to {length(max(lost.values()))} of {of}, in hours from"
        f" {minute(first)} to {minute(end)} UTC"
    )


def _outside(asked: Asked, known: tuple[datetime, datetime] | None) -> str:
    """What was asked for beyond what the lake has listened to."""
    if known is None:
        return ""
    begins, ends = known
    said = []
    if asked.since is not None and asked.since < begins.timestamp() * 1_000_000:
        said.append(f"what was asked for begins before the lake does, at {minute(begins)} UTC")
    if asked.until is not None and asked.until > ends.timestamp() * 1_000_000:
        said.append(f"what was asked for ends after the newest batch does, at {minute(ends)} UTC")
    return "; ".join(said)


def _table(rows: Sequence[Sequence[Any]], wanted: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(wanted.names, row, strict=True)) for row in rows], schema=wanted)
