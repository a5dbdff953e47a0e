"""What the endpoint counts of its queries, and the page that Prometheus reads.

Lives here: the counts, and the outcome of an error. Must not: who may read them (app); the texts of queries.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from clickhouse_http import exceptions, metrics
from clickhouse_http.metrics import Metric

if TYPE_CHECKING:
    from clickhouse_http.requests.spool import Spool
    from clickhouse_http.sessions.admission import Admission

OK: Final = "ok"
GONE: Final = "gone"
STOPPED: Final = "stopped"
ERROR: Final = "error"
LOGIN: Final = "login"
_OUTCOMES: Final = {
    exceptions.TIMEOUT_EXCEEDED: "timeout",
    exceptions.MEMORY_LIMIT_EXCEEDED: "memory",
    exceptions.TOO_MANY_SIMULTANEOUS_QUERIES: "slots",
    exceptions.AUTHENTICATION_FAILED: LOGIN,
    exceptions.REQUIRED_PASSWORD: LOGIN,
}
#: The role of who has not logged in.
NOBODY: Final = "none"
_MIB: Final = 1024 * 1024
_STATM: Final = Path("/proc/self/statm")


def outcome(error: exceptions.QueryError) -> str:
    """The outcome of a query that ended with ``error``."""
    return _OUTCOMES.get(error.code, ERROR)


class Counts:
    """The counts of one endpoint. For the event loop."""

    def __init__(self, admission: Admission, spool: Spool) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # nothing asks for these series
        self._registry = CollectorRegistry()
        self._queries = Counter(
            metrics.QUERIES.name, metrics.QUERIES.help, metrics.QUERIES.labels, registry=self._registry
        )
        seconds = metrics.SECONDS
        self._seconds = Histogram(
            seconds.name, seconds.help, seconds.labels, registry=self._registry, buckets=metrics.BUCKETS
        )
        self._registry.register(_Now(admission, spool))
        self._queries.labels(NOBODY, LOGIN)  # a rate needs a value from before the first query
        for role in admission.roles():
            self._seconds.labels(role)
            for known in (OK, ERROR, GONE, STOPPED, *_OUTCOMES.values()):
                self._queries.labels(role, known)

    def ended(self, role: str, outcome: str, seconds: float) -> None:
        """Count a query that has ended. A failed login has no role and no time: it must not hide slow queries."""
        self._queries.labels(role or NOBODY, outcome).inc()
        if role:
            self._seconds.labels(role).observe(seconds)

    def page(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)


class _Now:
    """The numbers of the moment."""

    def __init__(self, admission: Admission, spool: Spool) -> None:
        self._admission = admission
        self._spool = spool

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """As the client library asks for them."""
        roles = self._admission.roles()
        of_roles = {
            metrics.RUNNING: {role: now.running for role, now in roles.items()},
            metrics.SLOTS: {role: now.slots for role, now in roles.items()},
            metrics.WAITING: {role: now.waiting for role, now in roles.items()},
            metrics.GRANTED: {role: now.granted_mib * _MIB for role, now in roles.items()},
            metrics.SHARE: {role: now.share_mib * _MIB for role, now in roles.items()},
            metrics.TABLES: {role: now.tables_mib * _MIB for role, now in roles.items()},
        }
        for metric, values in of_roles.items():
            yield _gauge(metric, values)
        yield GaugeMetricFamily(metrics.SPOOL.name, metrics.SPOOL.help, self._spool.used)
        # By hand: the library's collector reads files that the sandbox has closed.
        used = resource.getrusage(resource.RUSAGE_SELF)
        cpu = CounterMetricFamily("process_cpu_seconds", "CPU time of this process")
        cpu.add_metric([], used.ru_utime + used.ru_stime)
        yield cpu
        resident = int(_STATM.read_text().split()[1]) * resource.getpagesize()
        yield GaugeMetricFamily("process_resident_memory_bytes", "Memory of this process", resident)


def _gauge(metric: Metric, values: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for role, value in values.items():
        family.add_metric([role], value)
    return family
