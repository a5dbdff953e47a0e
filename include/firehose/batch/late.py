"""Late frames: their interval was already drained, so this batch picks them up.

Ids rise within a stream, but the clock that makes them may step back: then a quiet queue's next frame falls into
an interval that was drained already. The same is left of a Redis restored from an older copy, and of time before
the first interval of all, or in intervals that were skipped since the ingester had not been started yet. An
example, with batches of five minutes:

1. 12:05 the batch of 12:00 is drained: its frames are in its manifest, and deleted from Redis.
2. 12:07 Redis' clock steps back by five minutes, to 12:02.
3. 12:02 (the second time) the ingester writes a frame of likes, the first one for a while: its id says 12:02.
4. 12:05 (the second time) Airflow does not run the batch of 12:00 again: it has succeeded.
5. 12:10 the batch of 12:05 is drained. The oldest frame in Redis is older than the batch, its interval has a
   manifest, and the frame was not copied there: the span from 12:00 to 12:05 is late, and copied with this batch.
6. The manifest of 12:05 names both ranges of ids. Events that are in the lake already count as duplicates.

Must not: copy or decide what a gap is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Final, NamedTuple

import msgspec
import redis

from firehose.areas import Area
from firehose.batch import buffer, coverage
from firehose.batch import manifest as manifests
from firehose.batch.gaps import Span, merged
from firehose.batch.interval import Batch, is_import
from firehose.batch.lock import lock_path, locks_folder
from firehose.errors import CorruptLake, LockTaken
from firehose.settings import Settings
from firehose.store import LakePath
from ingester.contract import wire
from ingester.contract.gap import Reason
from ingester.contract.logs import get_logger

log = get_logger(__name__)

# An interval may begin on the day before; none is longer than an hour.
_LONGEST: Final = timedelta(hours=1)


class DrainedInterval(NamedTuple):
    """Time (ms, end exclusive) that no drain comes for: of a batch, of a recorded gap, or before all intervals."""

    start_ms: int
    end_ms: int
    batch: str = ""
    folder: LakePath | None = None


class LateFrames:
    """The frames from before a batch that no other drain comes for.

    Only one drain looks for them at a time. While ``held`` is open, neither another drain nor the batches that own
    the intervals take them.
    """

    def __init__(self, client: redis.Redis, settings: Settings, batch: Batch, held: ExitStack) -> None:
        self._client, self._settings, self._batch, self._held = client, settings, batch, held
        self._lake: LakePath = settings.lake_path

    def spans(self, first_start_ms: int) -> list[Span]:
        """Spans (ms) before the batch's own in which such frames are, in order.

        ``first_start_ms``: when the ingester was first started; no interval comes for what is older.
        """
        oldest = self._oldest()
        if oldest is None:
            return []
        begin = max(first_start_ms, _first_interval_ms(self._settings), skipped_until_ms(self._lake))
        drained = [DrainedInterval(0, begin), *self._drained(oldest)]
        found = self._with_frames(
            [interval._replace(end_ms=min(interval.end_ms, self._batch.start_ms)) for interval in drained]
        )
        if not found or not self._is_free(locks_folder(self._lake) / "stragglers.lock"):
            return []
        late = [(interval.start_ms, interval.end_ms) for interval in found if self._has_late_frames(interval)]
        if late:
            log.warning("batch takes late frames along", batch=self._batch.id, spans=len(late))
        return merged(late)

    def _oldest(self) -> int | None:
        """The id (ms) of the oldest frame from before the batch."""
        found = [buffer.next_ms(self._client, queue, 0, self._batch.start_ms) for queue in wire.QUEUES]
        return min((ms for ms in found if ms is not None), default=None)

    def _drained(self, oldest_ms: int) -> list[DrainedInterval]:
        """Intervals that end after ``oldest_ms`` and begin before the batch, with a manifest or a recorded gap."""
        first = f"date={datetime.fromtimestamp(oldest_ms / 1000, UTC) - _LONGEST:%Y-%m-%d}"
        last = f"date={self._batch.start:%Y-%m-%d}"
        known: dict[str, DrainedInterval] = {}
        paths = [day.find("batch=*.json") for day in _days(Area.COVERAGE.of(self._lake), first, last)]
        for path in chain.from_iterable(paths):
            for gap in coverage.read_records(path):
                if gap.reason is Reason.NOT_LISTENING:
                    batch = path.stem.removeprefix("batch=")
                    known[path.stem] = DrainedInterval(gap.from_us // 1000, gap.to_us // 1000, batch)
        folders = [day.folders("batch=*") for day in _days(Area.RAW.of(self._lake), first, last)]
        for folder in chain.from_iterable(folders):
            if not is_import(folder.name.removeprefix("batch=")) and (manifest := manifests.read(folder)):
                start, end = (int(moment.timestamp()) * 1000 for moment in (manifest.start, manifest.end))
                known[folder.name] = DrainedInterval(start, end, manifest.batch, folder)
        return [interval for name, interval in known.items() if name < f"batch={self._batch.id}"]

    def _with_frames(self, intervals: list[DrainedInterval]) -> list[DrainedInterval]:
        """Those in which any queue has a frame. Looks for the next frame, so empty time costs nothing."""
        found: set[DrainedInterval] = set()
        for low, high in merged((interval.start_ms, interval.end_ms) for interval in intervals):
            for queue in wire.QUEUES:
                at = low
                while (ms := buffer.next_ms(self._client, queue, at, high)) is not None:
                    hit = [interval for interval in intervals if interval.start_ms <= ms < interval.end_ms]
                    found.update(hit)
                    at = max(interval.end_ms for interval in hit)
        return sorted(found, key=lambda interval: interval.start_ms)

    def _has_late_frames(self, interval: DrainedInterval) -> bool:
        """Tell whether frames remain once those are deleted that the interval's own batch has copied."""
        if interval.batch:
            if not self._is_free(lock_path(self._lake, interval.batch)):
                return False  # its own drain is at it, or a later step: the next batch looks again
            if interval.folder and (manifest := manifests.read(interval.folder)):
                manifests.settle(interval.folder)
                buffer.remove_copied(self._client, interval.folder, manifest)
        return bool(self._with_frames([interval]))

    def _is_free(self, path: LakePath) -> bool:
        """Tell whether a lock was free, which is held from now on."""
        try:
            self._held.enter_context(path.lock(wait_s=0))
        except LockTaken:
            return False
        return True


def skip(lake: LakePath, batch: Batch) -> None:
    """Record that no drain comes for anything from before the end of a batch, which is skipped.

    Without it, frames from before that moment would wait for ever, if Redis is lost before anything is drained and
    its clock steps back: the first start of the new Redis then is earlier than theirs.

    Raises:
        CorruptLake: the record of earlier ones cannot be read.
    """
    with (locks_folder(lake) / "skipped.lock").lock():
        if batch.end_ms > skipped_until_ms(lake):
            _skipped_path(lake).write(msgspec.json.encode(batch.end_ms))


def skipped_until_ms(lake: LakePath) -> int:
    """The end of what was skipped because the ingester had not been started yet; 0: nothing was.

    Raises:
        CorruptLake: the record cannot be read.
    """
    path = _skipped_path(lake)
    try:
        return msgspec.json.decode(path.read_bytes(), type=int)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise CorruptLake.unreadable(path, error) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CorruptLake(f"{path}: not a time in milliseconds ({error}); remove it") from error


def _skipped_path(lake: LakePath) -> LakePath:
    return Area.COVERAGE.of(lake) / "skipped-until.json"


def _first_interval_ms(settings: Settings) -> int:
    """Where the DAG's first interval starts; 0 without a valid date (the DAG file says what is wrong with it)."""
    try:
        moment = datetime.fromisoformat(settings.start_date)
    except ValueError:
        return 0
    length = settings.batch_minutes * 60
    return -(int(moment.timestamp()) // -length) * length * 1000 if moment.tzinfo else 0


def _days(area: LakePath, first: str, last: str) -> Iterator[LakePath]:
    return (day for day in area.folders("date=*") if first <= day.name <= last)
