"""Hour files made from raw batches in a scratch lake: batch after batch, hour after hour, as if in order.

Copies in neighbouring hours count as in a publication. Must not: write anything outside of the scratch folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import msgspec
import pyarrow as pa

from firehose.lake import edges, footers, raws, users
from firehose.lake.footers import Footer, Merged
from firehose.lake.hourfile import HourCommit, merge
from firehose.lake.layout import HourFile
from firehose.lake.raws import RawBatch
from firehose.lake.rowgroups import rows_by_batch
from firehose.lake.staged import HourRows
from firehose.progress import tracked
from firehose.records.registry import shares_queue
from firehose.store import LakePath


class Remade(msgspec.Struct):
    """An hour file in the scratch lake (it may be missing: no rows), its rows, by batch as well, and its notes.

    ``duplicates`` counts, by batch, rows that are not in it since an earlier batch has the event.
    """

    path: LakePath
    rows: int
    by_batch: dict[str, int]
    duplicates: Counter[str]
    footer: Footer


def remake(
    lake: LakePath,
    scratch: LakePath,
    record_type: str,
    hours: Sequence[int],
    sources: Sequence[RawBatch],
    sound: Collection[HourFile],
) -> dict[HourFile, Remade]:
    """Make the files of these hours, in order, out of these batches, in order.

    Of two copies that of the earlier batch stays, so batches give in order what they gave in any order.
    ``sound``: files of types that share the queue, whose copies count.

    Raises:
        CorruptBatch: a raw file is damaged.
        CorruptLake: a neighbouring hour cannot be read.
    """
    layouts = {hour: users.layout_of(lake, record_type, hour) for hour in hours}
    made = [HourFile(hour, record_type, name) for hour, by in layouts.items() for name in by.names]
    duplicates: dict[HourFile, Counter[str]] = {file: Counter() for file in made}
    for raw in tracked(sources, f"reading raw batches for {record_type}", "batches"):
        path = scratch / f"{raw.batch.id}.parquet"
        for hour, part in sorted(raws.write_rows(raw, record_type, hours, path).items()):
            for rows in HourRows(hour, [part], by=layouts[hour]).divided():
                if rows.parts:
                    file = HourFile(hour, record_type, rows.user)
                    merged = _merge(lake, scratch, file, raw, rows, made, sound)
                    duplicates[file][raw.batch.id] += merged.duplicates
        path.discard()
    return {file: _described(file.path(scratch), duplicates[file]) for file in made}


def _merge(
    lake: LakePath,
    scratch: LakePath,
    file: HourFile,
    raw: RawBatch,
    rows: HourRows,
    made: Collection[HourFile],
    sound: Collection[HourFile],
) -> Merged:
    near, read = edges.neighbours(file.hour, rows.times()), rows.reading()
    beside = {there for hour in near for there in edges.meeting(lake, file, file.record_type, hour)} | {
        there for there in sound if there.hour in (file.hour, *near)
    }
    elsewhere = [pa.array([], pa.string())]
    for there in sorted(beside):
        edge = edges.edge_between(lake, file, there, scratch if there in made else lake)
        elsewhere.append(edges.copies_that_stay(edge, read, raw.batch.start))
    new = HourCommit(
        file.record_type,
        raw.batch.start,
        read,
        elsewhere=pa.concat_arrays(elsewhere),
        types=raw.types if shares_queue(file.record_type) else (),
    )
    return merge(file.path(scratch), new)


def _described(path: LakePath, duplicates: Counter[str]) -> Remade:
    by_batch = {footers.batch_id(batch): rows for batch, rows in rows_by_batch(path).items()}
    return Remade(path, sum(by_batch.values()), by_batch, duplicates, footers.read(path))
