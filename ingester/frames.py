"""Collects the events of one flush by queue, and packs them into frames.

Lives here: the buffer and the frame, pure. Must not: I/O, clocks, tasks.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import zstandard

from ingester import wire
from ingester.envelope import classify, dead_letter

#: Level 1: on events of true entropy level 3 saves 3% of the bytes and costs 40% more time.
LEVEL: Final = 1


class Frame(NamedTuple):
    """One stream entry: ``payload`` is the zstd frame of ``events`` lines, in the order received."""

    queue: str
    events: int
    first_us: int
    last_us: int
    payload: bytes


class Buffer:
    """The events received since the last flush. ``last_us`` is the cursor of the last one, or of those before."""

    __slots__ = ("count", "last_us", "lines", "size", "times")

    def __init__(self, last_us: int = 0) -> None:
        self.lines: dict[str, list[bytes]] = {queue: [] for queue in wire.QUEUES}
        self.times: dict[str, list[int]] = {queue: [] for queue in wire.QUEUES}
        self.count = 0
        self.size = 0
        self.last_us = last_us

    def add(self, message: bytes) -> None:
        """Put one message into its queue, whatever it holds."""
        self._keep(*classify(message, self.last_us))

    def reject(self, message: bytes, error: Exception) -> None:
        """Keep a message that could not even be decompressed as a dead letter."""
        self._keep(*dead_letter(message, error, self.last_us))

    def _keep(self, queue: str, time_us: int, line: bytes) -> None:
        self.last_us = time_us
        self.lines[queue].append(line)
        self.times[queue].append(time_us)
        self.count += 1
        self.size += len(line)

    def pack(self, frame_events: int) -> list[Frame]:
        """The frames of all events, at most ``frame_events`` each."""
        compress = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress
        frames = []
        for queue, lines in self.lines.items():
            times = self.times[queue]
            for start in range(0, len(lines), frame_events):
                part = lines[start : start + frame_events]
                last_us = times[start + len(part) - 1]
                frames.append(Frame(queue, len(part), times[start], last_us, compress(wire.join_lines(part))))
        return frames
