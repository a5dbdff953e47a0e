"""Verifies a set without restoring it: every object that it needs is read, and compared with its name.

Must not: repair anything (a whole backup does).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec

from firehose import metrics
from firehose.backup.run import lock
from firehose.backup.sets import Backup, BackupSet, Group, Verified
from firehose.errors import CorruptBackup, NoBackup
from firehose.progress import tracked
from firehose.settings import Settings

_LISTED: Final = 20


class VerifyResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification has found. ``objects`` were read, of ``size`` bytes; ``damaged`` has a line for each."""

    name: str
    objects: Annotated[int, metrics.BACKUP_VERIFIED]
    size: Annotated[int, metrics.BACKUP_VERIFIED_BYTES]
    damaged: list[str]


def verify(settings: Settings, name: str = "", *, share_days: int = 0) -> VerifyResult:
    """Read a set's objects, by default the last set's. If all are right, that is put on record.

    ``share_days``: only those objects that no earlier verified set has, and of the others a share each day, so
    that all are read in that many days; 0: all of them.

    Raises:
        NoBackup: there is no set.
        FirehoseError: see :func:`firehose.backup.sets.Backup`.
        LockTaken: a backup runs.
    """
    with lock(settings.lake_path):
        kept = Backup(settings)
        found = kept.read(name) if name else kept.latest()
        if found is None:
            raise NoBackup(f"{kept.target}: no complete set there; make one with firehose backup")
        known = _verified_before(kept, found) if share_days else {}
        now = datetime.now(UTC)
        objects, size, damaged = 0, 0, list[str]()
        wanted = sorted(set(_needed(kept, found, known, now.toordinal(), share_days)))
        for needed in tracked(wanted, "verifying the backup", "objects"):
            try:
                size += len(kept.objects.get(needed))
                objects += 1
            except CorruptBackup as error:
                damaged.append(str(error))
        if not damaged:
            kept.write_verified(found.name, Verified(at=now, objects=objects, bytes=size))
    return VerifyResult(name=found.name, objects=objects, size=size, damaged=damaged[:_LISTED])


def latest_verified(kept: Backup) -> BackupSet | None:
    """The last set that was verified, which is complete."""
    for name in reversed(kept.names()):
        if kept.verified(name):
            return kept.read(name)
    return None


def _verified_before(kept: Backup, found: BackupSet) -> dict[str, Group]:
    before = latest_verified(kept)
    return before.groups if before else {}


def _needed(kept: Backup, found: BackupSet, known: dict[str, Group], day: int, days: int) -> Iterator[str]:
    """The objects to read."""
    for name, group in found.groups.items():
        before = known.get(name)
        if before == group and int(group.listing[:8], 16) % days != day % days:
            continue
        yield group.listing
        earlier = _objects(kept, before) if before and before != group else set()
        yield from _objects(kept, group) - earlier


def _objects(kept: Backup, group: Group) -> set[str]:
    try:
        return {piece.name for file in kept.files(group) for piece in file.pieces}
    except CorruptBackup:  # of the set itself: its listing is read with the objects, and said to be damaged
        return set()
