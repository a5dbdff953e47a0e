"""A small published lake, without Great Expectations, and its maintenance at a moment of choice.

Lives here: set-up. Must not: say what is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import redis

from firehose import schema
from firehose.batch import manifest as manifests
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.lake import layout
from firehose.lake.publish import publish
from firehose.maintenance.facts import Backup
from firehose.maintenance.run import Maintenance
from firehose.settings import Settings
from jetstream_simulator import generate
from tests.support.frames import fill
from tests.support.staging import stage

#: An hour of the past, and the one before it: the first likes lie there.
HOUR: Final = 494_452
LIKES: Final = [
    line
    for line in generate.events(900, seed=11, start_us=HOUR * layout.HOUR_US - 60_000_000, rate=5)
    if b'"collection":"app.bsky.feed.like"' in line
]


class Holding:
    """A backup whose verified set holds these batches, by id and manifest, and all files; None: all batches."""

    def __init__(self, batches: set[tuple[str, str]] | None = None) -> None:
        self._batches = batches

    def holds_batch(self, batch_id: str, manifest_sha256: str) -> bool:
        return self._batches is None or (batch_id, manifest_sha256) in self._batches

    def holds_file(self, key: str, sha256: str) -> bool:
        return True


def published(settings: Settings, client: redis.Redis, given: Mapping[Batch, Sequence[bytes]]) -> None:
    """Take the likes of batches, which are in order, through all steps, the last batch first."""
    for batch, lines in given.items():
        fill(client, lines, batch)
    for batch in reversed(list(given)):
        drain(settings, batch)
        stage(settings.lake_path, batch, schema.LIKES, [HOUR - 1, HOUR])
        publish(settings, batch)


def maintenance(
    settings: Settings, days: float = 2, backup: Backup | None = None, logs: Sequence[Path] = ()
) -> Maintenance:
    """Maintenance as it will be in ``days`` days."""
    return Maintenance(
        settings, "a test", logs=logs, backup=backup, clock=lambda: datetime.now(UTC) + timedelta(days=days)
    )


def proven(work: Maintenance) -> Maintenance:
    """After closing and verifying all that can be."""
    assert not work.close(60).problems
    assert not work.check(60).problems
    return work


def raw_files(settings: Settings, batch: Batch) -> list[str]:
    """The raw files that a batch still has."""
    return sorted(path.name for path in manifests.folder_of(settings.lake_path, batch).find("*.zst"))


def expired(settings: Settings, batch: Batch) -> bool:
    """Whether a batch's manifest says that its files are gone."""
    manifest = manifests.read(manifests.folder_of(settings.lake_path, batch))
    assert manifest is not None
    return manifest.expired is not None
