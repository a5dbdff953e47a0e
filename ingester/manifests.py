"""Finds where to resume when Redis has lost its cursor: at the end of the lake, as its raw batches' manifests say.

Lives here: reading manifests, and deciding which to trust. Must not: write anything, know Redis or Jetstream.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from ingester.contract import metrics
from ingester.contract.counting import count
from ingester.contract.gap import Gap, Reason
from ingester.contract.logs import get_logger
from ingester.contract.losses import LossPath
from ingester.contract.wire import IMPORT, LAKE_COVERAGE, LAKE_RAW
from ingester.errors import LakeOutdated
from ingester.position.position import LIVE, AtTime, Position

log = get_logger(__name__)

#: The longest time that a host keeps events: older ones can no longer be requested.
RETENTION: Final = timedelta(hours=36)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BATCH_ID: Final = "%Y%m%dT%H%M%SZ"
_records: Final = msgspec.json.Decoder(list[Gap]).decode


class _Queue(msgspec.Struct):
    last_us: int


class _Manifest(msgspec.Struct):
    """The fields of a manifest that are needed here; the whole type is firehose.batch.manifest.Manifest."""

    start: datetime
    end: datetime
    host: str
    time_us: int
    queues: dict[str, _Queue]
    first_start_ms: int = 0
    protocol: str = ""

    @property
    def drained_us(self) -> int:
        """The time of the last event in the batch; 0 if it has none.

        ``time_us`` is the cursor's time when the batch was drained, so it is later. Like the batch's end it only
        serves as a bound, against an event with a wrong time.
        """
        bound = min(us for us in (_us(self.end), self.time_us) if us)
        return min(max((queue.last_us for queue in self.queues.values()), default=0), bound)


class _Found(NamedTuple):
    path: Path
    manifest: _Manifest | None  # None: it cannot be read


def last_drained(lake: Path, now: datetime, otherwise: Position = LIVE) -> Position:
    """The position of the last event up to which the lake is complete; it is resumed by time.

    It is that of the last batch before the first hole. A hole is an interval within :data:`RETENTION` that has
    neither a manifest nor a record in the coverage ledger that no ingester listened: its events were still in
    Redis. If the very first interval is a hole, the position is the time of the ingester's first start, or
    ``otherwise``, the position that it was told to begin with, if that is earlier. Without a lake, or if the lake
    is empty, it is the live tail.

    Raises:
        LakeOutdated: the lake has the folder names of an earlier version.
    """
    _require_current(lake)
    try:
        found = list(_since(lake / LAKE_RAW, now - RETENTION))
    except OSError as error:  # it does not exist, or may not be read
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
                f"Redis has lost its cursor, and {earlier} has the name that an earlier version gave it: run "
                "`firehose upgrade-lake`, then start the ingester again, which reads in the lake where to continue"
            )


def _since(raw: Path, since: datetime) -> Iterable[_Found]:
    """The manifests from ``since`` on and the last readable one before, in the order of time."""
    found: list[_Found] = []
    for day in sorted(raw.glob("date=*"), reverse=True):
        for folder in sorted(day.glob("batch=*"), reverse=True):
            if (batch := _read(folder / "manifest.json")) is None:
                continue
            if batch.manifest is not None and batch.manifest.protocol == IMPORT:
                continue  # a day that an import has brought says nothing of what was heard
            found.append(batch)
            if batch.manifest is not None and batch.manifest.end <= since:
                return reversed(found)
    if not found:
        next(raw.iterdir(), None)  # raises if the folder does not exist or may not be read
    return reversed(found)


def _read(path: Path) -> _Found | None:
    try:
        return _Found(path, msgspec.json.decode(path.read_bytes(), type=_Manifest))
    except FileNotFoundError:  # a batch that is being drained
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        count(metrics.LOSSES, label=LossPath.MANIFEST_UNREADABLE.code)
        log.error("manifest_unreadable", path=path, reason=error, hint="resuming before this batch")
        return _Found(path, None)


def _undrained_begin(found: Sequence[_Found], since: datetime) -> AtTime | None:
    """The time of the ingester's first start, if the oldest batch begins later."""
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
    """The first interval between two batches that the coverage ledger does not record as without an ingester."""
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
