"""The quarantine: every raw event that is not published, with the reason, in one Parquet file a batch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from firehose import files
from firehose.batch.interval import Batch
from firehose.events.envelope import Undecodable

AREA: Final = "quarantine"
SCHEMA: Final = pa.schema(
    [
        ("batch", pa.timestamp("ms", tz="UTC")),
        ("type", pa.string()),
        ("time_us", pa.int64()),
        ("reason", pa.string()),
        ("raw", pa.binary()),
    ]
)


def quarantine_path(lake: Path, batch: Batch) -> Path:
    """The quarantine file of a batch; there is one only where something was quarantined."""
    return batch.folder(lake, AREA) / "quarantine.parquet"


class Quarantine:
    """Writes a batch's quarantine file, replacing that of an earlier run. A context manager."""

    def __init__(self, batch: Batch, lake: Path) -> None:
        self._batch = batch
        self._path = quarantine_path(lake, batch)
        self._stack = ExitStack()
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Quarantine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is None and kind is None:
            self._path.unlink(missing_ok=True)
        self._stack.__exit__(kind, error, trace)

    def add_undecodable(self, record_type: str, failed: Sequence[Undecodable]) -> None:
        """Keep lines that are no events."""
        self._write(record_type, [(one.time_us, one.reason, one.raw) for one in failed])

    def add_rows(self, record_type: str, table: pa.Table, lines: Sequence[bytes], reasons: dict[int, str]) -> None:
        """Keep the rows of ``table`` that have a reason; ``lines`` are the raw events of all its rows."""
        times = table["time_us"]
        self._write(
            record_type,
            [(times[index].as_py(), reason, lines[index]) for index, reason in sorted(reasons.items())],
        )

    def _write(self, record_type: str, rows: list[tuple[Any, str, bytes]]) -> None:
        if not rows:
            return
        if self._writer is None:
            part = self._stack.enter_context(files.replacing(self._path))
            self._writer = self._stack.enter_context(pq.ParquetWriter(part, SCHEMA, compression="zstd"))
        named = [(self._batch.start, record_type, *row) for row in rows]
        columns = [list(column) for column in zip(*named, strict=True)]
        self._writer.write_table(pa.table(columns, schema=SCHEMA))
