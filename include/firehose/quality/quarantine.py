"""The quarantine: every raw event that is not published, with the reason, in one Parquet file a batch.

Once its time is over a tombstone stands in the file's place, which keeps the count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from types import TracebackType
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from firehose import parquet
from firehose.areas import Area, F
from firehose.batch.interval import Batch
from firehose.errors import CorruptBatch
from firehose.events.envelope import Undecodable
from firehose.store import L, LakePath

SCHEMA: Final = pa.schema(
    [
        ("batch", pa.timestamp("ms", tz="UTC")),
        ("type", pa.string()),
        ("time_us", pa.int64()),
        ("reason", pa.string()),
        ("raw", pa.binary()),
    ]
)
_FILE: Final = "quarantine.parquet"
_TOMBSTONE: Final = "expired.json"
#: What is kept of a flood of bad events.
SAMPLE_ROWS: Final = 1000
# Bad events are read again at most this many at a time: each may be as large as a message.
_READ_ROWS: Final = 500


def quarantine_path(lake: F, batch: Batch) -> F:
    """The quarantine file of a batch; there is one only where something was quarantined."""
    return batch.folder(lake, Area.QUARANTINE) / _FILE


def sample_path(lake: F, batch: Batch) -> F:
    """The file of sampled bad events of a batch that was stopped because of them."""
    return batch.folder(lake, Area.QUARANTINE) / "flood-sample.parquet"


class Tombstone(msgspec.Struct, frozen=True, kw_only=True):
    """Stands for a quarantine file whose time was over; ``audit`` is the key of the log that says so."""

    at: datetime
    by: str
    audit: str
    rows: int


def tombstone_path(lake: F, batch: Batch) -> F:
    """Where the tombstone of a batch lies."""
    return batch.folder(lake, Area.QUARANTINE) / _TOMBSTONE


def tombstones(lake: L) -> list[L]:
    """Those that stand for a file: one beside a file is of a removal that goes on, or of an earlier validation."""
    found = Area.QUARANTINE.of(lake).find(f"date=*/batch=*/{_TOMBSTONE}")
    return [path for path in found if not path.with_name(_FILE).exists()]


def read_tombstone(path: LakePath) -> Tombstone:
    """One tombstone.

    Raises:
        CorruptBatch: it cannot be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Tombstone)
    except msgspec.MsgspecError as error:
        raise CorruptBatch(f"{path}: not readable ({error}); restore it from a backup") from error


class Quarantine:
    """Writes a file of bad events, replacing an earlier one. A context manager.

    ``reasons`` counts them by reason.
    """

    def __init__(self, batch: Batch, path: LakePath) -> None:
        self.reasons: Counter[str] = Counter()
        self._batch = batch
        self._path = path
        self._stack = ExitStack()
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Quarantine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is None and kind is None:
            self._path.remove()
        self._stack.__exit__(kind, error, trace)

    def add_undecodable(self, record_type: str, failed: Sequence[Undecodable]) -> None:
        """Keep lines that are not events."""
        self._write(record_type, [(line.time_us, line.reason, line.raw) for line in failed])

    def add_rows(self, record_type: str, table: pa.Table, lines: Sequence[bytes], reasons: dict[int, str]) -> None:
        """Keep the rows of ``table`` that have a reason; ``lines`` are the raw events of all its rows."""
        times = table["time_us"].to_pylist() if reasons else []
        self._write(
            record_type,
            [(times[index], reason, lines[index]) for index, reason in sorted(reasons.items())],
        )

    def add_table(self, table: pa.Table) -> None:
        """Keep rows of :data:`SCHEMA`."""
        if not len(table):
            return
        if self._writer is None:
            part = self._stack.enter_context(self._path.replacing())
            self._writer = self._stack.enter_context(pq.ParquetWriter(part, SCHEMA, compression="zstd"))
        self._writer.write_table(table)

    def _write(self, record_type: str, rows: list[tuple[Any, str, bytes]]) -> None:
        if not rows:
            return
        self.reasons.update(reason for _, reason, _ in rows)
        named = [(self._batch.start, record_type, *row) for row in rows]
        columns = [list(column) for column in zip(*named, strict=True)]
        self.add_table(pa.table(columns, schema=SCHEMA))


def gather(batch: Batch, lake: LakePath, parts: Iterable[LakePath]) -> None:
    """Make the quarantine file of a batch of those of its slices, which may be missing."""
    with Quarantine(batch, quarantine_path(lake, batch)) as quarantine:
        for table in _tables(parts):
            quarantine.add_table(table)
    sample_path(lake, batch).remove()
    tombstone_path(lake, batch).remove()


def keep_sample(batch: Batch, lake: LakePath, parts: Iterable[LakePath]) -> LakePath:
    """Keep the first bad events of some slices to look at; returns where."""
    path, left = sample_path(lake, batch), SAMPLE_ROWS
    with Quarantine(batch, path) as sample:
        for table in _tables(parts):
            sample.add_table(table.slice(0, left))
            left -= min(left, len(table))
            if not left:
                break
    return path


def _tables(parts: Iterable[LakePath]) -> Iterator[pa.Table]:
    for path in parts:
        if path.exists():
            with parquet.opened(path) as source:
                for rows in source.iter_batches(_READ_ROWS):
                    yield pa.Table.from_batches([rows])
