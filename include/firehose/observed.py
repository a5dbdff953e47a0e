"""The metrics that no step counts: what the exporter measures, in Redis, lake, ClickHouse and on this machine.

Lives here: a part of the closed list, which ``firehose.metrics`` has whole. Must not: measure.
"""

from __future__ import annotations

from typing import Final

from ingester.contract.metrics import By, Kind, Metric

_QUEUE: Final = ("queue",)
_HOURS: Final = ("hours",)
_DISK: Final = ("disk",)
_QUERY: Final = ("query",)


def _gauge(name: str, unit: str, text: str, labels: tuple[str, ...] = ()) -> Metric:
    return Metric(f"firehose_{name}", Kind.GAUGE, unit, text, "", labels)


def _counter(name: str, unit: str, text: str, labels: tuple[str, ...] = ()) -> Metric:
    return Metric(f"firehose_{name}_total", Kind.COUNTER, unit, text, "", labels)


_INSTANT: Final = "seconds since 1970"

# Buffer.
QUEUE_EVENTS: Final = _gauge(
    "queue_events", "events", "Events that wait in a queue, by the events a frame of the last batch", _QUEUE
)
QUEUE_FRAMES: Final = _gauge("queue_frames", "frames", "Frames that wait in a queue", _QUEUE)
QUEUE_BYTES: Final = _gauge("queue_bytes", "bytes", "Memory that a queue takes in Redis", _QUEUE)
REDIS_USED: Final = _gauge("redis_used_bytes", "bytes", "Memory that Redis uses")
REDIS_MAX: Final = _gauge("redis_max_bytes", "bytes", "Redis' maxmemory; 0: no limit is set")
REDIS_SHARE: Final = _gauge("redis_used_ratio", "share", "Use of Redis' maxmemory")
REDIS_AOF: Final = _gauge("redis_aof_bytes", "bytes", "Size of Redis' append-only file")
REDIS_AOF_OK: Final = _gauge("redis_aof_ok", "1 or 0", "1 while Redis can write its append-only file")
GAPS_WAITING: Final = _gauge("waiting_gap_records", "records", "Records of gaps that wait for a drain")
SILENT: Final = _gauge(
    "ingester_silent_seconds", "seconds", "How long the ingester has flushed nothing, not even an empty flush"
)
UNHEARD: Final = _gauge(
    "ingester_unheard_seconds", "seconds", "How long ago its last minute with a connection ended; 0: connected"
)

# Batches.
BATCH_LENGTH: Final = _gauge("batch_length_seconds", "seconds", "Length of an interval")
NEWEST_END: Final = _gauge(
    "newest_batch_end_timestamp_seconds", _INSTANT, "End of the latest interval that is published"
)
BATCH_LATE: Final = _gauge(
    "batch_late_seconds", "seconds", "For how long the interval after the latest published one has been over"
)
BATCH_SECONDS: Final = _gauge("batch_seconds", "seconds", "From drained to published, of the latest batch")
BATCH_DELAY: Final = _gauge(
    "batch_delay_seconds", "seconds", "From an interval's end to its publication, last day", ("statistic",)
)
PUBLISHED: Final = _counter("published_batches", "batches", "Batches in the ledger")
UNPUBLISHED: Final = _gauge(
    "unpublished_batches", "batches", "Batches of the last day that are drained and not published"
)
UNPUBLISHED_AGE: Final = _gauge(
    "unpublished_oldest_seconds", "seconds", "How long ago the oldest of them was drained"
)
MISSING_BATCHES: Final = _gauge(
    "missing_batches", "batches", "Intervals of the last day that are over, with no batch, skip or gap"
)
QUALITY: Final = _gauge("quality_score", "share", "Events of the last day that were not quarantined, of all")

# Coverage.
COVERED: Final = _gauge("covered_ratio", "share", "Time of the last hours in which nothing is missing", _HOURS)
MISSING_TIME: Final = _gauge("missing_seconds", "seconds", "Time of the last hours that gaps leave open", _HOURS)
GAP_WAITED: Final = _gauge(
    "gap_waited_seconds", "seconds", "Since the oldest open gap was noted that hosts may still fill; 0: none"
)
OPEN_GAP_TIME: Final = _gauge("open_gap_seconds", "seconds", "Open gaps of the last 30 days", ("reason",))

# Storage and queries.
LAKE_FILES: Final = _gauge("lake_day_files", "files", "Hour files that batches of the last day wrote")
LAKE_ROWS: Final = _gauge("lake_day_rows", "rows", "Rows of these files")
LAKE_BYTES: Final = _gauge("lake_day_bytes", "bytes", "Bytes of these files")
COMPRESSION: Final = _gauge("compression_ratio", "ratio", "Bytes of an event as JSON to bytes of its row")
DISK_USED_BYTES: Final = _gauge("disk_used_bytes", "bytes", "Use of a disk: the lake's, the home's", _DISK)
DISK_FREE_BYTES: Final = _gauge("disk_free_bytes", "bytes", "Room on that disk", _DISK)
UNVERIFIED: Final = _gauge(
    "expiring_unverified_batches", "batches", "Raw batches that are about to expire and are not proven"
)
SUMMARIES_BEHIND: Final = _gauge(
    "summaries_behind_batches", "batches", "Batches of the last day that ClickHouse has not loaded"
)
SUMMARIES_BEHIND_TIME: Final = _gauge(
    "summaries_behind_seconds", "seconds", "How long ago the oldest of them was published"
)
PROBES: Final = _counter(
    "probe_queries", "queries", "Queries of the exporter, by end: in_time, late, failed", ("query", "outcome")
)
PROBE_SECONDS: Final = _gauge("probe_seconds", "seconds", "Time of the latest of them", _QUERY)

# Airflow, this machine, the exporter.
AIRFLOW_HEALTHY: Final = _gauge("airflow_healthy", "1 or 0", "What Airflow says of its parts", ("part",))
SCHEDULER_SILENT: Final = _gauge("airflow_scheduler_silent_seconds", "seconds", "Age of its last heartbeat")
HOST_CPU: Final = _counter("host_cpu_seconds", "seconds", "CPU time of this machine", ("mode",))
HOST_MEMORY: Final = _gauge("host_memory_bytes", "bytes", "Memory of this machine", ("state",))
HOST_DISK: Final = _counter("host_disk_bytes", "bytes", "Bytes that its disks have moved", ("direction",))
SERVICE_CPU: Final = _counter("service_cpu_seconds", "seconds", "CPU time of our processes here", ("service",))
SERVICE_MEMORY: Final = _gauge("service_memory_bytes", "bytes", "Memory of our processes here", ("service",))
SERVICE_DISK: Final = _counter(
    "service_disk_bytes", "bytes", "Bytes that our processes here have moved", ("service", "direction")
)
SERVICE_PROCESSES: Final = _gauge("service_processes", "processes", "Our processes here", ("service",))
PART_KNOWN: Final = _gauge(
    "part_known", "1 or 0", "0: this part could not be read, and is not exported", ("part",)
)
LIMIT: Final = _gauge(
    "limit", "seconds or share", "What alerts compare with, as the settings have it; rules follow them", ("limit",)
)
LOOKED: Final = _gauge("exporter_last_look_timestamp_seconds", _INSTANT, "When the exporter last looked")
LOOK_SECONDS: Final = _gauge("exporter_look_seconds", "seconds", "How long that took")

# What drains count in Redis, where nothing else keeps it.
FOREIGN_KEYS: Final = _counter(
    "foreign_keys", "items", "Keys and records of others in Redis, moved aside and kept"
)
SKIPPED: Final = _counter("skipped_intervals", "intervals", "Drains of intervals from before the first start")
MISSED: Final = _counter("missed_intervals", "intervals", "Drains of intervals in which nothing listened")

#: Those of drains.
OF_DRAINS: Final = (FOREIGN_KEYS, SKIPPED, MISSED)
#: What each of our processes says of itself, by Prometheus' own names.
OF_PROCESSES: Final = (
    Metric("process_cpu_seconds_total", Kind.COUNTER, "seconds", "CPU time of the process", "", by=By.EACH),
    Metric("process_resident_memory_bytes", Kind.GAUGE, "bytes", "Memory of the process", "", by=By.EACH),
)
#: Every metric of this module.
OBSERVED: Final = tuple(value for value in list(vars().values()) if isinstance(value, Metric)) + OF_PROCESSES
