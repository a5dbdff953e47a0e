"""Rows of some hours out of raw batches, by the same decoding and rules as a validation, into scratch files.

Must not: stage, quarantine, or know which rows are duplicates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from firehose import schema
from firehose.batch import manifest as manifests
from firehose.batch.interval import Batch
from firehose.batch.raw import read_chunks
from firehose.errors import CorruptBatch
from firehose.events.rows import decode_rows, to_table
from firehose.events.sorting import by_type
from firehose.lake import layout
from firehose.lake.staged import Part
from firehose.quality.rules import split
from firehose.records.registry import REGISTRY
from firehose.store import LakePath

# Decoded at a time. (As a validation does; that one's number comes with Great Expectations, which takes seconds.)
_CHUNK_EVENTS: Final = 25_000


class RawBatch(NamedTuple):
    """A batch, and the raw file of a type's queue; None: it drained no event of the queue.

    ``types``: the record types that the version knew which published it: the events of others are rows of the
    catch-all.
    """

    batch: Batch
    path: LakePath | None
    types: Sequence[str] = tuple(REGISTRY)


def find(lake: LakePath, batch_id: str, record_type: str, types: Sequence[str] = tuple(REGISTRY)) -> RawBatch:
    """The raw file of a batch, checked against its manifest. ``types``: see :class:`RawBatch`.

    Raises:
        RawExpired: its time was over.
        CorruptBatch: it is gone, or differs from its manifest.
    """
    folder = manifests.folder_of(lake, Batch.parse(batch_id, 1))
    manifest = manifests.read(folder)
    if manifest is None:
        raise CorruptBatch(f"{folder}: there is no manifest")
    batch = Batch.of(manifest.start, manifest.end)
    if (queue := manifest.queues.get(REGISTRY[record_type].queue)) is None:
        return RawBatch(batch, None, types)
    manifests.require_files(folder, manifest)
    path = folder / queue.name
    if not path.exists():
        raise CorruptBatch(f"{path}: named in the manifest, but missing")
    if path.size() != queue.size or path.sha256() != queue.sha256:
        raise CorruptBatch(f"{path}: differs from its manifest")
    return RawBatch(batch, path, types)


def write_rows(raw: RawBatch, record_type: str, hours: Sequence[int], path: LakePath) -> dict[int, Part]:
    """Write a batch's good rows of these hours to ``path``. Returns where they are, for each hour that has any."""
    counts = dict.fromkeys(hours, 0)
    with pq.ParquetWriter(path, schema.SCHEMAS[record_type], compression="zstd", compression_level=1) as writer:
        for table in _good(raw, record_type):
            of_row = table["time_us"].to_numpy() // layout.HOUR_US
            for hour in hours:
                counts[hour] += int((of_row == hour).sum())
            writer.write_table(table.filter(pa.array(np.isin(of_row, hours))))
    return {hour: Part(path, rows) for hour, rows in counts.items() if rows}


def _good(raw: RawBatch, record_type: str) -> Iterator[pa.Table]:
    if raw.path is None:
        return
    for lines in read_chunks(raw.path, _CHUNK_EVENTS):
        of_type = by_type(REGISTRY[record_type].queue, lines, raw.types).get(record_type, ())
        rows, _, _ = decode_rows(record_type, of_type)
        table = to_table(record_type, rows, raw.batch.start)
        mask, _ = split(record_type, table)
        yield table.filter(mask)
