"""Reads the facts for a plan out of a lake. Must not: decide, write."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import pyarrow as pa

from firehose import parquet
from firehose.areas import Area
from firehose.batch import manifest as manifests
from firehose.batch.interval import Batch
from firehose.batch.manifest import Manifest
from firehose.errors import CorruptBatch, CorruptLake
from firehose.lake import records, verification
from firehose.lake.layout import HourFile
from firehose.lake.ledger import LedgerEntry, entry_path, read_entry
from firehose.maintenance.facts import Backup, HourFacts, RawFacts
from firehose.quality import quarantine
from firehose.quality.result import staged_folder
from firehose.store import LakePath


class Survey:
    """A look at a lake, at each hour file once. ``backup``: None where none is set."""

    def __init__(self, lake: LakePath, backup: Backup | None = None) -> None:
        self._lake, self._backup = lake, backup
        self._hours: dict[HourFile, HourFacts] = {}

    def raws(self) -> Iterator[RawFacts]:
        """Every raw batch that has files, in order. What was drained and has expired is not read at all."""
        files = Area.RAW.of(self._lake).find("date=*/batch=*/*.zst")
        for folder, paths in groupby(files, key=lambda path: path.parent):
            if found := self.raw(folder, sum(path.size() for path in paths)):
                yield found

    def raw(self, folder: LakePath, size: int) -> RawFacts | None:
        """One of them; None where it has no manifest, so that its drain has not ended."""
        batch = batch_of(folder)
        try:
            manifest = manifests.read(folder)
            return None if manifest is None else self._raw(folder, batch, manifest, size)
        except (CorruptBatch, CorruptLake, pa.ArrowInvalid, OSError) as error:
            return RawFacts(batch=batch.id, start=batch.start, end=batch.end, bytes=size, damage=str(error))

    def _raw(self, folder: LakePath, batch: Batch, manifest: Manifest, size: int) -> RawFacts:
        entry = None if manifest.expired else read_entry(entry_path(self._lake, batch))
        held = None
        if self._backup and not manifest.expired:
            held = self._backup.holds_batch(batch.id, (folder / manifests.NAME).sha256())
        return RawFacts(
            batch=batch.id,
            start=manifest.start,
            end=manifest.end,
            bytes=size,
            events=manifest.events,
            expired=manifest.expired is not None,
            entry=entry,
            staged=bool(staged_folder(self._lake, batch).find("*")),
            quarantined=self._quarantined(batch),
            held=held,
            hours=list(self._hours_of(entry)) if entry else [],
        )

    def _hours_of(self, entry: LedgerEntry) -> Iterator[HourFacts]:
        for file in entry.files:
            if file not in self._hours:
                self._hours[file] = look(self._lake, file)
            yield self._hours[file]

    def _quarantined(self, batch: Batch) -> int:
        path = quarantine.quarantine_path(self._lake, batch)
        if path.exists():
            return int(parquet.footer(path).num_rows)
        path = quarantine.tombstone_path(self._lake, batch)
        return quarantine.read_tombstone(path).rows if path.exists() else 0


def look(lake: LakePath, file: HourFile) -> HourFacts:
    """The facts of one hour file.

    Raises:
        CorruptLake: its record, or the file, cannot be read.
    """
    path = file.path(lake)
    now, seen = records.read(path).now, records.see(path)
    return HourFacts(
        file=file,
        bytes=seen.bytes if seen else 0,
        record=now,
        as_recorded=bool(now and seen and records.matches(now, seen)),
        verification=verification.read(path),
    )


def batch_of(folder: LakePath) -> Batch:
    """The batch that a folder is named after; its end is not known."""
    return Batch.parse(folder.name.removeprefix("batch="), 1)
