"""Hour files made from raw batches in a scratch lake: batch after batch, hour after hour, as if in order.

Copies in neighbouring hours count as in a publication. Must not: write anything outside of the scratch folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import msgspec
import pyarrow as pa

from firehose.lake import edges, footers, layout, raws
from firehose.lake.footers import Footer, Merged
from firehose.lake.hourfile import HourCommit, merge
from firehose.lake.raws import RawBatch
from firehose.lake.rowgroups import rows_by_batch
from firehose.lake.staged import HourRows, Part
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
    sound: Collection[tuple[str, int]],
) -> dict[int, Remade]:
    """Make the files of these hours, in order, out of these batches, in order.

    Of two copies that of the earlier batch stays, so batches give in order what they gave in any order.
    ``sound``: files of types that share the queue, by type and hour, whose copies count.

    Raises:
        CorruptBatch: a raw file is damaged.
        CorruptLake: a neighbouring hour cannot be read.
    """
    duplicates: dict[int, Counter[str]] = {hour: Counter() for hour in hours}
    for raw in sources:
        rows = scratch / f"{raw.batch.id}.parquet"
        for hour, part in sorted(raws.write_rows(raw, record_type, hours, rows).items()):
            merged = _merge(lake, scratch, record_type, raw, hour, part, hours, sound)
            duplicates[hour][raw.batch.id] += merged.duplicates
        rows.discard()
    return {hour: _described(layout.hour_file(scratch, record_type, hour), duplicates[hour]) for hour in hours}


def _merge(
    lake: LakePath,
    scratch: LakePath,
    record_type: str,
    raw: RawBatch,
    hour: int,
    part: Part,
    hours: Sequence[int],
    sound: Collection[tuple[str, int]],
) -> Merged:
    rows = HourRows(hour, [part])
    near = edges.neighbours(hour, (read["time_us"] for read in rows.read(["time_us"])))
    beside = {(record_type, near_hour) for near_hour in near} | {
        file for file in sound if file[1] in (hour, *near)
    }
    elsewhere = [pa.array([], pa.string())]
    for side in sorted(beside):
        there = scratch if side[0] == record_type and side[1] in hours else lake
        elsewhere.append(
            edges.copies_that_stay(
                edges.edge_between(lake, (record_type, hour), side, there), rows.read, raw.batch.start
            )
        )
    new = HourCommit(
        record_type,
        raw.batch.start,
        rows.read,
        elsewhere=pa.concat_arrays(elsewhere),
        types=raw.types if shares_queue(record_type) else (),
    )
    return merge(layout.hour_file(scratch, record_type, hour), new)


def _described(path: LakePath, duplicates: Counter[str]) -> Remade:
    by_batch = {footers.batch_id(batch): rows for batch, rows in rows_by_batch(path).items()}
    return Remade(path, sum(by_batch.values()), by_batch, duplicates, footers.read(path))
