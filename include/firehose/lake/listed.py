"""What listings show of the lake, by day: hour files, their records, entries of the ledger. Nothing is read.

A file that was replaced has another stamp, so a day whose listing has the same digest as before is unchanged.
Must not: know what follows from that.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final, NamedTuple

from firehose import schema
from firehose.areas import Area
from firehose.lake import layout, recorded
from firehose.lake.layout import HourFile
from firehose.lake.ledger import listed_entries
from firehose.records.registry import REGISTRY
from firehose.store import LakePath, Listed

_RECORD: Final = re.compile(r"date=([0-9-]{10})/(hour=\d\d/(?:\w+/user_did=[^/]+/)?\w+(?:\.next)?\.json)?.*")
_HOUR_FILE: Final = re.compile(
    r"year=(\d{4})/month=(\d\d)/day=(\d\d)/hour=\d\d/(\w+)(/user_did=[^/]+/\4)?\.parquet"
)


class Hours(NamedTuple):
    """The hour files of a day that are there or have a record, and a digest of both listings."""

    files: set[HourFile]
    digest: str


def records(lake: LakePath) -> dict[date, list[Listed]]:
    """What lies in the area of records, by day, keys from there; proofs are left out."""
    found: dict[date, list[Listed]] = {}
    for each in Area.HOURS.of(lake).listing():
        if not each.key.endswith(recorded.PROOF_SUFFIX) and (match := _RECORD.fullmatch(each.key)):
            found.setdefault(date.fromisoformat(match[1]), []).append(each)
    return found


def hours(lake: LakePath) -> dict[date, Hours]:
    """The days that have hour files or records."""
    listed = records(lake)
    area = Area.HOURS.of(lake)
    files: dict[date, set[HourFile]] = {}
    for day, of_day in listed.items():
        known = (match[0] for each in of_day if (match := _RECORD.fullmatch(each.key)) and match[2])
        files[day] = {layout.file_of(recorded.hour_file_of(area / key)) for key in known}
    for each, match in _hour_files(lake):
        day = date(int(match[1]), int(match[2]), int(match[3]))
        listed.setdefault(day, []).append(each)
        files.setdefault(day, set()).add(layout.file_of(lake / each.key))
    return {day: Hours(files[day], digest(of_day)) for day, of_day in listed.items()}


def ledger(lake: LakePath) -> dict[date, str]:
    """The days that have entries in the ledger, each with a digest."""
    found: dict[date, list[Listed]] = {}
    for each in listed_entries(lake).values():
        found.setdefault(date.fromisoformat(each.key[5:15]), []).append(each)
    return {day: digest(of_day) for day, of_day in found.items()}


def digest(listed: Iterable[Listed]) -> str:
    """A digest of keys, sizes and stamps, in any order."""
    return hashlib.sha256(repr(sorted(listed)).encode()).hexdigest()


def _hour_files(lake: LakePath) -> Iterator[tuple[Listed, re.Match[str]]]:
    for folder in lake.folders("year=*"):
        for each in folder.listing():
            key = f"{folder.name}/{each.key}"
            if not (match := _HOUR_FILE.fullmatch(key)) or match[4] not in schema.TYPES:
                continue
            if not match[5] or REGISTRY[match[4]].by_user:
                yield each._replace(key=key), match
