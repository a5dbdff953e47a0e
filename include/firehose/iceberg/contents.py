"""What a table names: its files as they are now, and everything that any of its snapshots needs.

Must not: write.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from pyiceberg.manifest import DataFile, ManifestFile
from pyiceberg.table import Table

from firehose.iceberg import files
from firehose.iceberg.lake_io import io_of


class Contents(NamedTuple):
    """The files of a table, by hour and digest, and the keys of all files that its snapshots name."""

    hours: dict[int, dict[str, DataFile]]
    named: frozenset[str]

    @property
    def held(self) -> dict[int, frozenset[str]]:
        """The digests of the files of each hour."""
        return {hour: frozenset(of_hour) for hour, of_hour in self.hours.items()}


def read(table: Table) -> Contents:
    """The contents of a table. Each manifest is read once.

    Raises:
        FileNotFoundError, ValueError: a manifest is missing, or cannot be read.
    """
    io, now = io_of(table), table.current_snapshot()
    hours: dict[int, dict[str, DataFile]] = {}
    current = {manifest.manifest_path for manifest in now.manifests(io)} if now else set()
    named: set[str] = set()
    for manifest in _manifests(table, named):
        for entry in manifest.fetch_manifest_entry(io):
            name = io.key(entry.data_file.file_path)
            named.add(name)
            if manifest.manifest_path in current:
                hour, digest = files.parse(name)
                hours.setdefault(hour, {})[digest] = entry.data_file
    return Contents(hours, frozenset(named))


def superseded(table: Table, before: datetime) -> list[int]:
    """The ids of snapshots that others have followed before a moment, so that no reader is at them any more."""
    at = _milliseconds(before)
    ordered = sorted(table.snapshots(), key=lambda snapshot: snapshot.sequence_number or 0)
    return [snapshot.snapshot_id for snapshot, after in pairwise(ordered) if after.timestamp_ms < at]


def versions(table: Table, before: datetime) -> set[str]:
    """The keys of the versions that a reader may be at: the latest, and those that still were so at a moment."""
    log = table.metadata.metadata_log
    ends = [*(entry.timestamp_ms for entry in log[1:]), table.metadata.last_updated_ms]
    recent = [entry.metadata_file for entry, end in zip(log, ends, strict=False) if end >= _milliseconds(before)]
    return {io_of(table).key(location) for location in (*recent, table.metadata_location)}


def _manifests(table: Table, named: set[str]) -> Iterator[ManifestFile]:
    """Each manifest of any snapshot, once; its key, and those of the lists, are added to ``named``."""
    io = io_of(table)
    for snapshot in table.snapshots():
        named.add(io.key(snapshot.manifest_list))
        for manifest in snapshot.manifests(io):
            if (name := io.key(manifest.manifest_path)) not in named:
                named.add(name)
                yield manifest


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
