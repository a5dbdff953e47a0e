"""The ingester's metrics: every number in ``firehose:metadata`` that shows its state, each named once.

Lives here: the type of a metric, and the ingester's closed list. Must not: count (``lua/`` does), or export.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from ingester.contract import wire


class Kind(StrEnum):
    """How a metric changes."""

    COUNTER = "counter"  # only rises; starts at 0 again with the state that counts it
    GAUGE = "gauge"  # up and down


class Metric(NamedTuple):
    """One number: ``name`` is the exported one, ``field`` what counts it (of a Redis hash, or of a step's result).

    What is counted times ``factor`` is in ``unit``. Where ``field`` ends in a colon, the label's value follows it.
    """

    name: str
    kind: Kind
    unit: str
    help: str
    field: str
    labels: tuple[str, ...] = ()
    factor: float = 1.0


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

#: Every metric of the ingester.
METRICS: Final = (EVENTS, EVENTS_OF_QUEUE, LAG, LAST_EVENT, LAST_FLUSH, FIRST_START, LEASE_END)
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
