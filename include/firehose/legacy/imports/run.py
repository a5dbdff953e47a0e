"""An import, whole: read what is new, then each day as a batch, validated and published, the oldest first.

Several days are at work at once, each in a process of its own: the locks of batches and hour files keep them
apart, as they do a backfill and the stream. Must not: have steps of its own (scan.py, collect.py, the pipeline's
validate and publish have them).
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import msgspec

from firehose.batch.interval import Batch
from firehose.lake.ledger import entry_path, read_entry
from firehose.lake.publish import publish
from firehose.legacy.imports.collect import collect, days, unpublished
from firehose.legacy.imports.scan import scan
from firehose.progress import tracked
from firehose.quality import workers
from firehose.records.imported import QUEUE
from firehose.settings import Settings

T = TypeVar("T")
#: Days at work at once, at most: each holds a slice of a batch.
_PROCESSES: Final = 4
#: Less than this of all days together is done sooner than processes are forked.
_FORK_BYTES: Final = 8 * 1024 * 1024


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did, and what the lake has of all imports: records = rows + duplicates + quarantined.

    ``files`` and ``records`` are of this run, ``batches`` those that it published; the others are sums over every
    batch of imports, by the ledger. ``refused`` are (path, place, reason). ``seconds`` are those of each step of
    this run and ``cpu_seconds`` those of its processors, both summed over all days: several are at work at once.
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
    cpu_seconds: dict[str, float]


class _Day(NamedTuple):
    """What became of a day: ``batches`` were published now, the counts are those of all its batches."""

    batches: int
    counts: Counter[str]
    clock: _Clock


def run_import(settings: Settings, root: Path) -> ImportReport:
    """Import what is new below ``root``. Safe to repeat, and to kill at any point.

    Raises:
        FirehoseError: a step's, UnknownShape among them.
        WorkerLost: a process died. Repeating goes on from there.
    """
    clock = _Clock()
    scanned = clock.timed("scan", partial(scan, settings.lake_path, root, _import_validation))
    sizes = days(settings.lake_path)
    processes = min(_PROCESSES, os.cpu_count() or 1) if sum(sizes.values()) >= _FORK_BYTES else 1
    if unpublished(settings.lake_path)[1]:
        _import_validation()  # once, before processes are forked
    done = 0
    counts: Counter[str] = Counter()
    each = workers.map_unordered(partial(_day, settings), [*sizes], processes)
    for day in tracked(each, "importing", "days", total=len(sizes)):
        done += day.batches
        counts += day.counts
        clock.add(day.clock)
    return ImportReport(
        files=scanned.files,
        records=scanned.records,
        batches=done,
        first=min(sizes, default=None),
        last=max(sizes, default=None),
        received=counts["received"],
        rows=counts["rows"],
        duplicates=counts["duplicates"],
        quarantined=counts["quarantined"],
        refused=scanned.refused,
        seconds=clock.seconds,
        cpu_seconds=clock.cpu_seconds,
    )


def _import_validation() -> None:
    """Great Expectations takes seconds to import: while others read; and not at all where nothing is new."""
    import firehose.quality.validate  # noqa: F401


class _Clock:
    """The seconds of each step, and those of this process and of the ended ones that it began, summed up."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.cpu_seconds: dict[str, float] = {}

    def timed(self, step: str, work: Callable[[], T]) -> T:
        """Do the work of a step."""
        began, cpu = time.monotonic(), sum(os.times()[:4])
        done = work()
        self._add(step, time.monotonic() - began, sum(os.times()[:4]) - cpu)
        return done

    def add(self, other: _Clock) -> None:
        """Count what another one has counted."""
        for step, seconds in other.seconds.items():
            self._add(step, seconds, other.cpu_seconds[step])

    def _add(self, step: str, seconds: float, cpu_seconds: float) -> None:
        self.seconds[step] = self.seconds.get(step, 0.0) + seconds
        self.cpu_seconds[step] = self.cpu_seconds.get(step, 0.0) + cpu_seconds


def _day(settings: Settings, day: date) -> _Day:
    """Collect what is new of a day, and publish its batches that are not."""
    clock, done = _Clock(), 0
    counts: Counter[str] = Counter()
    for batch in clock.timed("collect", partial(collect, settings, day)):
        done += _published(settings, batch, clock)
        entry = read_entry(entry_path(settings.lake_path, batch))
        if entry and (of := entry.counts.get(QUEUE)):
            # A copy that a later day had stored first is displaced: it counts as if it had come second.
            counts["received"] += of.received
            counts["rows"] += of.stored - of.displaced
            counts["duplicates"] += of.duplicates + of.displaced
            counts["quarantined"] += of.quarantined
    return _Day(done, counts, clock)


def _published(settings: Settings, batch: Batch, clock: _Clock) -> bool:
    """Publish a batch, unless it is; tells whether it was not."""
    if read_entry(entry_path(settings.lake_path, batch)) is not None:
        return False
    from firehose.quality.validate import validate  # see _import_validation

    clock.timed("validate", partial(validate, settings, batch))
    clock.timed("publish", partial(publish, settings, batch))
    return True
