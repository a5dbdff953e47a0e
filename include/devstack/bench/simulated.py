"""A simulated day of the firehose as hour files, for benchmarks: through the pipeline's own decoders and writer.

Must not: need any service, measure anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from typing import Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from firehose.errors import FirehoseError
from firehose.events.rows import decode_rows, to_table
from firehose.events.sorting import by_type
from firehose.lake import layout
from firehose.lake.footers import Footer
from firehose.lake.hourfile import put
from firehose.store import LocalLake
from ingester.contract import frame, wire
from jetstream_simulator import generate

START_US: Final = 1_779_926_400_000_000  # 2026-05-28
HOURS: Final = 24
_BATCH_US: Final = 300_000_000
HOUR_US: Final = 3_600_000_000
_FLUSH_US: Final = 400_000


class Line(NamedTuple):
    """An event: the numbers of its hour, batch and flush since 1970, and its JSON."""

    hour: int
    batch: int
    flush: int
    line: bytes


class Sizes(NamedTuple):
    """Bytes of the JSON and events by type, and bytes of the frames that Redis and raw files have."""

    json: Counter[str]
    counts: Counter[str]
    frames: Counter[str]


class _Of(msgspec.Struct):
    collection: str


class _Event(msgspec.Struct):
    kind: str
    commit: _Of | None = None


def day(events: int, hours: int) -> Iterator[Line]:
    """The events of the first hours of a day that has this many, in the order of time."""
    made = generate.Generator()
    for hour in range(hours):
        count = events * (hour + 1) // HOURS - events * hour // HOURS
        for at in _times(START_US + hour * HOUR_US, count, hour):
            yield Line(at // HOUR_US, at // _BATCH_US, at // _FLUSH_US, made.event(at))


def _times(start_us: int, count: int, seed: int) -> list[int]:
    """When so many events of an hour come: by chance, as on the network, and never two in one microsecond."""
    drawn = np.sort(np.random.default_rng(seed).integers(0, HOUR_US - count, count))
    number = np.arange(count)
    times: list[int] = (start_us + np.maximum.accumulate(drawn - number) + number).tolist()
    return times


def store(lake: LocalLake, hour: int, lines: Iterator[Line], sizes: Sizes) -> Counter[tuple[int, str]]:
    """Write the files of an hour in the open form. Returns how many rows each batch has of each type."""
    tables: dict[str, list[pa.Table]] = {}
    rows_of: Counter[tuple[int, str]] = Counter()
    for batch, of_batch in groupby(lines, key=lambda line: line.batch):
        queues: dict[str, list[bytes]] = {}
        for _, of_flush in groupby(of_batch, key=lambda line: line.flush):
            flushed: dict[str, list[bytes]] = {}
            for each in of_flush:
                flushed.setdefault(_queue_of(each.line), []).append(each.line)
            for made in frame.pack(flushed):
                sizes.frames[made.queue] += len(made.payload)
            for queue, of_queue in flushed.items():
                queues.setdefault(queue, []).extend(of_queue)
        start = datetime.fromtimestamp(batch * 300, UTC)
        for queue, of_queue in queues.items():
            for kind, of_kind in by_type(queue, of_queue).items():
                rows, _, failed = decode_rows(kind, of_kind)
                if failed:
                    raise FirehoseError(f"a simulated event of {kind} cannot be decoded: {failed[0].reason}")
                tables.setdefault(kind, []).append(to_table(kind, rows, start))
                sizes.json[kind] += sum(map(len, of_kind)) + len(of_kind)  # a line ends with a newline
                sizes.counts[kind] += len(of_kind)
                rows_of[batch, kind] += len(of_kind)
    for kind, of_hour in tables.items():
        put(layout.hour_file(lake, kind, hour), kind, of_hour, Footer({}, {}, {}), "adopt")
    return rows_of


def _queue_of(line: bytes) -> str:
    event = msgspec.json.decode(line, type=_Event)
    if event.commit is None:
        return wire.KIND_QUEUES[event.kind]
    return wire.COLLECTION_QUEUES.get(event.commit.collection, wire.OTHER)
