"""What a backup covers, and how old it is: for whoever decides what the lake may lose, and for alerts.

Only sets count that are complete and verified. Reads only.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Annotated

import msgspec

from firehose import metrics
from firehose.backup.lake import PART, group_of
from firehose.backup.objects import File
from firehose.backup.sets import Backup, BackupSet, moment_of
from firehose.backup.verify import latest_verified
from firehose.batch import manifest as manifests
from firehose.batch.interval import Batch
from firehose.batch.manifest import Manifest
from firehose.errors import NoBackup
from firehose.settings import Settings


class Coverage:
    """The files of the lake that a set holds. ``name`` is the set's."""

    def __init__(self, kept: Backup, found: BackupSet) -> None:
        self.name = found.name
        self._kept = kept
        self._groups = found.of(PART)
        self._files: dict[str, dict[str, File]] = {}

    def holds_file(self, key: str, sha256: str) -> bool:
        """Tell whether it holds a file of the lake, by its key, with this content."""
        file = self._file(key)
        return file is not None and file.sha256 == sha256

    def holds_batch(self, batch_id: str, manifest_sha256: str) -> bool:
        """Tell whether it holds a raw batch: the manifest with this content, and every file that it names.

        Raises:
            CorruptBackup: the copy of the manifest is damaged.
        """
        folder = str(manifests.folder_of(PurePosixPath(), Batch.parse(batch_id, 1)))
        manifest = self._file(f"{folder}/{manifests.NAME}")
        if manifest is None or manifest.sha256 != manifest_sha256:
            return False
        content = msgspec.json.decode(b"".join(self._kept.objects.read(manifest)), type=Manifest)
        return all(self.holds_file(f"{folder}/{queue.name}", queue.sha256) for queue in content.queues.values())

    def _file(self, key: str) -> File | None:
        name = group_of(key)
        if name not in self._files:
            group = self._groups.get(name)
            self._files[name] = {file.key: file for file in self._kept.files(group)} if group else {}
        return self._files[name].get(key)


class BackupState(msgspec.Struct, frozen=True, kw_only=True):
    """The last complete set, the last verified one, and the last restore on record; ages in hours, -1: never."""

    last: str
    age_hours: Annotated[float, metrics.BACKUP_AGE]
    verified: str
    restored: str
    restore_age_hours: Annotated[float, metrics.RESTORE_AGE]


def coverage(settings: Settings) -> Coverage | None:
    """What the last verified set holds; None: ``FIREHOSE_BACKUP`` is not set, or no set there was verified.

    Raises:
        FirehoseError: the place cannot be used; see :class:`firehose.backup.sets.Backup`.
    """
    if not settings.backup:
        return None
    try:
        kept = Backup(settings)
    except NoBackup:
        return None
    found = latest_verified(kept)
    return Coverage(kept, found) if found else None


def state(settings: Settings) -> BackupState:
    """How old the backups are.

    Raises:
        FirehoseError: the place cannot be used; see :class:`firehose.backup.sets.Backup`.
    """
    try:
        kept = Backup(settings)
    except NoBackup:
        return BackupState(last="", age_hours=-1.0, verified="", restored="", restore_age_hours=-1.0)
    names, now = kept.names(), datetime.now(UTC)
    verified, restored = latest_verified(kept), kept.restored()
    return BackupState(
        last=names[-1] if names else "",
        age_hours=_hours(now, moment_of(names[-1])) if names else -1.0,
        verified=verified.name if verified else "",
        restored=restored.name if restored else "",
        restore_age_hours=_hours(now, restored.at) if restored else -1.0,
    )


def _hours(now: datetime, then: datetime) -> float:
    return round((now - then).total_seconds() / 3600, 1)
