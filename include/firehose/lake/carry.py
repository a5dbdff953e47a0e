"""What an hour file holds, carried over into the file that replaces it, at the cost of what changes.

Row groups that lose nothing go over as bytes. Decoded and encoded are those that lose rows, small ones that new
rows are joined with, and all of a file of another form. Must not: say which rows go, or know how a file takes
another one's place.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Collection, Sequence
from functools import cache
from typing import Final, NamedTuple

import pyarrow as pa

from firehose import parquet
from firehose.lake import closed_form, losses, metadata, rowgroups
from firehose.lake.losses import Search
from firehose.lake.metadata import Group
from firehose.lake.plain import plain_groups
from firehose.lake.rowgroups import RowGroupWriter
from firehose.store import LakePath

#: A small group is joined with new rows if it is at most this many times as large as they and the smaller ones. So
#: of those that are left each is more than twice the next, which are few, and no row is written again often.
_GROWTH: Final = 2


class Carried(NamedTuple):
    """Rows lost, by their batch, and the row groups that are left for :func:`firehose.lake.splice.append`."""

    lost: Counter[str]
    untouched: list[Group]


def carry(path: LakePath, search: Search, writer: RowGroupWriter) -> Carried:
    """Search an hour file, and write what cannot be copied of it; nothing where there is no file.

    Raises:
        CorruptLake: the file cannot be read.
    """
    if (groups := _copyable(path, search.record_type)) is None:
        return Carried(_rewrite(path, search, writer), [])
    try:
        with parquet.opened(path) as source:
            found = losses.of_file(search, source)
            again = {*found, *_small(groups, found, int(search.events.wanted.sum()))}
            numbers = sorted(again)
            decoded = plain_groups(source, search.record_type, numbers=numbers)
            for number, rows in zip(numbers, decoded, strict=True):
                writer.keep(rows.filter(found[number].stays) if number in found else rows)
    except (pa.ArrowInvalid, OSError) as error:
        raise rowgroups.corrupt(path, error) from error
    lost = sum((loss.lost for loss in found.values()), Counter[str]())
    return Carried(lost, [group for number, group in enumerate(groups) if number not in again])


def _copyable(path: LakePath, record_type: str) -> list[Group] | None:
    """The row groups of a file whose schema and form are those that ``writer`` gives; None: they are others."""
    if not path.exists():
        return None
    there = metadata.read_metadata(path)
    if closed_form.KEY in there.notes or there.form != _todays_form(record_type):
        return None
    return metadata.groups_of(path, there)


@cache
def _todays_form(record_type: str) -> metadata.Form:
    sink = pa.BufferOutputStream()
    with RowGroupWriter(sink, record_type):
        pass
    return metadata.metadata_in(io.BytesIO(sink.getvalue())).form


def _rewrite(path: LakePath, search: Search, writer: RowGroupWriter) -> Counter[str]:
    """Decode and encode all that stays of a file."""
    lost = Counter[str]()
    for rows in rowgroups.read_groups(path, search.record_type):
        loss = losses.of_rows(search, rows)
        writer.write(rows.filter(loss.stays) if loss.goes.any() else rows)
        lost += loss.lost
    return lost


def _small(groups: Sequence[Group], touched: Collection[int], adding: int) -> list[int]:
    """The untouched groups that are joined with ``adding`` new rows, the smallest ones first."""
    small = [
        (group.rows, number)
        for number, group in enumerate(groups)
        if number not in touched and rowgroups.is_small(group.rows, group.bytes)
    ]
    chosen = []
    for rows, number in sorted(small):
        if rows > _GROWTH * adding:
            break
        chosen.append(number)
        adding += rows
    return chosen
