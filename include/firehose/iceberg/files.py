"""The files of a table, ``data/<hour>-<sha256>.parquet``: hour files under a name that says what is in them.

Must not: decide which hours a table has.
"""

from __future__ import annotations

import re
from typing import Final

from pyiceberg.conversions import to_bytes
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.table import Table
from pyiceberg.types import LongType

from firehose.iceberg import columns
from firehose.iceberg.hours import Closed
from firehose.iceberg.lake_io import io_of
from firehose.lake import layout, records
from firehose.lake.rowgroups import time_span
from firehose.store import LakePath

DATA: Final = "data"
_NAME: Final = re.compile(rf"{DATA}/(\d{{4}}-\d\d-\d\dT\d\d)-([0-9a-f]{{64}})\.parquet")


def key(closed: Closed) -> str:
    """Where a table has a closed hour file."""
    return f"{DATA}/{layout.hour_name(closed.file.hour)}-{closed.record.sha256}.parquet"


def parse(name: str) -> tuple[int, str]:
    """The hour and the digest in a key.

    Raises:
        ValueError: it is not such a key.
    """
    if (match := _NAME.fullmatch(name)) is None:
        raise ValueError(f"{name}: not a file of a table")
    return layout.parse_hour(match[1]), match[2]


def keep(lake: LakePath, folder: LakePath, closed: Closed) -> bool:
    """Give a closed hour file its name in the table. Returns whether that is the recorded file.

    No lock is needed: what has the name is looked at afterwards, and whatever takes the hour's place is another
    file. A name that a killed run gave to another file is taken back.
    """
    path = folder / key(closed)
    if not path.exists():
        try:
            closed.file.path(lake).name_also(path)
        except FileNotFoundError:
            return False
    seen = records.see(path)
    if seen and records.matches(closed.record, seen):
        return True
    path.discard()
    return False


def described(table: Table, closed: Closed) -> DataFile:
    """What a manifest says of a file: rows, bytes, and by what readers may pass it by: hour and span of time."""
    path = io_of(table).folder / key(closed)
    span, time_us = time_span(path), table.schema().find_field("time_us").field_id
    made = DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=path.uri,
        file_format=FileFormat.PARQUET,
        partition=columns.partition(closed.file.hour),
        record_count=closed.record.rows,
        file_size_in_bytes=closed.record.bytes,
        value_counts={time_us: closed.record.rows},
        null_value_counts={time_us: 0},
        lower_bounds={time_us: to_bytes(LongType(), span[0])} if span else None,
        upper_bounds={time_us: to_bytes(LongType(), span[1])} if span else None,
    )
    made.spec_id = table.spec().spec_id
    return made
