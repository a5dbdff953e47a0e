"""Where the record of each hour file lies: ``_hours/date=YYYY-MM-DD/hour=HH/<type>.json``.

In an hour that is by user: ``<type>/user_did=<user>/<type>.json``, as its file lies in the hour's folder. Must
not: read a record.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final

from firehose.areas import Area
from firehose.lake import layout
from firehose.store import L, LakePath

_NEXT: Final = ".next.json"
#: Beside a record, what the name of the proof of its file ends with.
PROOF_SUFFIX: Final = ".verified.json"


def record_path(hour_file: L) -> L:
    """Where the record of an hour file lies."""
    file = layout.file_of(hour_file)
    within = layout.within_hour(file.record_type, file.user)
    return layout.lake_of(hour_file) / f"{Area.HOURS}/{_folder(file.hour)}/{within}.json"


def folder_of(lake: L, hour: int) -> L:
    """Where the records of an hour lie."""
    return lake / f"{Area.HOURS}/{_folder(hour)}"


@lru_cache(layout.HOURS_KEPT)
def _folder(hour: int) -> str:
    return f"{datetime.fromtimestamp(hour * 3600, UTC):date=%Y-%m-%d/hour=%H}"


def hour_file_of(record: L) -> L:
    """The inverse of :func:`record_path`, for the record of a file that is about to be in place as well."""
    user = layout.user_of_folder(record)
    folder = record.parents[2 if user else 0]
    day, hour = (part.name.partition("=")[2] for part in (folder.parent, folder))
    record_type, number = record.name.partition(".")[0], layout.parse_hour(f"{day}T{hour}")
    return layout.hour_file(folder.parents[2], record_type, number, user)


def recorded_files(lake: L, day: date | None = None) -> list[L]:
    """Every hour file, of a day or of all, that has a record, whether it is there or not, in the order of time."""
    hours, folder = Area.HOURS.of(lake), f"date={day or '*'}/hour=*"
    found = [*hours.find(f"{folder}/*.json"), *hours.find(f"{folder}/{layout.within_hour('*', '*')}.json")]
    return sorted({hour_file_of(path) for path in found})


def is_known(hour_file: LakePath) -> bool:
    """Tell whether an hour file has a record, readable or not."""
    path = record_path(hour_file)
    return path.exists() or next_path(path).exists()


def next_path(record: L) -> L:
    """Where the record of the file lies that is about to replace the recorded one."""
    return record.with_suffix(_NEXT)
