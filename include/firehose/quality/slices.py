"""One slice of a batch: some frames of a raw file become staged rows, bad events and a suite's result.

A slice is all that is in memory at a time, and it commits: a later run of the validation does not do it again.
Must not: know of other slices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from itertools import accumulate
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from firehose.batch import manifest as manifests
from firehose.batch.interval import Batch
from firehose.batch.raw import FrameSpan, read_chunks
from firehose.events.rows import decode_rows, to_table
from firehose.events.sorting import by_type
from firehose.quality.outcome import SliceResult, StagedRows, TypeCounts
from firehose.quality.quarantine import Quarantine
from firehose.quality.result import HOUR_US, bad_path, docs_folder, read_slice, staged_path, write_slice
from firehose.quality.rules import columns_of, split
from firehose.quality.suites import SuiteRunner
from firehose.records.columns import Packing
from firehose.records.registry import REGISTRY
from firehose.store import LakePath

#: Raw JSON of one slice: some 200,000 events of the usual size, or a hundred of the largest.
SLICE_BYTES: Final = 96 * 1024 * 1024
#: Events decoded at a time.
CHUNK_EVENTS: Final = 25_000
# A batch of the stream is of two hours at most, but for late events; one of an import is of a day.
_FEW_HOURS: Final = 2
# Rows of many hours that wait to be written, decoded: a part of what a slice holds for its suites.
_HELD_BYTES: Final = 32 * 1024 * 1024
# Reasons that a result names: those of a flood are few, and those of a fuzzer without number.
_REASONS: Final = 5


class Slice(msgspec.Struct, frozen=True):
    """A slice to validate: a span of the raw file ``name`` of one queue; suites tolerate ``max_error_rate``."""

    lake: LakePath
    batch: Batch
    queue: str
    name: str
    number: int
    span: FrameSpan
    max_error_rate: float


def validate_slice(task: Slice) -> SliceResult:
    """Validate one slice, unless that is done already.

    Raises:
        CorruptBatch: the raw file is damaged.
    """
    lake, batch, queue = task.lake, task.batch, task.queue
    if done := read_slice(lake, batch, queue, task.number):
        return done
    runner = SuiteRunner(batch.id, docs_folder(lake), task.max_error_rate)
    parts: dict[str, _TypePart] = {}
    path = manifests.folder_of(lake, batch) / task.name
    with Quarantine(batch, bad_path(lake, batch, queue, task.number)) as quarantine, ExitStack() as staged:
        for lines in read_chunks(path, CHUNK_EVENTS, task.span):
            for record_type, of_type in by_type(queue, lines).items():
                if record_type not in parts:
                    parts[record_type] = _TypePart(task, record_type, runner, staged)
                parts[record_type].add(of_type, quarantine)
        for part in parts.values():
            part.write()
    for part in parts.values():
        part.ruled.check()
    runner.build_docs()
    result = SliceResult(
        queue=queue,
        number=task.number,
        types={record_type: part.staged() for record_type, part in parts.items()},
        reasons=dict(quarantine.reasons.most_common(_REASONS)),
        new_kinds=sum(part.new_kinds for part in parts.values()),
        suites=runner.results,
    )
    write_slice(lake, batch, result)
    return result


class _TypePart:
    """One type's part of a slice: good rows go to a staged file, bad ones to quarantine, its suite sees both.

    ``new_kinds`` counts events that are in quarantine only because their kind is not known.
    """

    def __init__(self, task: Slice, record_type: str, runner: SuiteRunner, opened: ExitStack) -> None:
        self.ruled = _Ruled(record_type, task.number, runner)
        self.new_kinds = 0
        self._type, self._start = record_type, task.batch.start
        self._raw = self._good = self._quarantined = 0
        self._hours: Counter[int] = Counter()
        self._waiting: list[pa.Table] = []
        self._path = staged_path(task.lake, task.batch, record_type, task.number)
        part = opened.enter_context(self._path.replacing())
        self._writer = opened.enter_context(_writer(part, record_type))

    def add(self, lines: Sequence[bytes], quarantine: Quarantine) -> None:
        """Decode some lines and divide their rows."""
        rows, kept, failed = decode_rows(self._type, lines)
        table = to_table(self._type, rows, self._start)
        mask, reasons = split(self._type, table)
        quarantine.add_undecodable(self._type, failed)
        quarantine.add_rows(self._type, table, kept, reasons)
        published = table.filter(mask) if reasons else table
        hours = _hours(published)
        self._waiting.append(published)
        if len(hours) <= _FEW_HOURS or sum(rows.nbytes for rows in self._waiting) > _HELD_BYTES:
            self.write()
        self._raw, self._good = self._raw + len(lines), self._good + len(published)
        self._quarantined += len(failed) + len(reasons)
        self.new_kinds += sum(line.new_kind for line in failed)
        self._hours.update(hours)
        self.ruled.add(table.select(columns_of(self._type)))

    def write(self) -> None:
        """Write what waits: rows of many hours wait for more of each, since a row group costs its reader."""
        if self._waiting:
            rows = pa.concat_tables(self._waiting)
            for part in _by_hour(rows, _hours(rows)):
                self._writer.write_table(part)
            self._waiting = []

    def staged(self) -> StagedRows:
        """The description of the staged file, which is in place."""
        return StagedRows(
            counts=TypeCounts(self._raw, self._good, self._quarantined),
            rows={str(hour): self._hours[hour] for hour in sorted(self._hours)},
            sha256=self._path.sha256(),
        )


def _writer(path: LakePath, record_type: str) -> pq.ParquetWriter:
    of = REGISTRY[record_type]
    few = [column.name for column in of.columns if column.packing is Packing.FEW]
    return pq.ParquetWriter(path, of.schema, compression="zstd", compression_level=1, use_dictionary=few)


def _by_hour(table: pa.Table, hours: Mapping[int, int]) -> Iterable[pa.Table]:
    """Rows as they are staged: those of many hours hour by hour, so that each hour's are read alone."""
    if len(hours) <= _FEW_HOURS:
        return [table]
    # Stable: of two copies of an event the first one stays.
    ordered = table.take(np.argsort(table["time_us"].to_numpy() // HOUR_US, kind="stable"))
    starts = accumulate(hours.values(), initial=0)
    return (ordered.slice(start, count) for start, count in zip(starts, hours.values(), strict=False))


def _hours(table: pa.Table) -> dict[int, int]:
    """The hours of some rows, in order, and how many are of each."""
    hours, counts = np.unique(table["time_us"].to_numpy() // HOUR_US, return_counts=True)
    return dict(zip(hours.tolist(), counts.tolist(), strict=True))


class _Ruled:
    """Gathers the ruled columns of a slice for a type's suite; a slice of one giant frame is checked in parts."""

    def __init__(self, record_type: str, number: int, runner: SuiteRunner) -> None:
        self._type, self._runner = record_type, runner
        self._name = record_type if number == 0 else f"{record_type}-{number}"
        self._tables: list[pa.Table] = []
        self._parts = 0

    def add(self, table: pa.Table) -> None:
        self._tables.append(table)
        if sum(waiting.nbytes for waiting in self._tables) > SLICE_BYTES:
            self.check()

    def check(self) -> None:
        if any(map(len, self._tables)):
            name = f"{self._name}.{self._parts}" if self._parts else self._name
            self._runner.check_rows(self._type, name, pa.concat_tables(self._tables))
            self._parts += 1
        self._tables = []
