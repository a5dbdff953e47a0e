"""The metrics of the whole project: a closed list, of which `make docs` makes docs/metrics.md.

Lives here: names, types, units and help texts of what batches, refreshes, checks and backfills count; what the
exporter measures is in ``firehose.observed``, those of the ingester in ``ingester.contract.metrics``. A field that
counts is annotated with its metric. Must not: count, or export.
"""

from __future__ import annotations

from typing import Final

from firehose import observed
from firehose.observed import OBSERVED
from ingester.contract.losses import LossPath
from ingester.contract.metrics import LOSS_METRICS as LOSSES_OF_INGESTER
from ingester.contract.metrics import METRICS as OF_INGESTER
from ingester.contract.metrics import Kind, Metric

_TYPE: Final = ("type",)
_QUEUE: Final = ("queue",)
_TIER: Final = ("tier",)


_MINUTE: Final = 60.0
_HOUR: Final = 3600.0


def _counter(
    name: str, unit: str, field: str, text: str, labels: tuple[str, ...] = (), factor: float = 1.0
) -> Metric:
    return Metric(f"firehose_{name}_total", Kind.COUNTER, unit, text, field, labels, factor)


def _gauge(
    name: str, unit: str, field: str, text: str, labels: tuple[str, ...] = (), factor: float = 1.0
) -> Metric:
    return Metric(f"firehose_{name}", Kind.GAUGE, unit, text, field, labels, factor)


# The drain's.
DRAINED: Final = _counter("drained_events", "events", "events", "Events copied from Redis to raw files", _QUEUE)
DRAINED_FRAMES: Final = _counter("drained_frames", "frames", "frames", "Entries of Redis copied", _QUEUE)
DRAINED_BYTES: Final = _counter("drained_bytes", "bytes", "size", "Size of the raw files, compressed", _QUEUE)
FOREIGN: Final = _counter(
    "foreign_entries", "entries", "foreign", "Entries that were not frames, and were kept as dead letters", _QUEUE
)
MISCOUNTED: Final = _counter(
    "miscounted_frames", "frames", "miscounted", "Frames that held another number of events than they said", _QUEUE
)
LATE: Final = _counter(
    "late_frames", "frames", "late", "Frames of other intervals, which no drain of their own would take", _QUEUE
)
MINUTES_HEARD: Final = _counter(
    "heard_seconds",
    "seconds",
    "minutes_heard",
    "Minutes in which the ingester was connected to the source, in seconds",
    factor=_MINUTE,
)

# The validation's, where received = good + quarantined, and the publication's, where duplicates are not good:
# received = good + quarantined + duplicates, and good = stored.
RECEIVED: Final = _counter("received_events", "events", "received", "Raw events that a batch had to place", _TYPE)
GOOD: Final = _counter(
    "good_events",
    "events",
    "good",
    "Events that passed the quality rules; in the ledger without duplicates",
    _TYPE,
)
QUARANTINED: Final = _counter("quarantined_events", "events", "quarantined", "Events set aside as bad", _TYPE)
DUPLICATES: Final = _counter("duplicate_events", "events", "duplicates", "Events that the lake had already", _TYPE)
STORED: Final = _counter("stored_events", "events", "stored", "Events counted in the hour files", _TYPE)
DISPLACED: Final = _counter(
    "displaced_events",
    "events",
    "displaced",
    "Rows of later batches that a batch replaced with its own copy",
    _TYPE,
)
ERROR_RATE: Final = _gauge("error_ratio", "share", "error_rate", "Quarantined events of all events, last batch")
REBUILT: Final = _counter("rebuilt_rows", "rows", "rows", "Rows of hour files made again from raw batches", _TYPE)
LOST: Final = _counter("lost_rows", "rows", "lost", "Rows that a rebuild could not make again", _TYPE)

# The summaries' refresh, the daily check, the coverage.
HOURS_LOADED: Final = _counter("loaded_hours", "hours", "hours", "Hours rebuilt in ClickHouse, of any table")
REFRESH_SECONDS: Final = _gauge("refresh_seconds", "seconds", "seconds", "How long the last refresh took")
OPEN_GAPS: Final = _gauge("open_gaps", "gaps", "open_gaps", "Gaps in coverage that nothing has filled")
FILES_COMPARED: Final = _gauge("checked_files", "files", "files", "Hour files compared by the last daily check")
FILES_READ: Final = _gauge("checked_read_files", "files", "read", "Hour files that it read in full")
BYTES_READ: Final = _gauge("checked_read_bytes", "bytes", "read_bytes", "Bytes that it read in full")

# Maintenance.
CLOSED_FILES: Final = _counter("closed_files", "files", "closed", "Hour files written in closed form")
CLOSED_SAVED: Final = _counter("closed_saved_bytes", "bytes", "saved", "Bytes that this has saved")
TO_CLOSE: Final = _gauge(
    "open_files", "files", "open", "Hour files that the last maintenance could not close in time"
)
VERIFIED_FILES: Final = _counter(
    "verified_files", "files", "verified", "Hour files whose every CID was recomputed"
)
VERIFIED_ROWS: Final = _counter("verified_rows", "rows", "verified_rows", "Rows of these files")
TO_VERIFY: Final = _gauge("unverified_files", "files", "left", "Hour files that raw files still wait for")
EXPIRED: Final = _counter("expired_items", "items", "removed", "Batches, files, days of a table removed", _TIER)
FREED: Final = _counter("expired_bytes", "bytes", "freed", "Bytes that these removals have freed", _TIER)
KEPT: Final = _gauge("kept_items", "items", "kept", "What stays although its time is over", _TIER)
SHARED_HOURS: Final = _gauge("iceberg_hours", "hours", "shared", "Hours in the Iceberg tables, of any type")
SHARED_TAKEN: Final = _counter("iceberg_taken_hours", "hours", "taken", "Hours that these tables took, also again")
SHARED_BEHIND: Final = _gauge(
    "iceberg_behind_hours", "hours", "behind", "Hours whose version in these tables is not the lake's"
)
DISK_USED: Final = _gauge("disk_used_ratio", "share", "disk_used", "Use of the lake's disk; 0: it has no limit")

# The backups'.
BACKUP_FILES: Final = _gauge("backup_files", "files", "files", "Files in the last backup set")
BACKUP_BYTES: Final = _gauge("backup_bytes", "bytes", "size", "Bytes of these files")
BACKUP_SENT: Final = _counter("backup_sent_objects", "objects", "sent", "Objects that backups had to write")
BACKUP_SENT_BYTES: Final = _counter("backup_sent_bytes", "bytes", "sent_bytes", "Bytes of these objects")
BACKUP_READ: Final = _counter("backup_read_files", "files", "read", "Files of the lake that backups have read")
BACKUP_SECONDS: Final = _gauge("backup_seconds", "seconds", "seconds", "How long the last backup took")
BACKUP_VERIFIED: Final = _counter(
    "backup_verified_objects", "objects", "objects", "Objects of backups that verifications have read"
)
BACKUP_VERIFIED_BYTES: Final = _counter("backup_verified_bytes", "bytes", "size", "Bytes of these objects")
BACKUP_PRUNED: Final = _counter(
    "backup_pruned_objects", "objects", "objects", "Objects of backups that no set needed any more"
)
BACKUP_AGE: Final = _gauge(
    "backup_age_seconds", "seconds", "age_hours", "Age of the last complete backup set", factor=_HOUR
)
RESTORE_AGE: Final = _gauge(
    "restore_age_seconds",
    "seconds",
    "restore_age_hours",
    "Time since the last restore that was complete",
    factor=_HOUR,
)

# The backfills'.
BACKFILLED: Final = _counter(
    "backfilled_events", "events", "events", "Events put into Redis from an archive", _QUEUE
)
BACKFILL_SEGMENTS: Final = _counter(
    "backfill_segments", "segments", "segments", "Segments downloaded, in whole or in part"
)
BACKFILL_ABSENT: Final = _counter(
    "backfill_absent_events", "events", "absent", "Events that an archive no longer has"
)
BACKFILL_BYTES: Final = _counter(
    "backfill_downloaded_bytes",
    "bytes",
    "downloaded",
    "Bytes downloaded for one gap, or on one UTC day (in Redis)",
)

#: Those that steps count.
OF_STEPS: Final = tuple(value for value in list(vars().values()) if isinstance(value, Metric))
#: Every metric of ingester and pipeline; the embedded endpoint, which knows neither, has a list of its own.
METRICS: Final = OF_INGESTER + OF_STEPS + OBSERVED
#: What counts each path of losses.
LOSS_METRICS: Final[dict[LossPath, Metric]] = {
    **LOSSES_OF_INGESTER,
    LossPath.FOREIGN_ENTRY: FOREIGN,
    LossPath.MISCOUNTED: MISCOUNTED,
    LossPath.LATE_FRAME: LATE,
    LossPath.FOREIGN_KEY: observed.FOREIGN_KEYS,
    LossPath.SKIPPED_INTERVAL: observed.SKIPPED,
    LossPath.MISSED_INTERVAL: observed.MISSED,
    LossPath.QUARANTINED: QUARANTINED,
    LossPath.UNPUBLISHED: observed.UNPUBLISHED,
    LossPath.DUPLICATE: DUPLICATES,
    LossPath.DISPLACED: DISPLACED,
    LossPath.REBUILD_LOST: LOST,
    LossPath.ABSENT: BACKFILL_ABSENT,
    LossPath.EXPIRED: EXPIRED,
    LossPath.NOT_LOADED: observed.SUMMARIES_BEHIND,
}
