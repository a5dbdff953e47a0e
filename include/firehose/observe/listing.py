"""The batches of any span, one by one: published, at work, missing or a gap; their counts, and how long they took.

Lives here: one row for each interval. Must not: judge them, change the lake.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec

from firehose.batch import manifest as manifests
from firehose.batch.coverage import read_gaps
from firehose.batch.interval import Batch
from firehose.batch.manifest import Manifest
from firehose.lake.ledger import LedgerEntry
from firehose.observe.batches import batches
from firehose.observe.ledger import RecentLedger
from firehose.settings import Settings
from ingester.contract.gap import Reason


class State(StrEnum):
    """What became of an interval."""

    PUBLISHED = "published"
    UNPUBLISHED = "unpublished"  # drained: its run is at work, or has failed
    MISSING = "missing"  # over, and neither drained nor recorded as a gap
    SKIPPED = "skipped"  # nothing listened: a recorded gap


class BatchRow(msgspec.Struct, frozen=True, kw_only=True):
    """One interval. ``raw``: whether its raw files are kept, have expired, or were never there.

    ``took_s``: from drained to published. ``delay_s``: from the interval's end to its publication.
    """

    batch: str
    start: datetime
    end: datetime
    state: State
    raw: str
    received: int | None = None
    good: int | None = None
    quarantined: int | None = None
    duplicates: int | None = None
    error_rate: float | None = None
    drained_at: datetime | None = None
    published_at: datetime | None = None
    took_s: float | None = None
    delay_s: float | None = None


def listed(settings: Settings, since: datetime, until: datetime) -> list[BatchRow]:
    """The batches that end in [since, until], in order.

    Raises:
        CorruptLake, CorruptBatch: an entry, a manifest or a record of gaps cannot be read.
    """
    length = timedelta(minutes=settings.batch_minutes)
    ledger = RecentLedger(settings.lake_path)
    gaps = [gap for gap in read_gaps(settings.lake_path) if gap.reason is Reason.NOT_LISTENING]
    state = batches(settings, ledger, gaps, until, until - since)
    rows = {entry.batch: _published(settings, entry) for entry in ledger.entries(since, until)}
    for running in state.running:
        rows[running.batch] = _unpublished(settings, running.batch, length)
    for missing in state.missing:
        for name in missing.batches:
            rows[name] = _without(name, length, State.MISSING)
    for gap in gaps:
        start = datetime.fromtimestamp(gap.from_us // 1_000_000, UTC)
        name = f"{start:%Y%m%dT%H%M%SZ}"
        if name not in rows and since < start + length <= until:
            rows[name] = _without(name, length, State.SKIPPED)
    return [rows[name] for name in sorted(rows)]


def _published(settings: Settings, entry: LedgerEntry) -> BatchRow:
    manifest = _manifest(settings, Batch.of(entry.start, entry.end))
    counts = entry.counts.values()
    received, quarantined = sum(each.received for each in counts), sum(each.quarantined for each in counts)
    return BatchRow(
        batch=entry.batch,
        start=entry.start,
        end=entry.end,
        state=State.PUBLISHED,
        raw=_raw(manifest),
        received=received,
        good=sum(each.good for each in counts),
        quarantined=quarantined,
        duplicates=sum(each.duplicates for each in counts),
        error_rate=quarantined / received if received else None,
        drained_at=manifest.created_at if manifest else None,
        published_at=entry.published_at,
        took_s=(entry.published_at - manifest.created_at).total_seconds() if manifest else None,
        delay_s=(entry.published_at - entry.end).total_seconds(),
    )


def _unpublished(settings: Settings, name: str, length: timedelta) -> BatchRow:
    named = Batch.parse(name, int(length.total_seconds()))
    manifest = _manifest(settings, named)
    return BatchRow(
        batch=name,
        start=named.start,
        end=manifest.end if manifest else named.end,
        state=State.UNPUBLISHED,
        raw=_raw(manifest),
        received=manifest.events if manifest else None,
        drained_at=manifest.created_at if manifest else None,
    )


def _without(name: str, length: timedelta, state: State) -> BatchRow:
    named = Batch.parse(name, int(length.total_seconds()))
    return BatchRow(batch=name, start=named.start, end=named.end, state=state, raw="none")


def _manifest(settings: Settings, batch: Batch) -> Manifest | None:
    return manifests.read(manifests.folder_of(settings.lake_path, batch))


def _raw(manifest: Manifest | None) -> str:
    if manifest is None:
        return "none"
    return "expired" if manifest.expired else "kept"
