"""Synthetic events in quantity, by several processes: as a recording for the simulator, or as frames in Redis.

Every part has accounts, record keys and CIDs of its own, so nothing compresses better than real events would.
Must not: measure.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import redis
import zstandard

from firehose.batch.interval import Batch
from ingester.contract import wire
from jetstream_simulator import generate

#: Events of one part: what a process makes at a time.
PART_EVENTS: Final = 100_000
_FRAME_EVENTS: Final = 500


class Frame(NamedTuple):
    """One stream entry to be."""

    queue: str
    events: int
    payload: bytes


class _Part(NamedTuple):
    seed: int
    events: int
    start_us: int
    rate: float


class _Commit(msgspec.Struct):
    collection: str


class _Event(msgspec.Struct):
    kind: str
    commit: _Commit | None = None


def write_recording(
    path: Path, events: int, start_us: int, rate: float, *, first_seed: int = 0, before: bytes = b""
) -> None:
    """A file of ``events`` lines, ``rate`` of them a second from ``start_us`` on, in order of time.

    Two recordings share no event if their seeds, one for each part, differ. ``before`` are lines to begin with.
    """
    parts = list(_parts(events, start_us, rate, first_seed))
    with path.open("wb") as out, _pool(parts) as pool:
        out.write(before)
        out.writelines(pool.imap(_lines, parts))


def fill(
    client: redis.Redis, batch: Batch, events: int, start_us: int, rate: float, *, first_seed: int = 0
) -> None:
    """Put ``events`` events into Redis as the ingester does, all of them within the interval of ``batch``.

    ``first_seed``: see :func:`write_recording`.
    """
    number = 0
    parts = list(_parts(events, start_us, rate, first_seed))
    with _pool(parts) as pool:
        for frames in pool.imap(_frames, parts):
            pipeline = client.pipeline(transaction=False)
            for frame in frames:
                number += 1
                fields: dict[Any, Any] = {
                    wire.FIELD_COUNT: frame.events,
                    wire.FIELD_FIRST_US: start_us,
                    wire.FIELD_LAST_US: start_us,
                    wire.FIELD_PAYLOAD: frame.payload,
                }
                pipeline.xadd(wire.stream_key(frame.queue), fields, id=f"{batch.start_ms}-{number}")
            pipeline.execute()


def _pool(parts: list[_Part]) -> Any:
    # Spawned: the caller may have threads, and the parts need nothing of it.
    return multiprocessing.get_context("spawn").Pool(min(len(parts), os.cpu_count() or 1) or 1)


def _parts(events: int, start_us: int, rate: float, first_seed: int = 0) -> Iterator[_Part]:
    for seed, first in enumerate(range(0, events, PART_EVENTS), first_seed):
        yield _Part(seed, min(PART_EVENTS, events - first), start_us + int(first * 1e6 / rate), rate)


def _events(part: _Part) -> Iterator[bytes]:
    return generate.events(part.events, seed=part.seed, start_us=part.start_us, rate=part.rate)


def _lines(part: _Part) -> bytes:
    return b"".join(line + b"\n" for line in _events(part))


def _frames(part: _Part) -> list[Frame]:
    queues: dict[str, list[bytes]] = {}
    for line in _events(part):
        queues.setdefault(_queue_of(line), []).append(line)
    compress = zstandard.ZstdCompressor(level=1, write_checksum=True).compress
    return [
        Frame(queue, len(lines), compress(wire.join_lines(lines)))
        for queue, of_queue in queues.items()
        for first in range(0, len(of_queue), _FRAME_EVENTS)
        if (lines := of_queue[first : first + _FRAME_EVENTS])
    ]


def _queue_of(line: bytes) -> str:
    event = msgspec.json.decode(line, type=_Event)
    if event.commit is None:
        return wire.KIND_QUEUES[event.kind]
    return wire.COLLECTION_QUEUES.get(event.commit.collection, wire.OTHER)
