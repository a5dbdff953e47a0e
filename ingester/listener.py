"""Serves the numbers of this process to Prometheus, from a thread of its own.

Lives here: which numbers, and what follows if the address is taken. Must not: count, or make the stream wait: it
reads numbers that are there already, and a listener that cannot start is one line in the log.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from wsgiref.simple_server import WSGIServer

from ingester.contract import scrape
from ingester.contract.counting import counted
from ingester.contract.gap import Reason
from ingester.contract.logs import get_logger
from ingester.contract.metrics import DISCONNECTS, GAPS_NOTED, LOSS_METRICS, LOSSES, OF_PROCESS, Metric
from ingester.jetstream.disconnected import Cause

log = get_logger(__name__)

#: Label values that are there from the start, at 0: a rate needs a value from before the first occurrence.
_KNOWN: Final[Mapping[Metric, tuple[str, ...]]] = {
    DISCONNECTS: tuple(cause.name.lower() for cause in Cause),
    GAPS_NOTED: tuple(Reason),
    LOSSES: tuple(path.code for path, metric in LOSS_METRICS.items() if metric is LOSSES),
}

Gauges = Callable[[], Mapping[Metric, float]]


def start(address: str, gauges: Gauges) -> WSGIServer | None:
    """Serve at ``address`` (HOST:PORT; empty: not at all) until the process ends, and ask ``gauges`` each time."""
    if not address:
        return None
    try:
        server = scrape.listener(address, scrape.registry(lambda: _collect(gauges())))
    except OSError as error:
        log.error("metrics_unavailable", address=address, reason=error, hint="change FIREHOSE_INGESTER_METRICS")
        return None
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    log.info("metrics", port=server.server_port)
    return server


def _collect(now: Mapping[Metric, float]) -> Iterator[tuple[Metric, scrape.Values]]:
    for metric in OF_PROCESS:
        yield metric, {(): now[metric]} if metric in now else _counts(metric)


def _counts(metric: Metric) -> scrape.Values:
    if not metric.labels:
        return {(): counted(metric).get("", 0.0)}
    return {(label,): number for label, number in (dict.fromkeys(_KNOWN[metric], 0.0) | counted(metric)).items()}
