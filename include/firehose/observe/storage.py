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
from firehose.batch.manifest import QueueFile
from firehose.lake import records, verification
from firehose.lake.layout import HourFile
from firehose.lake.records import HourRecord
from firehose.observe.ledger import RecentLedger
from firehose.records.registry import REGISTRY
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


class TypeStorage(msgspec.Struct, frozen=True, kw_only=True):
    """What one record type takes. ``json_event``: JSON bytes an event of its queue, in the last batch."""

    files: int
    rows: int
    bytes: int
    json_event: float | None

    @property
    def ratio(self) -> float | None:
        """JSON bytes an event over the lake's bytes a row."""
        return self.json_event / (self.bytes / self.rows) if self.json_event and self.rows and self.bytes else None


class StorageState(msgspec.Struct, frozen=True, kw_only=True):
    """What the hours of a span take in the lake, in all and by record type.

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
    types: dict[str, TypeStorage] = {}


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
    read = [(file.record_type, records.read(file.path(lake)).now) for file in files]
    by_type = [(name, record) for name, record in read if record and not record.is_gone]
    known = [record for _, record in by_type]
    rows, size = sum(record.rows for record in known), sum(record.bytes for record in known)
    events, json_bytes = 0, 0
    json_event: dict[str, float] = {}
    for entry in reversed(entries[-12:]):
        manifest = manifests.read(manifests.folder_of(lake, Batch.of(entry.start, entry.end)))
        if manifest and (indexed := [queue for queue in manifest.queues.values() if queue.index]):
            events = sum(queue.events for queue in indexed)
            json_bytes = sum(plain for queue in indexed for _, plain in queue.index)
            json_event = {name: _json_event(queue) for name, queue in manifest.queues.items() if queue.index}
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
        types={
            name: _type_storage(
                [record for of, record in by_type if of == name], json_event.get(REGISTRY[name].queue)
            )
            for name in sorted({name for name, _ in by_type})
            if name in REGISTRY
        },
    )


def _json_event(queue: QueueFile) -> float:
    return sum(plain for _, plain in queue.index) / queue.events if queue.events else 0.0


def _type_storage(known: list[HourRecord], json_event: float | None) -> TypeStorage:
    return TypeStorage(
        files=len(known),
        rows=sum(record.rows for record in known),
        bytes=sum(record.bytes for record in known),
        json_event=json_event,
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
    entries = [entry for entry in ledger.entries(low, high) if low <= entry.end <= high]
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
