"""The endpoint's metrics: a closed list.

Lives here: their names, types, units and help texts. Must not: count (``handling/counts.py`` does).
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Metric(NamedTuple):
    """One metric; ``kind`` is counter, gauge or histogram, as Prometheus has it."""

    name: str
    kind: str
    unit: str
    help: str
    labels: tuple[str, ...] = ()


_ROLE: Final = ("role",)

QUERIES: Final = Metric(
    "clickhouse_http_queries_total",
    "counter",
    "queries",
    "Queries that have ended, by how: ok, error, timeout, memory, slots, login, gone (the client), stopped",
    ("role", "outcome"),
)
SECONDS: Final = Metric(
    "clickhouse_http_query_seconds",
    "histogram",
    "seconds",
    "Time of a query from its first byte to the last byte of its answer, also if it failed",
    _ROLE,
)
RUNNING: Final = Metric("clickhouse_http_running_queries", "gauge", "queries", "Queries that run now", _ROLE)
SLOTS: Final = Metric("clickhouse_http_slots", "gauge", "queries", "Queries that may run at once", _ROLE)
WAITING: Final = Metric(
    "clickhouse_http_waiting_queries",
    "gauge",
    "queries",
    "Queries that wait for others to give memory back",
    _ROLE,
)
GRANTED: Final = Metric(
    "clickhouse_http_granted_bytes", "gauge", "bytes", "Memory granted to the queries that run", _ROLE
)
SHARE: Final = Metric("clickhouse_http_share_bytes", "gauge", "bytes", "Memory of all queries together", _ROLE)
TABLES: Final = Metric(
    "clickhouse_http_session_tables_bytes", "gauge", "bytes", "Temporary tables that sessions keep", _ROLE
)
SPOOL: Final = Metric(
    "clickhouse_http_spool_bytes", "gauge", "bytes", "Disk that bodies and held results take now"
)

#: Every metric of the endpoint; beside them it gives two of the client library's about its process.
METRICS: Final = (QUERIES, SECONDS, RUNNING, SLOTS, WAITING, GRANTED, SHARE, TABLES, SPOOL)
#: The histogram's buckets, in seconds. Its objective is one of them.
BUCKETS: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
