"""The coverage ledger: time that was not listened to, one JSON file an interval. A gap is never silent.

``coverage/date=YYYY-MM-DD/batch=<id>.json``. Must not: decide what a gap is.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from firehose import files
from firehose.batch.interval import Batch

AREA = "coverage"


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """One interval without coverage."""

    batch: str
    start: datetime
    end: datetime
    reason: str
    recorded_at: datetime


def gap_path(lake: Path, batch: Batch) -> Path:
    """Where the gap of an interval is recorded."""
    return lake / AREA / f"date={batch.start:%Y-%m-%d}" / f"batch={batch.id}.json"


def record_gap(lake: Path, batch: Batch, reason: str) -> None:
    """Record, durably, that an interval was not covered. Recording it again changes nothing."""
    path = gap_path(lake, batch)
    if path.exists():
        return
    gap = Gap(batch=batch.id, start=batch.start, end=batch.end, reason=reason, recorded_at=datetime.now(UTC))
    files.write_bytes(path, msgspec.json.format(msgspec.json.encode(gap)))


def read_gaps(lake: Path) -> list[Gap]:
    """Every recorded gap, in the order of time."""
    paths = sorted((lake / AREA).glob("date=*/batch=*.json"))
    return [msgspec.json.decode(path.read_bytes(), type=Gap) for path in paths]
