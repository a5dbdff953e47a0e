"""Disks, what the lake takes, what is about to expire unverified, and how old the backups are.

Lives here: the reading, of the latest hours only: a lake grows for years. Must not: judge it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

from firehose.backup import coverage as backups
from firehose.backup.coverage import BackupState
from firehose.batch import manifest as manifests
from firehose.batch.interval import Batch
from firehose.lake import records, verification
from firehose.lake.layout import HourFile
from firehose.observe.ledger import RecentLedger
from firehose.settings import Settings
from firehose.store import LocalLake

#: Raw files are said to be about to expire this long before their time is over.
SOON: Final = timedelta(hours=3)


class DiskState(msgspec.Struct, frozen=True, kw_only=True):
    """A disk: of the ``lake``, or of the ``home`` with the embedded services' data, where Redis' file lies too."""

    name: str
    path: str
    used_bytes: int
    free_bytes: int
    share: float


class StorageState(msgspec.Struct, frozen=True, kw_only=True):
    """What the hours of a span take in the lake.

    ``json_bytes``: ``json_events`` events of the last batch, as they came. ``ratio``: JSON bytes an event over the
    lake's bytes a row; None: one of them is not known.
    """

    span_s: float
    files: int
    rows: int
    bytes: int
    json_events: int
    json_bytes: int
    ratio: float | None


class RetentionState(msgspec.Struct, frozen=True, kw_only=True):
    """Raw batches whose time is over within ``soon_s``, or has been over for less.

    ``unverified``: those of them with an hour file that is not verified, which keeps them. ``expires``: when the
    first of these would go.
    """

    soon_s: float
    batches: int
    unverified: list[str]
    expires: datetime | None


def disks(settings: Settings) -> list[DiskState]:
    """The disk of the lake, unless that is in a bucket, and the disk of the home, where that is another one."""
    places = {"lake": settings.lake_path, "home": LocalLake(settings.home_path)}
    found: list[DiskState] = []
    for name, place in places.items():
        disk = place.disk() if not isinstance(place, LocalLake) or place.exists() else None
        if disk and all(disk != (each.used_bytes, each.free_bytes) for each in found):
            found.append(
                DiskState(name=name, path=str(place), used_bytes=disk.used, free_bytes=disk.free, share=disk.share)
            )
    return found


def storage(settings: Settings, ledger: RecentLedger, now: datetime, span: timedelta) -> StorageState:
    """What the hour files of the batches of the latest ``span`` take, by their records; JSON by the last manifest.

    Raises:
        CorruptLake, CorruptBatch: a record or a manifest cannot be read.
    """
    lake = settings.lake_path
    entries = ledger.entries(now - span, now)
    files = {file for entry in entries for file in entry.files}
    known = [found for file in files if (found := records.read(file.path(lake)).now) and not found.is_gone]
    rows, size = sum(record.rows for record in known), sum(record.bytes for record in known)
    events, json_bytes = 0, 0
    for entry in reversed(entries[-12:]):
        manifest = manifests.read(manifests.folder_of(lake, Batch.of(entry.start, entry.end)))
        if manifest and (indexed := [queue for queue in manifest.queues.values() if queue.index]):
            events = sum(queue.events for queue in indexed)
            json_bytes = sum(plain for queue in indexed for _, plain in queue.index)
            break
    both = events and rows and size
    return StorageState(
        span_s=span.total_seconds(),
        files=len(known),
        rows=rows,
        bytes=size,
        json_events=events,
        json_bytes=json_bytes,
        ratio=(json_bytes / events) / (size / rows) if both else None,
    )


def retention(settings: Settings, ledger: RecentLedger, now: datetime) -> RetentionState:
    """The raw batches whose time is nearly over, by the proofs of the hour files that they went into.

    Raises:
        CorruptLake: an entry or a record cannot be read.
    """
    if not settings.keep_raw_hours:
        return RetentionState(soon_s=SOON.total_seconds(), batches=0, unverified=[], expires=None)
    keep = timedelta(hours=settings.keep_raw_hours)
    low, high = now - keep - SOON, now - keep + SOON
    entries = [entry for entry in ledger.entries(low, now) if low <= entry.end <= high]
    proven: dict[HourFile, bool] = {}
    for file in {file for entry in entries for file in entry.files}:
        path = file.path(settings.lake_path)
        record, proof = records.read(path).now, verification.read(path)
        gone = record is not None and record.is_gone
        proven[file] = gone or bool(record and proof and proof.sha256 == record.sha256)
    waiting = [entry for entry in entries if not all(proven[file] for file in entry.files)]
    return RetentionState(
        soon_s=SOON.total_seconds(),
        batches=len(entries),
        unverified=[entry.batch for entry in waiting],
        expires=waiting[0].end + keep if waiting else None,
    )


def backup(settings: Settings) -> BackupState | None:
    """How old the backups are; None: ``FIREHOSE_BACKUP`` is not set.

    Raises:
        FirehoseError: the place cannot be used.
    """
    return backups.state(settings) if settings.backup else None
