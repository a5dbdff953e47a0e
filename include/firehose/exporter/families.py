"""A snapshot as metrics: pure.

Lives here: which field of a snapshot is which metric. Must not: look, or count. What is not known gives no value:
an old or made-up number would hide that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from firehose import metrics, observed
from firehose.alerts.limits import Limits
from firehose.observe import PARTS, Snapshot
from firehose.observe.batches import BatchState, QualityState
from firehose.observe.buffer import BufferState
from firehose.observe.coverage import CoverageState
from firehose.observe.ingester import IngesterState
from firehose.observe.services import AirflowState
from firehose.observe.storage import DiskState, StorageState
from firehose.settings import Settings
from ingester.contract import metrics as of_ingester
from ingester.contract.metrics import Metric
from ingester.contract.scrape import Values

Families = Iterator[tuple[Metric, Values]]


def of_snapshot(seen: Snapshot) -> Families:
    """Every metric that a snapshot has a value for."""
    yield observed.LOOKED, {(): seen.at.timestamp()}
    yield observed.PART_KNOWN, {(part,): float(part not in seen.unknown) for part in PARTS}
    if seen.ingester:
        yield from _ingester(seen.ingester)
    if seen.buffer:
        yield from _buffer(seen.buffer)
    if seen.batches:
        yield from _batches(seen.batches)
    if seen.quality:
        yield from _quality(seen.quality)
    if seen.coverage:
        yield from _coverage(seen.coverage)
    if seen.storage:
        yield from _storage(seen.storage)
    if seen.disks is not None:
        yield from _disks(seen.disks)
    if seen.airflow:
        yield from _airflow(seen.airflow)
    yield from _rest(seen)


def of_limits(settings: Settings) -> Families:
    """The limits that rules compare with: those of the monitor."""
    limits: dict[str, float] = msgspec.structs.asdict(Limits.of(settings))
    yield observed.LIMIT, {(name,): value for name, value in limits.items()}


def _ingester(seen: IngesterState) -> Families:
    yield of_ingester.EVENTS, {(): seen.events}
    yield of_ingester.EVENTS_OF_QUEUE, {(queue,): number for queue, number in seen.queue_events.items()}
    moments = {
        of_ingester.LAST_EVENT: seen.cursor_time,
        of_ingester.LAST_FLUSH: seen.last_flush,
        of_ingester.FIRST_START: seen.first_start,
        of_ingester.LEASE_END: seen.lease_until,
    }
    for metric, moment in moments.items():
        yield metric, _known(moment.timestamp() if moment else None)
    yield of_ingester.LAG, _known(seen.lag_s)
    yield observed.SILENT, _known(seen.silent_s)
    yield observed.UNHEARD, _known(seen.unheard_s)


def _buffer(seen: BufferState) -> Families:
    depths = seen.queues.items()
    yield observed.QUEUE_FRAMES, {(queue,): depth.frames for queue, depth in depths}
    yield observed.QUEUE_BYTES, {(queue,): depth.bytes for queue, depth in depths}
    yield observed.QUEUE_EVENTS, {(queue,): depth.events for queue, depth in depths if depth.events is not None}
    yield observed.REDIS_USED, {(): seen.used_bytes}
    yield observed.REDIS_MAX, {(): seen.max_bytes}
    yield observed.REDIS_SHARE, _known(seen.share)
    yield observed.REDIS_AOF, _known(seen.aof_bytes)
    yield observed.REDIS_AOF_OK, _known(seen.aof_ok)
    yield observed.GAPS_WAITING, {(): seen.gap_records}


def _batches(seen: BatchState) -> Families:
    delays = {"median": seen.delay_median_s, "max": seen.delay_max_s}
    yield observed.BATCH_LENGTH, {(): seen.length_s}
    yield observed.NEWEST_END, _known(seen.newest_end.timestamp() if seen.newest_end else None)
    yield observed.BATCH_LATE, {(): seen.late_s}
    yield observed.BATCH_SECONDS, _known(seen.took_s)
    yield observed.BATCH_DELAY, {(name,): value for name, value in delays.items() if value is not None}
    yield observed.UNPUBLISHED, {(): len(seen.running)}
    yield observed.UNPUBLISHED_AGE, {(): max((batch.age_s for batch in seen.running), default=0.0)}
    yield observed.MISSING_BATCHES, {(): sum(len(missing.batches) for missing in seen.missing)}


def _quality(seen: QualityState) -> Families:
    yield metrics.ERROR_RATE, _known(seen.error_rate)
    yield observed.QUALITY, _known(None if seen.span_error_rate is None else 1 - seen.span_error_rate)


def _coverage(seen: CoverageState) -> Families:
    yield metrics.OPEN_GAPS, {(): seen.open_records}
    yield observed.COVERED, {(str(hours),): share for hours, share in seen.covered.items()}
    yield observed.MISSING_TIME, {(str(hours),): seconds for hours, seconds in seen.missing_s.items()}
    yield observed.GAP_WAITED, {(): seen.waited_s}
    reasons: Counter[str] = Counter()
    for line in seen.open:
        reasons[line.reason] += (line.to_us - line.from_us) / 1e6  # type: ignore[assignment]  # fractions
    yield observed.OPEN_GAP_TIME, {(reason,): seconds for reason, seconds in reasons.items()}


def _storage(seen: StorageState) -> Families:
    yield observed.LAKE_FILES, {(): seen.files}
    yield observed.LAKE_ROWS, {(): seen.rows}
    yield observed.LAKE_BYTES, {(): seen.bytes}
    yield observed.COMPRESSION, _known(seen.ratio)


def _disks(seen: list[DiskState]) -> Families:
    yield observed.DISK_USED_BYTES, {(disk.name,): disk.used_bytes for disk in seen}
    yield observed.DISK_FREE_BYTES, {(disk.name,): disk.free_bytes for disk in seen}
    yield metrics.DISK_USED, {(): next((disk.share for disk in seen if disk.name == "lake"), 0.0)}


def _airflow(seen: AirflowState) -> Families:
    parts = {
        "metadatabase": seen.metadatabase,
        "scheduler": seen.scheduler,
        "dag_processor": seen.dag_processor,
    }
    yield observed.AIRFLOW_HEALTHY, {(part,): float(said == "healthy") for part, said in parts.items()}
    yield observed.SCHEDULER_SILENT, _known(seen.scheduler_silent_s)


def _rest(seen: Snapshot) -> Families:
    if seen.summaries:
        yield observed.SUMMARIES_BEHIND, {(): seen.summaries.behind}
        yield observed.SUMMARIES_BEHIND_TIME, {(): seen.summaries.behind_s}
    if seen.retention:
        yield observed.UNVERIFIED, {(): len(seen.retention.unverified)}
    if seen.backup:  # an age below 0: there is none
        ages = {metrics.BACKUP_AGE: seen.backup.age_hours, metrics.RESTORE_AGE: seen.backup.restore_age_hours}
        for metric, age in ages.items():
            yield metric, _known(age * metric.factor if age >= 0 else None)


def _known(value: float | None) -> Values:
    return {} if value is None else {(): float(value)}
