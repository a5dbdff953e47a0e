"""The publish step: a validated batch's good rows into their hour files, then the ledger entry.

Safe to repeat and to be killed at any point: each hour file is replaced as a whole, and the entry is written
last. Writers of one hour exclude each other.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from firehose import crash
from firehose.batch.interval import Batch
from firehose.batch.lock import alone, locks_folder
from firehose.errors import CorruptBatch
from firehose.lake import layout
from firehose.lake.hourfile import Merged, merge
from firehose.lake.ledger import LedgerCounts, LedgerEntry, entry_path, read_entry, write_entry
from firehose.quality.result import TypeCounts, ValidateResult, read_result, staged_path
from firehose.settings import Settings

log = logging.getLogger(__name__)

#: Rows of one slice: what is held in memory at a time, and committed to an hour file at a time.
SLICE_ROWS = 1_000_000


class PublishResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a publication hands on. ``files`` are relative to the lake."""

    stored: int
    duplicates: int
    files: list[str]
    ledger: str


@alone
def publish(settings: Settings, batch: Batch) -> PublishResult:
    """Publish a validated batch.

    Raises:
        CorruptBatch: the batch was not drained, or its good rows are not all accounted for.
        CorruptLake: an hour file cannot be read.
    """
    lake = settings.lake_path
    validated = _validated(settings, batch)
    ledger = entry_path(lake, batch)
    earlier = read_entry(ledger)
    touched: dict[int, set[str]] = {}
    counts: dict[str, LedgerCounts] = {}
    for record_type, raw in validated.counts.items():
        merged = _publish_type(lake, batch, record_type, _hours_of(earlier, record_type))
        for hour in merged:
            touched.setdefault(hour, set()).add(record_type)
        counts[record_type] = _conserved(batch, record_type, raw, list(merged.values()))
    crash.reached(crash.Point.HOURS_DONE)
    write_entry(ledger, _entry(batch, counts, touched))
    for record_type in validated.counts:
        staged_path(lake, batch, record_type).unlink()
        crash.reached(crash.Point.STAGED_REMOVED)
    return PublishResult(
        stored=sum(count.stored for count in counts.values()),
        duplicates=sum(count.duplicates for count in counts.values()),
        files=[
            str(layout.hour_file(lake, record_type, hour).relative_to(lake))
            for hour, types in sorted(touched.items())
            for record_type in sorted(types)
        ],
        ledger=str(ledger),
    )


def _validated(settings: Settings, batch: Batch) -> ValidateResult:
    """The validation of the batch, done anew where its rows are published already and so no longer staged."""
    lake = settings.lake_path
    result = read_result(lake, batch)
    if result and all(staged_path(lake, batch, record_type).exists() for record_type in result.counts):
        return result
    from firehose.quality.validate import validate  # Great Expectations costs seconds: only if needed

    return validate(settings, batch)


def _publish_type(lake: Path, batch: Batch, record_type: str, before: set[int]) -> dict[int, Merged]:
    """Merge one type's staged rows into their hours; ``before``: hours that an earlier run has touched."""
    with pq.ParquetFile(staged_path(lake, batch, record_type)) as staged:
        hours = before | {int(hour) for hour in np.unique(_hours(staged.read(["time_us"])))}
        return {hour: _publish_hour(lake, batch, record_type, hour, staged) for hour in sorted(hours)}


def _publish_hour(lake: Path, batch: Batch, record_type: str, hour: int, staged: pq.ParquetFile) -> Merged:
    lock = locks_folder(lake) / f"{record_type}-{layout.hour_name(hour)}.lock"
    path = layout.hour_file(lake, record_type, hour)
    total = Merged(0, 0, 0)
    with FileLock(lock):
        for number, rows in enumerate(_slices(staged, hour)):
            done = merge(path, record_type, batch.start, rows, first=number == 0)
            total = Merged(
                total.stored + done.stored,
                total.duplicates + done.duplicates,
                total.displaced + done.displaced,
            )
    return total


def _slices(staged: pq.ParquetFile, hour: int) -> Iterator[pa.Table]:
    """The staged rows of an hour, at most about ``SLICE_ROWS`` at a time; at least one table, maybe empty."""
    waiting = [staged.schema_arrow.empty_table()]
    yielded = False
    for group in range(staged.num_row_groups):
        if not _overlaps(staged, group, hour):
            continue
        table = staged.read_row_group(group)
        waiting.append(table.filter(pa.array(_hours(table) == hour)))
        if sum(map(len, waiting)) >= SLICE_ROWS:
            yield pa.concat_tables(waiting)
            waiting, yielded = [], True
    if waiting and (any(map(len, waiting)) or not yielded):
        yield pa.concat_tables(waiting)


def _hours(table: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    hours: np.ndarray[tuple[int], np.dtype[np.int64]] = table["time_us"].to_numpy() // layout.HOUR_US
    return hours


def _overlaps(staged: pq.ParquetFile, group: int, hour: int) -> bool:
    """Whether a row group may hold rows of an hour, by its statistics."""
    column = staged.schema_arrow.get_field_index("time_us")
    statistics = staged.metadata.row_group(group).column(column).statistics
    if statistics is None or not statistics.has_min_max:
        return True
    return bool(statistics.min // layout.HOUR_US <= hour <= statistics.max // layout.HOUR_US)


def _hours_of(entry: LedgerEntry | None, record_type: str) -> set[int]:
    if entry is None:
        return set()
    return {layout.parse_hour(hour) for hour, types in entry.hours.items() if record_type in types}


def _conserved(batch: Batch, record_type: str, raw: TypeCounts, merged: list[Merged]) -> LedgerCounts:
    stored, duplicates = sum(one.stored for one in merged), sum(one.duplicates for one in merged)
    if raw.good != stored + duplicates:
        raise CorruptBatch(
            f"batch {batch.id}, {record_type}: of {raw.good} good rows {stored} were stored and {duplicates} were "
            "duplicates; the ledger is not written: clear the run, and report this"
        )
    return LedgerCounts(
        received=raw.raw,
        good=raw.good - duplicates,
        quarantined=raw.quarantined,
        duplicates=duplicates,
        stored=stored,
        displaced=sum(one.displaced for one in merged),
    )


def _entry(batch: Batch, counts: dict[str, LedgerCounts], touched: dict[int, set[str]]) -> LedgerEntry:
    return LedgerEntry(
        batch=batch.id,
        start=batch.start,
        end=batch.end,
        published_at=datetime.now(UTC),
        counts=counts,
        hours={layout.hour_name(hour): sorted(types) for hour, types in sorted(touched.items())},
    )
