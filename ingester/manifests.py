"""How far the lake goes: where to resume when Redis has lost its cursor, from the manifests of the raw batches.

Lives here: reading manifests, and which of them to trust. Must not: write anything, know Redis or Jetstream.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from ingester.contract.gap import Gap, Reason
from ingester.contract.logs import get_logger
from ingester.contract.wire import LAKE_COVERAGE, LAKE_RAW
from ingester.errors import LakeOutdated
from ingester.position.position import LIVE, AtTime, Position

log = get_logger(__name__)

#: The longest that a host keeps events: what is missing from before can no longer be asked for.
RETENTION: Final = timedelta(hours=36)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BATCH_ID: Final = "%Y%m%dT%H%M%SZ"
_records: Final = msgspec.json.Decoder(list[Gap]).decode


class _Queue(msgspec.Struct):
    last_us: int


class _Manifest(msgspec.Struct):
    """What is needed of a manifest; the pipeline's own type is firehose.batch.manifest.Manifest."""

    start: datetime
    end: datetime
    host: str
    time_us: int
    queues: dict[str, _Queue]
    first_start_ms: int = 0

    @property
    def drained_us(self) -> int:
        """The time of the last event in the batch; 0: it has none.

        ``time_us`` is that of the cursor when the batch was drained, and so ahead of it: only a bound, as the
        batch's end is, against an event with a wrong time.
        """
        bound = min(us for us in (_us(self.end), self.time_us) if us)
        return min(max((queue.last_us for queue in self.queues.values()), default=0), bound)


class _Found(NamedTuple):
    path: Path
    manifest: _Manifest | None  # None: it cannot be read


def last_drained(lake: Path, now: datetime, otherwise: Position = LIVE) -> Position:
    """The last event up to which every one is in the lake, as a position that is resumed by time.

    It is found in the last batch before the first hole: an interval within :data:`RETENTION` that has no manifest,
    nor a record in the coverage ledger that nobody listened, was still in Redis. If the very first one is such a
    hole, it is when the ingester was first started, or ``otherwise``, what it was told to begin with, if earlier.
    The live tail if there is no lake, or nothing in it.

    Raises:
        LakeOutdated: the lake has the folder names of an earlier version.
    """
    _require_current(lake)
    try:
        found = list(_since(lake / LAKE_RAW, now - RETENTION))
    except OSError as error:  # not there, or not ours to read
        log.info("no_manifests", lake=lake, reason=error)
        return LIVE
    if begin := _undrained_begin(found, now - RETENTION):
        return otherwise if 0 < otherwise.time_us < begin.time_us else begin
    last = _before_first_hole(lake, found)
    if last is None:
        return LIVE
    return AtTime(last.drained_us, last.host or "lake")


def _require_current(lake: Path) -> None:
    for name in (LAKE_RAW, LAKE_COVERAGE):
        if (earlier := lake / name.removeprefix("_")).is_dir():
            raise LakeOutdated(
                f"Redis has lost its cursor, and {earlier} has its name from an earlier version: to say where to "
                "go on, the lake has to be upgraded (firehose upgrade-lake); then start the ingester again"
            )


def _since(raw: Path, since: datetime) -> Iterable[_Found]:
    """The manifests from ``since`` on and the readable one before, in the order of time."""
    found: list[_Found] = []
    for day in sorted(raw.glob("date=*"), reverse=True):
        for folder in sorted(day.glob("batch=*"), reverse=True):
            if (each := _read(folder / "manifest.json")) is None:
                continue
            found.append(each)
            if each.manifest is not None and each.manifest.end <= since:
                return reversed(found)
    if not found:
        next(raw.iterdir(), None)  # says why, if it is not there or may not be read
    return reversed(found)


def _read(path: Path) -> _Found | None:
    try:
        return _Found(path, msgspec.json.decode(path.read_bytes(), type=_Manifest))
    except FileNotFoundError:  # a batch that is being drained
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        log.error("manifest_unreadable", path=path, reason=error, hint="resuming before this batch")
        return _Found(path, None)


def _undrained_begin(found: Sequence[_Found], since: datetime) -> AtTime | None:
    """When the ingester was first started, if the oldest batch that there is begins later."""
    manifests = [manifest for _, manifest in found if manifest is not None]
    first_us = min(
        (manifest.first_start_ms * 1000 for manifest in manifests if manifest.first_start_ms), default=0
    )
    if not first_us or first_us < _us(since) or first_us >= _us(manifests[0].start):
        return None
    log.error("manifest_missing", batch="the first one", next=f"batch={manifests[0].start:{_BATCH_ID}}")
    return AtTime(first_us, manifests[0].host or "lake")


def _before_first_hole(lake: Path, found: Sequence[_Found]) -> _Manifest | None:
    """The last manifest with events before the first hole."""
    last: _Manifest | None = None
    end: datetime | None = None
    for path, manifest in found:
        if manifest is None:
            if end is None:
                continue
            break
        if end is not None and manifest.start > end and (hole := _hole(lake, end, manifest.start)):
            log.error("manifest_missing", batch=f"{hole:{_BATCH_ID}}", next=path.parent.name)
            break
        end = max(end, manifest.end) if end else manifest.end
        if manifest.drained_us:
            last = manifest
    return last


def _hole(lake: Path, start: datetime, end: datetime) -> datetime | None:
    """The first interval between two batches of which the coverage ledger does not say that nobody listened."""
    while start < end:
        path = lake / LAKE_COVERAGE / f"date={start:%Y-%m-%d}" / f"batch={start:{_BATCH_ID}}.json"
        try:
            records = _records(path.read_bytes())
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return start
        silent = [gap.to_us for gap in records if gap.reason is Reason.NOT_LISTENING and gap.to_us > _us(start)]
        if not silent:
            return start
        start = _EPOCH + timedelta(microseconds=max(silent))
    return None


def _us(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)
