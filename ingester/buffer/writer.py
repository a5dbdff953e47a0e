"""Buffers events and decides when to write them: at most one flush is under way while one is being filled.

Lives here: backpressure, heartbeats, the content of a flush. Must not: the websocket, retries, Redis commands.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from ingester.buffer.buffers import Buffer, buffer_for
from ingester.buffer.delivery import Delivery
from ingester.buffer.exchange import Flush
from ingester.contract import crash, metrics, wire
from ingester.contract.counting import count
from ingester.contract.losses import LossPath
from ingester.contract.resyncs import Resyncs
from ingester.contract.settings import IngesterSettings
from ingester.jetstream.hosts import Host
from ingester.position.dropout import DropoutDetector
from ingester.position.gaps import OUTAGE_S, Gaps
from ingester.position.position import Position

#: An empty flush is written after this many seconds without another, to show that a quiet minute was listened to;
#: and three times in a lease, so that it does not run out.
HEARTBEAT_S: Final = 2.0


class Writer:
    """Passes events to ``delivery`` in order; each flush has the current state of ``gaps`` and ``detector``."""

    def __init__(
        self,
        delivery: Delivery,
        gaps: Gaps,
        detector: DropoutDetector,
        settings: IngesterSettings,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.resyncs = Resyncs()
        self.buffer = Buffer()
        self.written = 0
        self.connected = False
        self.counts = dict.fromkeys(wire.QUEUES, 0)  # of all flushes begun, up to the event at counted_us
        self.counted_us = 0
        self._delivery = delivery
        self._gaps = gaps
        self._detector = detector
        self._settings = settings
        self._clock = clock
        self._now = now
        self._heartbeat_s = min(HEARTBEAT_S, settings.lease_s / 3)
        self._writing: asyncio.Task[None] | None = None
        self._under_way = 0
        self._last_write = clock()

    @property
    def position(self) -> Position:
        """The position of the last event in Redis; the events in memory continue from it."""
        return self._delivery.position

    @property
    def full(self) -> bool:
        """True if the buffer must be written before more is received."""
        return self.buffer.count >= self._settings.flush_events or self.buffer.size >= self._settings.flush_bytes

    @property
    def received(self) -> int:
        """The number of events received so far, written or not."""
        return self.written + self.pending

    @property
    def pending(self) -> int:
        """The number of events that are not known to be in Redis."""
        return self._under_way + self.buffer.count

    def restart(self, position: Position) -> None:
        """Forget the events in memory; those after ``position`` are received (again) next."""
        count(metrics.LOSSES, self.pending, LossPath.FORGOTTEN.code)
        self._delivery.set_position(position)
        self.buffer = Buffer(position)
        self._under_way = 0
        if self._writing is not None and self._writing.done():
            self._writing = None

    def listen(self, host: Host) -> None:
        """Expect messages from ``host`` from now on. Nothing may be waiting to be written (see :meth:`drain`)."""
        self.buffer = buffer_for(host, self.position, self.resyncs)

    async def make_room(self) -> None:
        """Wait until the buffer has room: this is the backpressure.

        Raises:
            What a write raises (see :meth:`~ingester.buffer.delivery.Delivery.write`).
        """
        while self.full:
            if self._writing is None:
                self._start()
            else:
                await self._settled()

    def tick(self) -> None:
        """Write what is buffered, or a heartbeat if one is due. Call it every ``flush_ms``.

        Raises:
            What a write raises (see :meth:`~ingester.buffer.delivery.Delivery.write`).
        """
        self._check()
        waits = self.buffer.count or self._gaps.pending
        if self._writing is None and (waits or self._clock() - self._last_write >= self._heartbeat_s):
            self._start()

    async def drain(self) -> None:
        """Write everything, and return when Redis has it.

        Raises:
            What a write raises (see :meth:`~ingester.buffer.delivery.Delivery.write`).
        """
        await self._settled()
        while self.buffer.count or self._gaps.pending:
            self._start()
            await self._settled()

    async def release(self) -> None:
        """Write everything, and give the right to write back.

        Raises:
            What a write raises (see :meth:`~ingester.buffer.delivery.Delivery.write`).
        """
        await self.drain()
        await self._write(self.buffer, self._flush(self.buffer, lease_ms=0))
        crash.reached(crash.Point.RELEASED)

    def abandon(self) -> None:
        """Give up the write under way, because the process ends."""
        count(metrics.LOSSES, self.pending, LossPath.UNWRITTEN.code)
        if self._writing is not None:
            self._writing.cancel()

    def _start(self) -> None:
        """Start writing the buffer; an empty one is a heartbeat."""
        full, self.buffer = self.buffer, self.buffer.fresh()
        if full.count:
            self.counted_us = full.last_us
            for queue, count in full.counts.items():
                self.counts[queue] += count
        self._under_way = full.count
        # Made here, not in the task: gaps recorded from now on belong to the events of the next flush.
        self._writing = asyncio.create_task(self._write(full, self._flush(full, self._delivery.lease_ms)))

    def _check(self) -> None:
        """Raise the error of the last write, if it failed: on every call, until :meth:`restart`.

        The events in memory continue from events that are not in Redis. If a stop just then wrote them all the
        same, their cursor would skip those events.
        """
        if self._writing is not None and self._writing.done():
            self._writing.result()
            self._writing = None

    async def _settled(self) -> None:
        if self._writing is not None:
            await asyncio.wait([self._writing])  # if the waiter is cancelled, the write continues
        self._check()

    def _flush(self, buffer: Buffer, lease_ms: int) -> Flush:
        at, gaps = buffer.position, self._gaps
        return Flush(
            frames=(),
            cursor=at.cursor,
            connected=self.connected,
            lease_ms=lease_ms,
            time_us=at.time_us,
            host=at.host,
            protocol=at.protocol,
            gaps=tuple(gaps.pending),
            open_gaps=gaps.open,
            history=self._detector.history(),
            resyncs=self.resyncs.state,
        )

    async def _write(self, buffer: Buffer, flush: Flush) -> None:
        before = self.position
        refused_s = await self._delivery.write(buffer, flush, lambda: self.pending)
        self._gaps.written(flush.gaps)
        self.written += buffer.count
        self._under_way = 0
        now = self._clock()
        if refused_s > OUTAGE_S:
            self._gaps.held_up(before, now - self._last_write, int(self._now() * 1_000_000))
        self._last_write = now
        crash.reached(crash.Point.FLUSH_SETTLED)
        self._delivery.progress()
