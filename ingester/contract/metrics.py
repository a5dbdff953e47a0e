"""The ingester's metrics: its numbers in ``firehose:metadata``, and those of its process, each named once.

Lives here: the type of a metric, and the ingester's closed list. Must not: count (``lua/`` and ``counting.py``
do), or export.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from ingester.contract import wire
from ingester.contract.losses import LossPath


class Kind(StrEnum):
    """How a metric changes."""

    COUNTER = "counter"  # only rises; starts at 0 again with the state that counts it
    GAUGE = "gauge"  # up and down


class By(StrEnum):
    """The process that exports a metric."""

    EXPORTER = "exporter"  # firehose metrics serve
    INGESTER = "ingester"
    ENDPOINT = "endpoint"  # the embedded ClickHouse endpoint
    EACH = "each"  # all three, about their own process


class Metric(NamedTuple):
    """One number: ``name`` is the exported one, ``field`` what counts it (of a Redis hash, or of a step's result).

    What is counted times ``factor`` is in ``unit``. Where ``field`` ends in a colon, the label's value follows it.
    No ``field``: it is measured when it is asked for.
    """

    name: str
    kind: Kind
    unit: str
    help: str
    field: str
    labels: tuple[str, ...] = ()
    factor: float = 1.0
    by: By = By.EXPORTER


_MS: Final = 1e-3
_US: Final = 1e-6

EVENTS: Final = Metric(
    "firehose_ingester_events_total",
    Kind.COUNTER,
    "events",
    "Events written to Redis, of all queues",
    wire.META_EVENTS,
)
EVENTS_OF_QUEUE: Final = Metric(
    "firehose_ingester_queue_events_total",
    Kind.COUNTER,
    "events",
    "Events written to Redis, of one queue",
    wire.EVENTS_PREFIX,
    ("queue",),
)
LAG: Final = Metric(
    "firehose_ingester_lag_seconds",
    Kind.GAUGE,
    "seconds",
    "Redis's clock minus the time of the last event, at the last flush, with or without events",
    wire.META_LAG_US,
    factor=_US,
)
LAST_EVENT: Final = Metric(
    "firehose_ingester_last_event_timestamp_seconds",
    Kind.GAUGE,
    "seconds since 1970",
    "Time of the last event in Redis, as the host stamped it",
    wire.META_TIME_US,
    factor=_US,
)
LAST_FLUSH: Final = Metric(
    "firehose_ingester_last_flush_timestamp_seconds",
    Kind.GAUGE,
    "seconds since 1970",
    "Redis's clock at the last flush, with or without events",
    wire.META_LAST_FLUSH_MS,
    factor=_MS,
)
FIRST_START: Final = Metric(
    "firehose_ingester_first_start_timestamp_seconds",
    Kind.GAUGE,
    "seconds since 1970",
    "Redis's clock when an ingester first claimed the right to write",
    wire.META_FIRST_START_MS,
    factor=_MS,
)
LEASE_END: Final = Metric(
    "firehose_ingester_lease_end_timestamp_seconds",
    Kind.GAUGE,
    "seconds since 1970",
    "Redis's clock until which the writer is taken to be alive",
    wire.META_LEASE_MS,
    factor=_MS,
)


def _of_process(name: str, kind: Kind, unit: str, text: str, *labels: str) -> Metric:
    return Metric(f"firehose_ingester_{name}", kind, unit, text, "", labels, by=By.INGESTER)


CONNECTED: Final = _of_process("connected", Kind.GAUGE, "1 or 0", "1 while it is connected to a host")
WRITER: Final = _of_process("writer", Kind.GAUGE, "1 or 0", "1 once it may write; a spare waits for that")
WAITING: Final = _of_process(
    "waiting_events", Kind.GAUGE, "events", "Events received that are not known to be in Redis"
)
DISCONNECTS: Final = _of_process(
    "disconnects_total", Kind.COUNTER, "connections", "Connections that ended or were not made", "cause"
)
FLUSHES: Final = _of_process("flushes_total", Kind.COUNTER, "flushes", "Writes to Redis, empty ones included")
FLUSH_SECONDS: Final = _of_process(
    "flush_seconds_total", Kind.COUNTER, "seconds", "Time from a flush's begin until Redis had it on disk"
)
REFUSED_SECONDS: Final = _of_process(
    "refused_seconds_total", Kind.COUNTER, "seconds", "The part of it for which Redis accepted nothing"
)
GAPS_NOTED: Final = _of_process(
    "gaps_total", Kind.COUNTER, "records", "Records of gaps written: begun, grown, filled or final", "reason"
)
LOSSES: Final = _of_process(
    "losses_total", Kind.COUNTER, "occurrences", "What took a path of losses in this process", "path"
)

#: Those that are fields of ``firehose:metadata``. They outlive the process, and the exporter reads them there.
OF_METADATA: Final = (EVENTS, EVENTS_OF_QUEUE, LAG, LAST_EVENT, LAST_FLUSH, FIRST_START, LEASE_END)
#: Those of a process, which it exports itself; its counters start at 0 with it.
OF_PROCESS: Final = (
    *(CONNECTED, WRITER, WAITING, DISCONNECTS, FLUSHES, FLUSH_SECONDS, REFUSED_SECONDS),
    *(GAPS_NOTED, LOSSES),
)
#: Every metric of the ingester.
METRICS: Final = OF_METADATA + OF_PROCESS
#: What counts each path of losses in the ingester; the pipeline's are in ``firehose.metrics``.
LOSS_METRICS: Final = {
    LossPath.DEAD_LETTER: LOSSES,
    LossPath.NOTICE: LOSSES,
    LossPath.FORGOTTEN: LOSSES,
    LossPath.UNWRITTEN: LOSSES,
    LossPath.STATE_UNREADABLE: LOSSES,
    LossPath.MANIFEST_UNREADABLE: LOSSES,
    LossPath.GAP: GAPS_NOTED,
}
#: The other fields of ``firehose:metadata``: where to go on, and who may write. Not numbers to watch.
STATE: Final = (
    wire.META_CURSOR,
    wire.META_HOST,
    wire.META_PROTOCOL,
    wire.META_WRITER,
    wire.META_FLUSH,
    wire.META_HISTORY,
    wire.META_RESYNCS,
    wire.META_GAPS,
)
