"""A month of batches in a lake, and how many of a lake's files are opened and folders are listed.

Lives here: the files of batches that were never run, written without waiting for the disk. Must not: say what is
right.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from firehose.batch.interval import Batch
from firehose.batch.manifest import Manifest, QueueFile, folder_of
from firehose.lake.layout import hour_name
from firehose.lake.ledger import LedgerCounts, LedgerEntry, entry_path
from firehose.settings import Settings

LENGTH = timedelta(minutes=5)
_QUEUES = ("posts", "likes", "follows", "reposts")


def published(
    settings: Settings, since: datetime, until: datetime, *, late: dict[str, timedelta] | None = None
) -> list[str]:
    """Write the ledger entry and the manifest of each interval of [since, until); their ids.

    Each was drained ten seconds after its end and published twenty after it, or ``late`` by that much.
    """
    ids, start = [], since
    while start + LENGTH <= until:
        batch = Batch.of(start, start + LENGTH)
        done = batch.end + (late or {}).get(batch.id, timedelta(seconds=20))
        _write(entry_path(settings.local_lake, batch), _entry(batch, done))
        _write(folder_of(settings.local_lake, batch) / "manifest.json", _manifest(batch))
        ids.append(batch.id)
        start += LENGTH
    return ids


def _entry(batch: Batch, done: datetime) -> LedgerEntry:
    counts = LedgerCounts(received=1000, good=1000, quarantined=0, duplicates=0, stored=1000)
    hour = hour_name(int(batch.start.timestamp()) // 3600)
    return LedgerEntry(
        batch=batch.id,
        start=batch.start,
        end=batch.end,
        published_at=done,
        counts=dict.fromkeys(_QUEUES, counts),
        hours={hour: [*_QUEUES]},
    )


def _manifest(batch: Batch) -> Manifest:
    end_us = int(batch.end.timestamp() * 1e6)
    queue = QueueFile(
        name="x", frames=300, events=1000, size=90_000, sha256="", ranges=[], first_us=0, last_us=end_us,
        index=[(300, 1200)] * 300,
    )  # fmt: skip
    return Manifest(
        batch=batch.id, start=batch.start, end=batch.end, created_at=batch.end + timedelta(seconds=10),
        cursor=end_us, host="one", protocol="v2", time_us=end_us, minutes_heard=5,
        queues=dict.fromkeys(_QUEUES, queue),
    )  # fmt: skip


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(content))


class Looks:
    """Files of a folder that were opened, and folders of it that were listed, by its areas' names."""

    def __init__(self) -> None:
        self.opened: dict[str, int] = {}
        self.listed: dict[str, int] = {}


_WATCHED: list[tuple[str, Looks]] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _WATCHED or event not in ("open", "os.scandir", "os.listdir"):
        return
    folder, looks = _WATCHED[-1]
    path = arguments[0]
    if not isinstance(path, str | os.PathLike) or not (name := os.fspath(path)).startswith(folder):
        return
    counted = looks.opened if event == "open" else looks.listed
    area = name.removeprefix(folder).strip("/").partition("/")[0]
    counted[area] = counted.get(area, 0) + 1


sys.addaudithook(_hook)


@contextmanager
def watched(folder: Path) -> Iterator[Looks]:
    """Count what this process opens and lists below a folder, in all threads."""
    _WATCHED.append((str(folder), looks := Looks()))
    try:
        yield looks
    finally:
        _WATCHED.pop()
