"""include/grafana/dashboards: Grafana's dashboards, made of the short list here.

Lives here: which panel asks what. Must not: know Grafana's format (grafana.py), ask for a series that is not in
the lists (a test compares).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from firehose.alerts.limits import Limits
from firehose.settings import Settings
from scripts.pages.grafana import Panel, dashboard, one, stat, zero

#: What is red, by the defaults: a dashboard has no settings to follow.
_LIMITS: Final = Limits.of(Settings())

_INGEST: Final = (
    stat(
        "Lag",
        "Redis' clock minus the time of the last event",
        "s",
        "firehose_ingester_lag_seconds",
        _LIMITS.lag_seconds,
    ),
    stat(
        "Redis in use",
        "Of maxmemory; when it is full the ingester stops reading",
        "percentunit",
        "firehose_redis_used_ratio",
        _LIMITS.buffer_share,
    ),
    stat(
        "Silent",
        "Since the last flush, also an empty one",
        "s",
        "firehose_ingester_silent_seconds",
        _LIMITS.silent_seconds,
    ),
    stat("Missing of 24 h", "Gaps that nothing has filled", "s", 'firehose_missing_seconds{hours="24"}', 1),
    one(
        "Events",
        "Written to Redis, by queue",
        "short",
        "sum by (queue) (rate(firehose_ingester_queue_events_total[$__rate_interval]))",
        "{{queue}}",
    ),
    one(
        "Queue depth",
        "Events that wait, by the events a frame of the last batch",
        "short",
        "firehose_queue_events",
        "{{queue}}",
    ),
    one("Queue memory", "What each queue takes in Redis", "bytes", "firehose_queue_bytes", "{{queue}}"),
    Panel(
        "Redis memory",
        "Used, and the limit",
        "bytes",
        (("firehose_redis_used_bytes", "used"), ("firehose_redis_max_bytes", "maxmemory")),
    ),
    Panel(
        "Time of a flush",
        "From its begin until Redis had it on disk; refused: Redis accepted nothing",
        "s",
        (
            (
                "rate(firehose_ingester_flush_seconds_total[$__rate_interval])"
                " / rate(firehose_ingester_flushes_total[$__rate_interval])",
                "a flush, {{instance}}",
            ),
            ("rate(firehose_ingester_refused_seconds_total[$__rate_interval])", "refused, a second, {{instance}}"),
        ),
    ),
    one(
        "Events in memory",
        "Received, and not known to be in Redis",
        "short",
        "firehose_ingester_waiting_events",
        "{{instance}}",
    ),
    one(
        "Connections that ended",
        "By cause",
        "short",
        "sum by (cause) (increase(firehose_ingester_disconnects_total[$__rate_interval]))",
        "{{cause}}",
    ),
    one(
        "Records of gaps",
        "By reason; most are filled by a replay",
        "short",
        "sum by (reason) (increase(firehose_ingester_gaps_total[$__rate_interval]))",
        "{{reason}}",
    ),
    one(
        "Covered",
        "Share of the last hours in which nothing is missing",
        "percentunit",
        "firehose_covered_ratio",
        "{{hours}} h",
    ),
    Panel(
        "The ingester's process",
        "CPU in cores, and memory",
        "short",
        (
            ('rate(process_cpu_seconds_total{job="firehose-ingester"}[$__rate_interval])', "cores, {{instance}}"),
            ('process_resident_memory_bytes{job="firehose-ingester"} / 1e9', "GB, {{instance}}"),
        ),
    ),
)

_BATCHES: Final = (
    stat(
        "Late",
        "For how long the interval after the last published one has been over",
        "s",
        "firehose_batch_late_seconds",
        _LIMITS.age_seconds,
    ),
    stat("Drained to published", "The last batch", "s", "firehose_batch_seconds", 60),
    stat("Quality of 24 h", "Events that were not quarantined", "percentunit", "firehose_quality_score"),
    stat("Intervals without a batch", "Of the last day", "short", "firehose_missing_batches", 1),
    one(
        "Published", "Batches an hour", "short", "3600 * rate(firehose_published_batches_total[$__rate_interval])"
    ),
    one(
        "Delay",
        "From an interval's end to its publication, last day",
        "s",
        "firehose_batch_delay_seconds",
        "{{statistic}}",
    ),
    one(
        "Events received",
        "By type, by the ledger",
        "short",
        "sum by (type) (increase(firehose_received_events_total[1h]))",
        "{{type}}",
    ),
    one(
        "Stored",
        "Rows added to the lake in an hour",
        "short",
        "sum by (type) (increase(firehose_stored_events_total[1h]))",
        "{{type}}",
    ),
    one(
        "Quarantined",
        "Of the last hour's events",
        "percentunit",
        "sum(increase(firehose_quarantined_events_total[1h])) / sum(increase(firehose_received_events_total[1h]))",
        "share",
        _LIMITS.error_share,
    ),
    one(
        "Duplicates",
        "Events that the lake had already, in an hour",
        "short",
        "sum by (type) (increase(firehose_duplicate_events_total[1h]))",
        "{{type}}",
    ),
    Panel(
        "Waiting",
        "Drained and not published",
        "short",
        (("firehose_unpublished_batches", "batches"), ("firehose_unpublished_oldest_seconds / 60", "oldest, min")),
    ),
    Panel(
        "ClickHouse behind the ledger",
        "Batches, and minutes since the oldest was published",
        "short",
        (("firehose_summaries_behind_batches", "batches"), ("firehose_summaries_behind_seconds / 60", "minutes")),
    ),
    one("Airflow", "What it says of its parts", "short", "firehose_airflow_healthy", "{{part}}"),
    one(
        "Objectives",
        "Bad share of the last hour; the allowance is 0.1 %",
        "percentunit",
        'firehose:bad:ratio{window="1h"}',
        "{{objective}}",
        _LIMITS.budget_share,
    ),
)

_STORAGE: Final = (
    stat("Compression", "Bytes of an event as JSON to bytes of its row", "short", "firehose_compression_ratio"),
    stat("Disk of the lake", "In use", "percentunit", "firehose_disk_used_ratio", _LIMITS.disk_share),
    stat("Last backup", "Since the last complete set", "s", "firehose_backup_age_seconds", _LIMITS.backup_seconds),
    stat(
        "A question of the lake",
        "Of one day, by the exporter",
        "s",
        'firehose_probe_seconds{query="lake"}',
        _LIMITS.query_seconds,
    ),
    Panel(
        "Disks",
        "In use, and free",
        "bytes",
        (("firehose_disk_used_bytes", "used, {{disk}}"), ("firehose_disk_free_bytes", "free, {{disk}}")),
    ),
    Panel(
        "The last day in the lake",
        "Hour files that its batches wrote",
        "short",
        (
            ("firehose_lake_day_files", "files"),
            ("firehose_lake_day_rows / 1e6", "million rows"),
            ("firehose_lake_day_bytes / 1e9", "GB"),
        ),
    ),
    one(
        "Raw bytes",
        "Copied out of Redis, by queue",
        "Bps",
        "sum by (queue) (rate(firehose_drained_bytes_total[1h]))",
        "{{queue}}",
    ),
    one(
        "Questions of the exporter",
        "Time of the latest",
        "s",
        "firehose_probe_seconds",
        "{{query}}",
        _LIMITS.query_seconds,
    ),
    one(
        "Queries",
        "On the embedded endpoint, by outcome",
        "short",
        "sum by (role, outcome) (increase(clickhouse_http_queries_total[$__rate_interval]))",
        "{{role}} {{outcome}}",
    ),
    Panel(
        "Time of queries",
        "On the embedded endpoint: half are faster, and 95 %",
        "s",
        (
            (
                "histogram_quantile(0.5, sum by (role, le) (rate(clickhouse_http_query_seconds_bucket[5m])))",
                "median, {{role}}",
            ),
            (
                "histogram_quantile(0.95, sum by (role, le) (rate(clickhouse_http_query_seconds_bucket[5m])))",
                "95 %, {{role}}",
            ),
        ),
    ),
    Panel(
        "Memory of queries",
        "Granted, of each user's share",
        "bytes",
        (
            ("clickhouse_http_granted_bytes", "granted, {{role}}"),
            ("clickhouse_http_share_bytes", "share, {{role}}"),
            ("clickhouse_http_session_tables_bytes", "temporary tables, {{role}}"),
        ),
    ),
    Panel(
        "Queries now",
        "Running, and waiting for memory",
        "short",
        (
            ("clickhouse_http_running_queries", "running, {{role}}"),
            ("clickhouse_http_waiting_queries", "waiting, {{role}}"),
        ),
    ),
    one(
        "CPU of our processes",
        "In cores, by service",
        "short",
        "rate(firehose_service_cpu_seconds_total[$__rate_interval])",
        "{{service}}",
    ),
    one("Memory of our processes", "By service", "bytes", "firehose_service_memory_bytes", "{{service}}"),
    Panel(
        "Disk of our processes",
        "Bytes a second, by service",
        "Bps",
        (("rate(firehose_service_disk_bytes_total[$__rate_interval])", "{{service}}, {{direction}}"),),
    ),
    Panel(
        "This machine",
        "CPU that is not idle, and memory in use",
        "percentunit",
        (
            (
                '1 - rate(firehose_host_cpu_seconds_total{mode="idle"}[$__rate_interval])'
                " / ignoring (mode) sum without (mode) (rate(firehose_host_cpu_seconds_total[$__rate_interval]))",
                "CPU",
            ),
            (
                '1 - firehose_host_memory_bytes{state="available"}'
                ' / ignoring (state) firehose_host_memory_bytes{state="total"}',
                "memory",
            ),
        ),
    ),
)

_ZERO: Final = (
    zero("Time missing of 30 days", "Seconds that no replay has filled", 'firehose_missing_seconds{hours="720"}'),
    zero("Open gaps", "Records of 30 days", "firehose_open_gaps"),
    zero("Intervals without a batch", "Of the last day", "firehose_missing_batches"),
    zero(
        "Intervals in which nothing listened", "Drains of 24 h", "increase(firehose_missed_intervals_total[24h])"
    ),
    zero(
        "Dead letters",
        "Messages that were no events, 24 h",
        'sum(increase(firehose_ingester_losses_total{path="dead_letter"}[24h]))',
    ),
    zero(
        "Events not written at a stop",
        "They come again from the cursor, 24 h",
        'sum(increase(firehose_ingester_losses_total{path="unwritten"}[24h]))',
    ),
    zero(
        "State that could not be read",
        "In Redis or the lake, 24 h",
        'sum(increase(firehose_ingester_losses_total{path=~"state_unreadable|manifest_unreadable"}[24h]))',
    ),
    zero("Foreign entries", "In the queues, 24 h", "sum(increase(firehose_foreign_entries_total[24h]))"),
    zero("Foreign keys and records", "Moved aside, 24 h", "increase(firehose_foreign_keys_total[24h])"),
    zero("Miscounted frames", "24 h", "sum(increase(firehose_miscounted_frames_total[24h]))"),
    zero("Late frames", "Of intervals that were drained, 24 h", "sum(increase(firehose_late_frames_total[24h]))"),
    zero("Rows that a rebuild lost", "24 h", "sum(increase(firehose_lost_rows_total[24h]))"),
    zero(
        "Batches that wait",
        "Drained, and not published for 30 minutes",
        "firehose_unpublished_batches and firehose_unpublished_oldest_seconds > 1800 or vector(0)",
    ),
    zero("Raw batches not proven", "That are about to expire", "firehose_expiring_unverified_batches"),
    zero("Kept although over", "What maintenance will not remove", "sum(firehose_kept_items)"),
    zero(
        "Questions not answered in time",
        "Of the exporter, 24 h",
        'sum(increase(firehose_probe_queries_total{outcome!="in_time"}[24h]))',
    ),
    zero("Numbers not known", "Parts that the exporter cannot read", "sum(1 - firehose_part_known)"),
    zero("Targets down", "That Prometheus cannot scrape", 'count(up{job=~"firehose-.*"} == 0) or vector(0)'),
)

#: Every dashboard: the name of its file, its title, its panels.
DASHBOARDS: Final = (
    ("ingest", "Firehose: ingest", _INGEST),
    ("batches", "Firehose: batches", _BATCHES),
    ("storage-and-queries", "Firehose: storage and queries", _STORAGE),
    ("expect-zero", "Firehose: expect zero", _ZERO),
)


def files() -> dict[str, str]:
    """The content of each dashboard's file, by its name."""
    return {
        f"{name}.json": json.dumps(dashboard(name, title, panels), indent=1) + "\n"
        for name, title, panels in DASHBOARDS
    }


def write(folder: Path) -> None:
    """Write them."""
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")
