"""include/grafana/dashboards: Grafana's dashboards, made of the short list here.

Lives here: which panel asks what. Must not: name a data source, since that is the variable ``datasource`` of each
dashboard; ask for a series that is not in the lists (a test compares).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, NamedTuple

#: Grafana's format, as version 11 writes it.
_SCHEMA: Final = 39
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_COLUMNS: Final = 24


class Panel(NamedTuple):
    """A panel: ``queries`` are expressions with their legends. ``kind``: timeseries, or stat for one number.

    ``worst``: from this value on it is red.
    """

    title: str
    text: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    worst: float | None = None


def _one(title: str, text: str, unit: str, expression: str, legend: str = "", worst: float | None = None) -> Panel:
    return Panel(title, text, unit, ((expression, legend),), worst=worst)


def _stat(title: str, text: str, unit: str, expression: str, worst: float | None = None) -> Panel:
    return Panel(title, text, unit, ((expression, ""),), "stat", worst)


def _zero(title: str, text: str, expression: str) -> Panel:
    return Panel(title, text, "short", ((expression, ""),), "stat", 1e-9)


_INGEST: Final = (
    _stat("Lag", "Redis' clock minus the time of the last event", "s", "firehose_ingester_lag_seconds", 600),
    _stat(
        "Redis in use",
        "Of maxmemory; when it is full the ingester stops reading",
        "percentunit",
        "firehose_redis_used_ratio",
        0.8,
    ),
    _stat("Silent", "Since the last flush, also an empty one", "s", "firehose_ingester_silent_seconds", 60),
    _stat("Missing of 24 h", "Gaps that nothing has filled", "s", 'firehose_missing_seconds{hours="24"}', 1),
    _one(
        "Events",
        "Written to Redis, by queue",
        "short",
        "sum by (queue) (rate(firehose_ingester_queue_events_total[$__rate_interval]))",
        "{{queue}}",
    ),
    _one(
        "Queue depth",
        "Events that wait, by the events a frame of the last batch",
        "short",
        "firehose_queue_events",
        "{{queue}}",
    ),
    _one("Queue memory", "What each queue takes in Redis", "bytes", "firehose_queue_bytes", "{{queue}}"),
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
    _one(
        "Events in memory",
        "Received, and not known to be in Redis",
        "short",
        "firehose_ingester_waiting_events",
        "{{instance}}",
    ),
    _one(
        "Connections that ended",
        "By cause",
        "short",
        "sum by (cause) (increase(firehose_ingester_disconnects_total[$__rate_interval]))",
        "{{cause}}",
    ),
    _one(
        "Records of gaps",
        "By reason; most are filled by a replay",
        "short",
        "sum by (reason) (increase(firehose_ingester_gaps_total[$__rate_interval]))",
        "{{reason}}",
    ),
    _one(
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
    _stat(
        "Late",
        "For how long the interval after the last published one has been over",
        "s",
        "firehose_batch_late_seconds",
        600,
    ),
    _stat("Drained to published", "The last batch", "s", "firehose_batch_seconds", 60),
    _stat("Quality of 24 h", "Events that were not quarantined", "percentunit", "firehose_quality_score"),
    _stat("Intervals without a batch", "Of the last day", "short", "firehose_missing_batches", 1),
    _one(
        "Published", "Batches an hour", "short", "3600 * rate(firehose_published_batches_total[$__rate_interval])"
    ),
    _one(
        "Delay",
        "From an interval's end to its publication, last day",
        "s",
        "firehose_batch_delay_seconds",
        "{{statistic}}",
    ),
    _one(
        "Events received",
        "By type, by the ledger",
        "short",
        "sum by (type) (increase(firehose_received_events_total[1h]))",
        "{{type}}",
    ),
    _one(
        "Stored",
        "Rows added to the lake in an hour",
        "short",
        "sum by (type) (increase(firehose_stored_events_total[1h]))",
        "{{type}}",
    ),
    _one(
        "Quarantined",
        "Of the last hour's events",
        "percentunit",
        "sum(increase(firehose_quarantined_events_total[1h])) / sum(increase(firehose_received_events_total[1h]))",
        "share",
        0.01,
    ),
    _one(
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
    _one("Airflow", "What it says of its parts", "short", "firehose_airflow_healthy", "{{part}}"),
    _one(
        "Objectives",
        "Bad share of the last hour; the allowance is 0.1 %",
        "percentunit",
        'firehose:bad:ratio{window="1h"}',
        "{{objective}}",
        0.001,
    ),
)

_STORAGE: Final = (
    _stat("Compression", "Bytes of an event as JSON to bytes of its row", "short", "firehose_compression_ratio"),
    _stat("Disk of the lake", "In use", "percentunit", "firehose_disk_used_ratio", 0.9),
    _stat("Last backup", "Since the last complete set", "s", "firehose_backup_age_seconds", 129600),
    _stat("A question of the lake", "Of one day, by the exporter", "s", 'firehose_probe_seconds{query="lake"}', 5),
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
    _one(
        "Raw bytes",
        "Copied out of Redis, by queue",
        "Bps",
        "sum by (queue) (rate(firehose_drained_bytes_total[1h]))",
        "{{queue}}",
    ),
    _one("Questions of the exporter", "Time of the latest", "s", "firehose_probe_seconds", "{{query}}", 5),
    _one(
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
    _one(
        "CPU of our processes",
        "In cores, by service",
        "short",
        "rate(firehose_service_cpu_seconds_total[$__rate_interval])",
        "{{service}}",
    ),
    _one("Memory of our processes", "By service", "bytes", "firehose_service_memory_bytes", "{{service}}"),
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
    _zero("Time missing of 30 days", "Seconds that no replay has filled", 'firehose_missing_seconds{hours="720"}'),
    _zero("Open gaps", "Records of 30 days", "firehose_open_gaps"),
    _zero("Intervals without a batch", "Of the last day", "firehose_missing_batches"),
    _zero(
        "Intervals in which nothing listened", "Drains of 24 h", "increase(firehose_missed_intervals_total[24h])"
    ),
    _zero(
        "Dead letters",
        "Messages that were no events, 24 h",
        'sum(increase(firehose_ingester_losses_total{path="dead_letter"}[24h]))',
    ),
    _zero(
        "Events not written at a stop",
        "They come again from the cursor, 24 h",
        'sum(increase(firehose_ingester_losses_total{path="unwritten"}[24h]))',
    ),
    _zero(
        "State that could not be read",
        "In Redis or the lake, 24 h",
        'sum(increase(firehose_ingester_losses_total{path=~"state_unreadable|manifest_unreadable"}[24h]))',
    ),
    _zero("Foreign entries", "In the queues, 24 h", "sum(increase(firehose_foreign_entries_total[24h]))"),
    _zero("Foreign keys and records", "Moved aside, 24 h", "increase(firehose_foreign_keys_total[24h])"),
    _zero("Miscounted frames", "24 h", "sum(increase(firehose_miscounted_frames_total[24h]))"),
    _zero("Late frames", "Of intervals that were drained, 24 h", "sum(increase(firehose_late_frames_total[24h]))"),
    _zero("Rows that a rebuild lost", "24 h", "sum(increase(firehose_lost_rows_total[24h]))"),
    _zero(
        "Batches that wait",
        "Drained, and not published for 30 minutes",
        "firehose_unpublished_batches and firehose_unpublished_oldest_seconds > 1800 or vector(0)",
    ),
    _zero("Raw batches not proven", "That are about to expire", "firehose_expiring_unverified_batches"),
    _zero("Kept although over", "What maintenance will not remove", "sum(firehose_kept_items)"),
    _zero(
        "Questions not answered in time",
        "Of the exporter, 24 h",
        'sum(increase(firehose_probe_queries_total{outcome!="in_time"}[24h]))',
    ),
    _zero("Numbers not known", "Parts that the exporter cannot read", "sum(1 - firehose_part_known)"),
    _zero("Targets down", "That Prometheus cannot scrape", 'count(up{job=~"firehose-.*"} == 0) or vector(0)'),
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
        f"{name}.json": json.dumps(_dashboard(name, title, panels), indent=1) + "\n"
        for name, title, panels in DASHBOARDS
    }


def write(folder: Path) -> None:
    """Write them."""
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")


def _dashboard(name: str, title: str, panels: tuple[Panel, ...]) -> dict[str, Any]:
    source = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    return {
        "uid": f"firehose-{name}",
        "title": title,
        "tags": ["firehose"],
        "schemaVersion": _SCHEMA,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "utc",
        "templating": {"list": [source]},
        "links": [{"type": "dashboards", "title": "Firehose", "tags": ["firehose"], "asDropdown": True}],
        "panels": _placed(panels),
    }


def _placed(panels: tuple[Panel, ...]) -> list[dict[str, Any]]:
    """The panels from left to right, small ones four in a row, others two."""
    found: list[dict[str, Any]] = []
    x = y = height = 0
    for number, panel in enumerate(panels, 1):
        w, h = (6, 4) if panel.kind == "stat" else (12, 8)
        if x + w > _COLUMNS or (x and h != height):
            x, y = 0, y + height
        found.append(_panel(number, panel) | {"gridPos": {"x": x, "y": y, "w": w, "h": h}})
        x, height = x + w, h
    return found


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.worst is not None:
        steps.append({"color": "red", "value": panel.worst})
    options = (
        {"reduceOptions": {"calcs": ["lastNotNull"]}} if panel.kind == "stat" else {"tooltip": {"mode": "multi"}}
    )
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": _SOURCE,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "options": options,
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
            for place, (expression, legend) in enumerate(panel.queries)
        ],
    }
