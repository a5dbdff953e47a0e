"""A frame: events of one queue as one stream entry, newline-ended JSON lines in one zstd frame.

Lives here: the only function that makes frames from bytes. Must not: Redis, the meaning of an event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import zstandard

from ingester.contract import wire

#: On recorded events, levels 2 to 5 took 1.3 to 5 times as long, without smaller frames.
LEVEL: Final = 1
#: The number of events in a frame, unless the settings say otherwise.
EVENTS: Final = 500


class Frame(NamedTuple):
    """One stream entry: ``payload`` is the zstd frame of ``events`` lines, in the order received."""

    queue: str
    events: int
    first_us: int
    last_us: int
    payload: bytes

    @property
    def key(self) -> str:
        """The Redis key of its queue's stream."""
        return wire.stream_key(self.queue)


class _Timed(msgspec.Struct, gc=False):
    time_us: int


_decode: Final = msgspec.json.Decoder(_Timed).decode


def time_us_of(line: bytes) -> int:
    """The time (µs) of an event in v1's form, or of a dead letter."""
    return _decode(line).time_us


def pack(queues: Mapping[str, Sequence[bytes]], frame_events: int = EVENTS) -> list[Frame]:
    """Make frames of all lines, given by queue, with at most ``frame_events`` lines in each."""
    parts = [
        (queue, lines[start : start + frame_events])
        for queue, lines in queues.items()
        for start in range(0, len(lines), frame_events)
    ]
    payloads = _compressed([wire.join_lines(lines) for _, lines in parts])
    return [
        Frame(queue, len(lines), time_us_of(lines[0]), time_us_of(lines[-1]), payload)
        for (queue, lines), payload in zip(parts, payloads, strict=True)
    ]


def _compressed(blocks: list[bytes]) -> list[bytes]:
    """Each block as a zstd frame. One call compresses all, so that a thread gives up the GIL only once."""
    if not blocks:
        return []
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    packed = compressor.multi_compress_to_buffer([*blocks])
    return [packed[index].tobytes() for index in range(len(packed))]
