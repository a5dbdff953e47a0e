"""An import, whole: read what is new, then each day as a batch, validated and published, the oldest first.

Must not: have steps of its own (scan.py, collect.py, the pipeline's validate and publish have them).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from firehose.batch.interval import Batch
from firehose.lake.ledger import entry_path, read_entry
from firehose.lake.publish import publish
from firehose.legacy.imports.collect import collect, days
from firehose.legacy.imports.scan import scan
from firehose.progress import tracked
from firehose.quality.validate import validate
from firehose.records.imported import QUEUE
from firehose.settings import Settings

T = TypeVar("T")


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did, and what the lake has of all imports: records = rows + duplicates + quarantined.

    ``files`` and ``records`` are of this run, ``batches`` those that it published; the others are sums over every
    batch of imports, by the ledger. ``refused`` are (path, place, reason), and ``seconds`` those of each step,
    of this run.
    """

    files: int
    records: int
    batches: int
    first: date | None
    last: date | None
    received: int
    rows: int
    duplicates: int
    quarantined: int
    refused: list[tuple[str, str, str]]
    seconds: dict[str, float]


def run_import(settings: Settings, root: Path) -> ImportReport:
    """Import what is new below ``root``. Safe to repeat, and to kill at any point.

    Raises:
        FirehoseError: an unknown shape; a step's errors.
    """
    clock = _Clock()
    scanned = clock.timed("scan", partial(scan, settings.lake_path, root))
    wanted = days(settings.lake_path)
    done = received = rows = duplicates = quarantined = 0
    for day in tracked(wanted, "importing", "days", total=len(wanted)):
        for batch in clock.timed("collect", partial(collect, settings, day)):
            done += _published(settings, batch, clock)
            entry = read_entry(entry_path(settings.lake_path, batch))
            if entry and (counts := entry.counts.get(QUEUE)):
                received, rows = received + counts.received, rows + counts.stored
                duplicates, quarantined = duplicates + counts.duplicates, quarantined + counts.quarantined
    return ImportReport(
        files=scanned.files,
        records=scanned.records,
        batches=done,
        first=wanted[0] if wanted else None,
        last=wanted[-1] if wanted else None,
        received=received,
        rows=rows,
        duplicates=duplicates,
        quarantined=quarantined,
        refused=scanned.refused,
        seconds=dict(clock.seconds),
    )


class _Clock:
    """The seconds of each step, summed up."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def timed(self, step: str, work: Callable[[], T]) -> T:
        began = time.monotonic()
        done = work()
        self.seconds[step] = self.seconds.get(step, 0.0) + time.monotonic() - began
        return done


def _published(settings: Settings, batch: Batch, clock: _Clock) -> bool:
    """Publish a batch, unless it is; tells whether it was not."""
    if read_entry(entry_path(settings.lake_path, batch)) is not None:
        return False
    clock.timed("validate", partial(validate, settings, batch))
    clock.timed("publish", partial(publish, settings, batch))
    return True
