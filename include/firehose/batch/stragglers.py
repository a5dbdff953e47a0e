"""Late frames: older than a batch, in an interval that was already drained. The batch takes them along.

Ids rise within a stream, but the clock that makes them may step back: then a quiet queue's next frame falls into
an interval that was drained already. The same is left of a Redis restored from an older copy, and of time before
the first interval of all. Must not: copy or decide what a gap is.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import redis

from firehose.areas import Area
from firehose.batch import buffer, coverage
from firehose.batch import manifest as manifests
from firehose.batch.gaps import Span, merged
from firehose.batch.interval import Batch
from firehose.batch.lock import lock_path, locks_folder
from firehose.settings import Settings
from firehose.store import LakePath, LockTaken
from ingester.contract import wire
from ingester.contract.gap import Reason
from ingester.contract.logs import get_logger

log = get_logger(__name__)

# An interval may begin on the day before; none is longer than an hour.
_LONGEST: Final = timedelta(hours=1)


class Done(NamedTuple):
    """Time (ms, end exclusive) that is done with: of a batch, of an interval without one, or of no interval."""

    start_ms: int
    end_ms: int
    batch: str = ""
    folder: LakePath | None = None


def spans(
    client: redis.Redis, settings: Settings, batch: Batch, first_start_ms: int, held: ExitStack
) -> list[Span]:
    """Spans (ms) before the batch's own in which frames are left that no other drain comes for, in order.

    Only one drain looks at a time; while ``held`` is open no other one, nor the owners of the spans, take them.
    """
    oldest = _oldest(client, batch)
    if oldest is None:
        return []
    begin = max(first_start_ms, _first_interval_ms(settings))
    done = [Done(0, begin), *_done(settings.lake_path, batch, oldest)]
    found = _with_frames(client, [d._replace(end_ms=min(d.end_ms, batch.start_ms)) for d in done])
    if not found or not _locked(locks_folder(settings.lake_path) / "stragglers.lock", held):
        return []
    left = [(d.start_ms, d.end_ms) for d in found if _left(client, settings.lake_path, d, held)]
    if left:
        log.warning("batch takes late frames along", batch=batch.id, spans=len(left))
    return merged(left)


def _oldest(client: redis.Redis, batch: Batch) -> int | None:
    """The id (ms) of the oldest frame from before the batch."""
    found = [buffer.next_ms(client, queue, 0, batch.start_ms) for queue in wire.QUEUES]
    return min((ms for ms in found if ms is not None), default=None)


def _first_interval_ms(settings: Settings) -> int:
    """Where the DAG's first interval starts; 0 without a valid date (the DAG file says what is wrong with it)."""
    try:
        moment = datetime.fromisoformat(settings.start_date)
    except ValueError:
        return 0
    length = settings.batch_minutes * 60
    return -(int(moment.timestamp()) // -length) * length * 1000 if moment.tzinfo else 0


def _done(lake: LakePath, batch: Batch, oldest_ms: int) -> list[Done]:
    """Intervals that end after ``oldest_ms`` and begin before the batch, and have a manifest or a recorded gap."""
    first = f"date={datetime.fromtimestamp(oldest_ms / 1000, UTC) - _LONGEST:%Y-%m-%d}"
    last = f"date={batch.start:%Y-%m-%d}"
    known: dict[str, Done] = {}
    for path in _of_days(Area.COVERAGE.of(lake).find("date=*/batch=*.json"), first, last):
        for gap in coverage.read_records(path):
            if gap.reason is Reason.NOT_LISTENING:
                known[path.stem] = Done(gap.from_us // 1000, gap.to_us // 1000, path.stem.removeprefix("batch="))
    for folder in _of_days(Area.RAW.of(lake).folders("date=*/batch=*"), first, last):
        if manifest := manifests.read(folder):
            start, end = (int(moment.timestamp()) * 1000 for moment in (manifest.start, manifest.end))
            known[folder.name] = Done(start, end, manifest.batch, folder)
    return [done for name, done in known.items() if name < f"batch={batch.id}"]


def _of_days(paths: Iterable[LakePath], first: str, last: str) -> list[LakePath]:
    return sorted(path for path in paths if first <= path.parent.name <= last)


def _with_frames(client: redis.Redis, done: list[Done]) -> list[Done]:
    """Those in which any queue has a frame. Looks for the next frame, so empty time costs nothing."""
    found: set[Done] = set()
    for low, high in merged((d.start_ms, d.end_ms) for d in done):
        for queue in wire.QUEUES:
            at = low
            while (ms := buffer.next_ms(client, queue, at, high)) is not None:
                hit = [d for d in done if d.start_ms <= ms < d.end_ms]
                found.update(hit)
                at = max(d.end_ms for d in hit)
    return sorted(found, key=lambda done: done.start_ms)


def _left(client: redis.Redis, lake: LakePath, done: Done, held: ExitStack) -> bool:
    """Whether frames are left once those are deleted that the interval's own batch has copied."""
    if done.batch:
        if not _locked(lock_path(lake, done.batch), held):
            return False  # its own drain is at it, or a later step: the next batch looks again
        if done.folder and (manifest := manifests.read(done.folder)):
            manifests.settle(done.folder)
            buffer.remove_copied(client, done.folder, manifest)
    return bool(_with_frames(client, [done]))


def _locked(path: LakePath, held: ExitStack) -> bool:
    try:
        held.enter_context(path.lock(wait_s=0))
    except LockTaken:
        return False
    return True
