"""Hour files that the lake has removed since their time was over. Each further set holds them too, for ever.

Else the retention of sets would take the only copy along. A restore leaves them out, or the lake would be as large
again as it was. Must not: decide what expires.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from firehose.backup.lake import HOUR_FILE
from firehose.backup.lake import PART as LAKE
from firehose.backup.objects import File
from firehose.backup.sets import Backup, BackupSet, Group
from firehose.errors import CorruptBackup, CorruptLake
from firehose.lake import records
from firehose.store import LakePath, LocalLake
from ingester.contract.logs import get_logger

log = get_logger(__name__)

PART = "expired"


def carried(lake: LakePath, kept: Backup, earlier: BackupSet | None, now: Mapping[str, Group]) -> dict[str, Group]:
    """The part of a new set: what ``earlier`` has, and what has expired since. ``now`` is the new set's lake."""
    groups = dict(earlier.of(PART)) if earlier else {}
    for name, before in (earlier.of(LAKE) if earlier else {}).items():
        after = now.get(name)
        if after == before or not name.startswith("year="):
            continue
        try:
            there = kept.files(after) if after else []
            gone = [file for file in kept.files(before) if file not in there and _has_expired(lake, file)]
            known = kept.files(groups[name]) if gone and name in groups else []
        except CorruptBackup as error:
            log.error("files that have expired cannot be told from others", reason=error)
            continue
        if new := [file for file in gone if file not in known]:
            groups[name] = kept.group([*known, *new], "")
    return groups


def write(kept: Backup, chosen: BackupSet, folder: Path) -> int:
    """Write these files of a set into a folder, by their keys and digests; returns how many there are.

    Raises:
        CorruptBackup: something of the set is missing or damaged.
    """
    count = 0
    for group in chosen.of(PART).values():
        for file in kept.files(group):
            path = LocalLake(folder) / file.key
            named = path.with_name(f"{path.stem}-{file.sha256[:8]}.parquet")
            with named.replacing() as part, part.open("wb") as out:
                out.writelines(kept.objects.read(file))
            count += 1
    return count


def _has_expired(lake: LakePath, file: File) -> bool:
    """Tell whether the lake's record says so. A file whose record cannot be read is kept as well."""
    if not HOUR_FILE.fullmatch(file.key):
        return False
    try:
        record = records.read(lake / file.key).now
    except CorruptLake:
        return True
    return record is not None and record.expired is not None and record.expired.sha256 == file.sha256
