"""The batches of the last day: published, late, missing or at work, how long they took, how good they were.

Lives here: the comparison of ledger, manifests and intervals. Must not: judge it, change the lake.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Protocol

import msgspec

from firehose.areas import Area
from firehose.batch import manifest as manifests
from firehose.batch.gaps import Span, merged
from firehose.batch.interval import Batch, is_import
from firehose.batch.late import skipped_until_ms
from firehose.batch.manifest import Manifest
from firehose.lake.ledger import LedgerEntry
from firehose.observe.ledger import RecentLedger
from firehose.settings import Settings
from ingester.contract.gap import Gap, Reason


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that was drained and is not published: at work, or failed. ``since``: when it was drained."""

    batch: str
    since: datetime
    age_s: float


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """Intervals in a row that are over, and neither drained, published, skipped nor within a recorded gap."""

    start: datetime
    end: datetime
    batches: list[str]


class BatchState(msgspec.Struct, frozen=True, kw_only=True):
    """The batches of a span of time.

    ``newest``: the published batch with the latest interval (empty: none was published, however long ago).
    ``expected``: the batch of the last interval that is over. ``late_s``: for how long the interval after the
    newest one has been over. ``took_s``: from drained to published, of the newest one. ``delay_…_s``: from the
    end of an interval to its publication, of all in the span. ``running`` and ``missing`` are in order.
    """

    span_s: float
    length_s: int
    newest: str
    newest_end: datetime | None
    published_at: datetime | None
    expected: str
    late_s: float
    took_s: float | None
    published: int
    events: int
    delay_median_s: float | None
    delay_max_s: float | None
    running: list[Running]
    missing: list[Missing]
    events_a_frame: dict[str, float]


class QualityState(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the events were bad: in the newest batch, and in all of the span. None: there was no event."""

    batch: str
    error_rate: float | None
    span_s: float
    received: int
    quarantined: int
    duplicates: int
    span_error_rate: float | None


def batches(
    settings: Settings, ledger: RecentLedger, gaps: Sequence[Gap], now: datetime, span: timedelta
) -> BatchState:
    """The batches of the latest ``span``. ``gaps`` are those of that time: intervals in which nothing listened.

    Reads names of files, the entries of the span that are new, and a manifest for each batch at work.

    Raises:
        CorruptLake, CorruptBatch: an entry, a manifest or a record cannot be read.
    """
    lake, length = settings.lake_path, timedelta(minutes=settings.batch_minutes)
    lake.require_current()
    since = now - span
    entries, newest = ledger.entries(since, now), ledger.newest(now)
    drained = _drained(settings, since, now)
    published = {entry.batch for entry in entries}
    manifest = manifests.read(manifests.folder_of(lake, Batch.of(newest.start, newest.end))) if newest else None
    expected = _floor(now, length) - length
    begin = begin_of(settings, entries, skipped_until_ms(lake), since, now)
    delays = [(entry.published_at - entry.end).total_seconds() for entry in entries]
    return BatchState(
        span_s=span.total_seconds(),
        length_s=int(length.total_seconds()),
        newest=newest.batch if newest else "",
        newest_end=newest.end if newest else None,
        published_at=newest.published_at if newest else None,
        expected=f"{expected:%Y%m%dT%H%M%SZ}",
        late_s=max(0.0, (now - (newest.end if newest else begin) - length).total_seconds()),
        took_s=_took_s(newest, manifest),
        published=len(entries),
        events=sum(_received(entry) for entry in entries),
        delay_median_s=median(delays) if delays else None,
        delay_max_s=max(delays, default=None),
        running=list(_running(settings, sorted(drained - published), now)),
        missing=missing(begin, now, length, entries, drained, gaps),
        events_a_frame=_events_a_frame(manifest),
    )


def quality(ledger: RecentLedger, now: datetime, span: timedelta) -> QualityState:
    """How good the events of the latest ``span`` were.

    Raises:
        CorruptLake: an entry cannot be read.
    """
    entries, newest = ledger.entries(now - span, now), ledger.newest(now)
    received = sum(map(_received, entries))
    quarantined = sum(map(_quarantined, entries))
    last = _received(newest) if newest else 0
    return QualityState(
        batch=newest.batch if newest else "",
        error_rate=_quarantined(newest) / last if newest and last else None,
        span_s=span.total_seconds(),
        received=received,
        quarantined=quarantined,
        duplicates=sum(counts.duplicates for entry in entries for counts in entry.counts.values()),
        span_error_rate=quarantined / received if received else None,
    )


def _received(entry: LedgerEntry) -> int:
    return sum(counts.received for counts in entry.counts.values())


def _quarantined(entry: LedgerEntry) -> int:
    return sum(counts.quarantined for counts in entry.counts.values())


def _took_s(newest: LedgerEntry | None, manifest: Manifest | None) -> float | None:
    if newest is None or manifest is None:
        return None
    return max(0.0, (newest.published_at - manifest.created_at).total_seconds())


def _events_a_frame(manifest: Manifest | None) -> dict[str, float]:
    queues = manifest.queues if manifest else {}
    return {name: queue.events / queue.frames for name, queue in queues.items() if queue.frames}


def _drained(settings: Settings, since: datetime, now: datetime) -> set[str]:
    """The live batches of these days that have a manifest."""
    area, days = Area.RAW.of(settings.lake_path), (now.date() - since.date()).days
    folders = (area / f"date={since.date() + timedelta(days=number)}" for number in range(days + 1))
    found = (path.parent.name for folder in folders for path in folder.find(f"batch=*/{manifests.NAME}"))
    earliest = f"{since:%Y%m%dT%H%M%SZ}"
    names = (each.removeprefix("batch=") for each in found)
    return {name for name in names if name >= earliest and not is_import(name)}


def _running(settings: Settings, names: Iterable[str], now: datetime) -> Iterable[Running]:
    for name in names:
        folder = manifests.folder_of(settings.lake_path, Batch.parse(name, 1))
        if (manifest := manifests.read(folder)) and not manifest.expired:
            age = max(0.0, (now - manifest.created_at).total_seconds())
            yield Running(batch=name, since=manifest.created_at, age_s=age)


class Interval(Protocol):
    """What was published, by its interval."""

    @property
    def start(self) -> datetime: ...
    @property
    def end(self) -> datetime: ...


def begin_of(
    settings: Settings, entries: Sequence[Interval], skipped_ms: int, since: datetime, now: datetime
) -> datetime:
    """From when on there have to be batches: nothing is missing of the time before the first start."""
    begins = [since, datetime.fromtimestamp(skipped_ms / 1000, UTC)]
    if settings.start_date:
        begins.append(datetime.fromisoformat(settings.start_date).astimezone(UTC))
    else:  # nobody has said: from the first batch on
        begins.append(entries[0].start if entries else now)
    return max(begins)


def missing(
    begin: datetime,
    now: datetime,
    length: timedelta,
    entries: Sequence[Interval],
    drained: set[str],
    gaps: Sequence[Gap],
) -> list[Missing]:
    """Intervals of [begin, now) that were not published, nor ``drained``, nor are within a recorded gap."""
    there = [(_s(entry.start), _s(entry.end)) for entry in entries]
    there += [(start, start + _s(length)) for start in (_s(Batch.parse(name, 1).start) for name in drained)]
    silence = (gap for gap in gaps if gap.reason is Reason.NOT_LISTENING)
    there += [(gap.from_us // 1_000_000, gap.to_us // 1_000_000) for gap in silence]
    spans = merged(there)
    # Where the ingester itself says that it was away all the time, there was nothing to drain.
    outages = merged((-(-gap.from_us // 1_000_000), gap.to_us // 1_000_000) for gap in gaps if not gap.queue)
    found: list[tuple[datetime, list[str]]] = []
    start, end_of_last = _ceil(begin, length), None
    while start + length <= now:
        low, high = _s(start), _s(start + length)
        if not _touches(spans, low, high) and not any(since <= low and high <= to for since, to in outages):
            if start != end_of_last:
                found.append((start, []))
            found[-1][1].append(f"{start:%Y%m%dT%H%M%SZ}")
            end_of_last = start + length
        start += length
    return [Missing(start=begun, end=begun + len(names) * length, batches=names) for begun, names in found]


def _touches(spans: list[Span], low: int, high: int) -> bool:
    """Tell whether one of these disjoint spans, in order, has a part of [low, high)."""
    after = bisect_left(spans, (high, high))
    return after > 0 and spans[after - 1][1] > low


def _s(moment: datetime | timedelta) -> int:
    return int(moment.timestamp() if isinstance(moment, datetime) else moment.total_seconds())


def _floor(moment: datetime, length: timedelta) -> datetime:
    seconds = int(length.total_seconds())
    return datetime.fromtimestamp(int(moment.timestamp()) // seconds * seconds, UTC)


def _ceil(moment: datetime, length: timedelta) -> datetime:
    floor = _floor(moment, length)
    return floor if floor == moment else floor + length
