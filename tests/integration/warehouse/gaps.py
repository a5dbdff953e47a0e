"""Gaps in coverage, and batches without events, in the small lakes of tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from firehose import files
from firehose.batch import coverage
from firehose.batch.interval import Batch
from ingester.contract.gap import Gap, Reason
from tests.integration.warehouse.lakes import LakeBuilder


def us(moment: datetime) -> int:
    """Microseconds since the epoch."""
    return int(moment.timestamp()) * 1_000_000


def gap(start: datetime, minutes: float, name: str = "", *, noted: int = 1, **more: Any) -> Gap:
    """A gap that begins at ``start``."""
    end = start + timedelta(minutes=minutes)
    made: dict[str, Any] = {"id": name or f"{start}", "reason": Reason.LATE} | more
    return Gap(**made, from_us=us(start), to_us=us(end), noted_us=noted)


def write(lake: LakeBuilder, start: datetime, *gaps: Gap) -> Path:
    """The coverage file of a batch."""
    path = coverage.records_path(lake.root, Batch(start, start + timedelta(minutes=5)))
    files.write_bytes(path, msgspec.json.encode(list(gaps)))
    return path


def publish(lake: LakeBuilder, first: datetime, last: datetime) -> None:
    """Every batch from ``first`` until ``last``."""
    while first < last:
        lake.publish(first, {})
        first += timedelta(minutes=5)
