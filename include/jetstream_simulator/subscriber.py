"""One client's way through the event log: its position, its filter, and the bytes that go to it next.

Lives here: choosing and encoding frames. Must not: sockets, tasks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import zstandard

from jetstream_simulator import envelope, frames
from jetstream_simulator.event_log import EventLog
from jetstream_simulator.options import Filter

#: What one write holds at most (a single larger event excepted): it bounds a client's memory.
BATCH_EVENTS = 1024
BATCH_BYTES = 256 * 1024


class Subscriber:
    """A client that reads the event log. ``position`` is the next event that it has not been offered.

    It begins at ``cursor_us`` (microseconds), at ``position``, or without either at the live tail; never
    before the position ``floor``.
    """

    #: How many times the feed's limit it may be behind before it is too slow.
    patience = 1

    def __init__(
        self,
        event_log: EventLog,
        wanted: Filter,
        cursor_us: int | None,
        compressor: zstandard.ZstdCompressor | None = None,
        *,
        position: int | None = None,
        floor: int = 0,
    ) -> None:
        self._resume: Callable[[], int] | None = None
        if cursor_us is not None:
            self._resume = partial(event_log.position, cursor_us)
        elif position is not None:
            self._resume = lambda: min(event_log.end, position)
        self.filter = wanted
        self.position = event_log.end if self._resume is None else max(floor, self._resume())
        self.sent = 0
        #: True once it has caught up with the event log: only then can it be too slow.
        self.live = self._resume is None
        self._event_log = event_log
        self._compressor = compressor

    def next_batch(self, limit: int = BATCH_EVENTS) -> list[bytes]:
        """The frames to send next, ``limit`` at most; the position moves on past what the filter drops.

        Empty does not mean the event log's end: look at ``behind`` for that.

        Raises:
            Overtaken: the event log dropped events that this client has not had.
        """
        self._skip_to_cursor()
        first = self.position
        offered = self._event_log.read(first, min(limit, BATCH_EVENTS), BATCH_BYTES)
        self.position += len(offered)
        self.live = self.live or not self.behind
        batch = self._frames(first, offered)
        self.sent += len(batch)
        return batch

    @property
    def behind(self) -> int:
        """How many events of the event log it has not been offered."""
        return self._event_log.end - self.position

    def _skip_to_cursor(self) -> None:
        """A cursor ahead of the event log (an unfinished replay) stays in force until it is reached."""
        if self._resume is not None:
            self.position = max(self.position, self._resume())
            if self.behind:
                self._resume = None

    def _frames(self, position: int, offered: list[bytes]) -> list[bytes]:
        """The frames of ``offered``, which begins at ``position``, that this client gets."""
        if self._event_log.only_v2:
            hidden = self._event_log.only_v2
            offered = [frame for i, frame in enumerate(offered, position) if i not in hidden]
        return self._encoded(self._wanted(offered))

    def _wanted(self, offered: list[bytes]) -> list[bytes]:
        if not self.filter.by_content:
            return offered
        return [frame for frame in offered if self._wants(frames.payload(frame))]

    def _wants(self, line: bytes) -> bool:
        try:
            read = envelope.read(line)
        except envelope.NotAnObject:
            return self.filter.wants("", "")
        return self.filter.wants(read.did, read.collection)

    def _encoded(self, wanted: list[bytes]) -> list[bytes]:
        limit = self.filter.max_bytes
        if self._compressor is None:
            return wanted if not limit else [f for f in wanted if len(frames.payload(f)) <= limit]
        # As on v1, the size that counts is the one on the wire.
        messages = map(self._compressor.compress, map(frames.payload, wanted))
        return [frames.binary_frame(message) for message in messages if not limit or len(message) <= limit]
