"""One slice of a batch: some frames of a raw file become staged rows, bad events and a suite's result.

A slice is all that is in memory at a time, and it commits: a later run of the validation does not do it again.
Must not: know of other slices.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from firehose import files
from firehose.batch import manifest as manifests
from firehose.batch.interval import Batch
from firehose.batch.raw import Span, read_chunks
from firehose.events.rows import decode_rows, to_table
from firehose.quality.quarantine import Quarantine
from firehose.quality.result import (
    HOUR_US,
    SliceResult,
    TypeCounts,
    bad_path,
    docs_folder,
    read_slice,
    staged_path,
    write_slice,
)
from firehose.quality.rules import columns_of, split
from firehose.quality.suites import SuiteRunner
from firehose.records.base import Packing
from firehose.records.registry import REGISTRY

#: Raw JSON of one slice: some 200,000 events of the usual size, or a hundred of the largest.
SLICE_BYTES: Final = 96 * 1024 * 1024
#: Events decoded at a time.
CHUNK_EVENTS: Final = 25_000
# Reasons that a result names: those of a flood are few, and those of a fuzzer without number.
_REASONS: Final = 5


class Slice(msgspec.Struct, frozen=True):
    """What to validate: a span of the raw file ``name`` of one type; suites tolerate ``max_error_rate``."""

    lake: Path
    batch: Batch
    record_type: str
    name: str
    number: int
    span: Span
    max_error_rate: float


def validate_slice(task: Slice) -> SliceResult:
    """Validate one slice, unless that is done already.

    Raises:
        CorruptBatch: the raw file is damaged.
    """
    lake, batch, record_type = task.lake, task.batch, task.record_type
    if done := read_slice(lake, batch, record_type, task.number):
        return done
    runner = SuiteRunner(batch.id, docs_folder(lake), task.max_error_rate)
    staged = staged_path(lake, batch, record_type, task.number)
    with Quarantine(batch, bad_path(lake, batch, record_type, task.number)) as quarantine:
        counts, rows, new_kinds = _stage(task, staged, quarantine, runner)
    runner.build_docs()
    result = SliceResult(
        record_type=record_type,
        number=task.number,
        counts=counts,
        rows={str(hour): rows[hour] for hour in sorted(rows)},
        sha256=files.sha256(staged),
        reasons=dict(quarantine.reasons.most_common(_REASONS)),
        new_kinds=new_kinds,
        suites=runner.results,
    )
    write_slice(lake, batch, result)
    return result


def _stage(
    task: Slice, staged: Path, quarantine: Quarantine, runner: SuiteRunner
) -> tuple[TypeCounts, Counter[int], int]:
    """Write the good rows, keep the bad ones, run the suite on both.

    Returns counts, good rows by hour, and how many events are in quarantine only because their kind is not known.
    """
    queue = task.record_type
    raw = good = quarantined = new_kinds = 0
    hours: Counter[int] = Counter()
    ruled = _Ruled(task, runner)
    path = manifests.folder_of(task.lake, task.batch) / task.name
    with files.replacing(staged) as part, _writer(part, queue) as writer:
        for lines in read_chunks(path, CHUNK_EVENTS, task.span):
            rows, kept, failed = decode_rows(queue, lines)
            table = to_table(queue, rows, task.batch.start)
            mask, reasons = split(queue, table)
            quarantine.add_undecodable(queue, failed)
            quarantine.add_rows(queue, table, kept, reasons)
            published = table.filter(mask) if reasons else table
            writer.write_table(published)
            raw, good = raw + len(lines), good + len(published)
            quarantined += len(failed) + len(reasons)
            new_kinds += sum(one.new_kind for one in failed)
            hours.update(_hours(published))
            ruled.add(table.select(columns_of(queue)))
    ruled.check()
    return TypeCounts(raw, good, quarantined), hours, new_kinds


def _writer(path: Path, record_type: str) -> pq.ParquetWriter:
    of = REGISTRY[record_type]
    few = [column.name for column in of.columns if column.packing is Packing.FEW]
    return pq.ParquetWriter(path, of.schema, compression="zstd", compression_level=1, use_dictionary=few)


def _hours(table: pa.Table) -> dict[int, int]:
    hours, counts = np.unique(table["time_us"].to_numpy() // HOUR_US, return_counts=True)
    return dict(zip(hours.tolist(), counts.tolist(), strict=True))


class _Ruled:
    """Gathers the ruled columns of a slice for its suite; a slice of one giant frame is checked in parts."""

    def __init__(self, task: Slice, runner: SuiteRunner) -> None:
        self._type, self._runner = task.record_type, runner
        self._name = task.record_type if task.number == 0 else f"{task.record_type}-{task.number}"
        self._tables: list[pa.Table] = []
        self._parts = 0

    def add(self, table: pa.Table) -> None:
        self._tables.append(table)
        if sum(one.nbytes for one in self._tables) > SLICE_BYTES:
            self.check()

    def check(self) -> None:
        if any(map(len, self._tables)):
            name = f"{self._name}.{self._parts}" if self._parts else self._name
            self._runner.check_rows(self._type, name, pa.concat_tables(self._tables))
            self._parts += 1
        self._tables = []
