"""Buffers events and writes them in the background: one flush under way, one being filled, never more.

Lives here: backpressure and the retries of a write. Must not: the websocket, Redis commands.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar, TypeVarTuple

from ingester import crash, wire
from ingester.cursor import Position
from ingester.errors import CursorMoved, Emptied, SinkUnavailable, StateLost, Superseded
from ingester.frames import Buffer, buffer_for
from ingester.gaps import Gaps
from ingester.hosts import Host
from ingester.logs import line
from ingester.settings import IngesterSettings
from ingester.sink import Claim, Flush, Held, Sink

log = logging.getLogger(__name__)

Args = TypeVarTuple("Args")
Result = TypeVar("Result")

#: An empty flush is written after so many seconds without another, so that a quiet minute is known to be one;
#: and thrice a lease, so that it does not run out.
HEARTBEAT_S: Final = 2.0


class Writer:
    """Takes messages in and brings them to ``sink``, in order.

    ``delays`` makes the pauses between attempts; ``progress`` is called after each attempt, good or bad.
    """

    def __init__(
        self,
        sink: Sink,
        settings: IngesterSettings,
        delays: Callable[[], Iterator[float]],
        progress: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.buffer = Buffer()
        self.position = Position()  # of the last event in Redis
        self.written = 0
        self.connected = False
        self.gaps = Gaps()
        self.counts = dict.fromkeys(wire.QUEUES, 0)  # of all flushes begun, up to the event at counted_us
        self.counted_us = 0
        self._began = Position()  # the first one that is known
        self._sink = sink
        self._settings = settings
        self._delays = delays
        self._progress = progress
        self._clock = clock
        self._lease_ms = int(settings.lease_s * 1000)
        self._heartbeat_s = min(HEARTBEAT_S, settings.lease_s / 3)
        # One thread: zstd and the socket release the GIL, and the sink wants one caller at a time.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sink")
        self._writing: asyncio.Task[None] | None = None
        self._under_way = 0
        self._last_write = clock()

    @property
    def full(self) -> bool:
        """Whether the buffer must be written before anything else is received."""
        return self.buffer.count >= self._settings.flush_events or self.buffer.size >= self._settings.flush_bytes

    @property
    def idle(self) -> bool:
        """Whether no flush is under way."""
        return self._writing is None

    @property
    def received(self) -> int:
        """All events taken in so far, written or not."""
        return self.written + self._under_way + self.buffer.count

    @property
    def pending(self) -> int:
        """Events that are not known to be in Redis."""
        return self._under_way + self.buffer.count

    async def claim(self) -> Claim | Held:
        """Take the right to write, if nobody else holds it.

        Raises:
            SinkUnavailable: Redis is away or full; try again.
            SinkRefused: Redis never will.
        """
        return await self._in_thread(self._sink.claim, self._lease_ms)

    def restart(self, position: Position) -> None:
        """Forget what is in memory; the events after ``position`` are to come (again)."""
        self._stand(position)
        self.buffer = Buffer(position)
        self._under_way = 0

    def listen(self, host: Host) -> None:
        """From now on messages come from ``host``; nothing may be waiting to be written (see :meth:`drain`)."""
        self.buffer = buffer_for(host, self.position)

    async def make_room(self) -> None:
        """Return as soon as the buffer may take more: the backpressure.

        Raises:
            What a write raises (see :meth:`check`).
        """
        while self.full:
            if self.idle:
                self.start()
            else:
                await self._settled()

    def tick(self) -> None:
        """Write what there is, or a heartbeat when it is time. To be called each ``flush_ms``.

        Raises:
            What a write raises (see :meth:`check`).
        """
        self.check()
        waits = self.buffer.count or self.gaps.pending
        if self.idle and (waits or self._clock() - self._last_write >= self._heartbeat_s):
            self.start()

    def check(self) -> None:
        """Raise what the write under way has failed with, if it has.

        Raises:
            Fenced, Superseded: another ingester writes now.
            CursorMoved: restart at its cursor.
            SinkRefused: Redis never will take it.
        """
        if self._writing is not None and self._writing.done():
            task, self._writing = self._writing, None
            task.result()

    def start(self) -> None:
        """Begin to write the buffer; an empty one is a heartbeat."""
        full, self.buffer = self.buffer, self.buffer.fresh()
        if full.count:
            self.counted_us = full.last_us
            for queue, count in full.counts.items():
                self.counts[queue] += count
        self._under_way = full.count
        # Made here, not in the task: what is noted from now on belongs to the events of the next flush.
        self._writing = asyncio.create_task(self._write(full, self._flush(full, self._lease_ms)))

    async def drain(self) -> None:
        """Write all there is, and return when Redis holds it.

        Raises:
            What a write raises (see :meth:`check`).
        """
        await self._settled()
        while self.buffer.count or self.gaps.pending:
            self.start()
            await self._settled()

    async def release(self) -> None:
        """Write all there is and give the right to write back.

        Raises:
            What a write raises (see :meth:`check`).
        """
        await self.drain()
        await self._write(self.buffer, self._flush(self.buffer, lease_ms=0))
        crash.reached(crash.Point.RELEASED)

    def abandon(self) -> None:
        """Give up the write under way: the process ends."""
        if self._writing is not None:
            self._writing.cancel()

    async def _settled(self) -> None:
        if self._writing is not None:
            await asyncio.wait([self._writing])  # which leaves the write alone if the waiter is cancelled
        self.check()

    def _flush(self, buffer: Buffer, lease_ms: int) -> Flush:
        at, gaps = buffer.position, self.gaps
        return Flush((), at.cursor, self.connected, lease_ms, *at[1:], tuple(gaps.pending), gaps.open)

    async def _write(self, buffer: Buffer, flush: Flush) -> None:
        flush = flush._replace(frames=await self._in_thread(buffer.pack, self._settings.frame_events))
        crash.reached(crash.Point.FLUSH_PACKED)
        for delay in self._delays():
            try:
                await self._in_thread(self._sink.write, flush)
                break
            except SinkUnavailable as error:
                log.warning(line("sink_unavailable", error=error, pending=self.pending, retry_s=round(delay, 2)))
                await self._pause(delay)
            except StateLost:
                await self._reclaim()
        self._stand(buffer.position)
        self.gaps.written(flush.gaps)
        self.written += buffer.count
        self._under_way = 0
        self._last_write = self._clock()
        crash.reached(crash.Point.FLUSH_SETTLED)
        self._progress()

    def _stand(self, position: Position) -> None:
        self.position = position
        if not self._began.time_us:
            self._began = position._replace(cursor=0, protocol="") if position.host else position

    async def _reclaim(self) -> None:
        """Redis lost this writer's state: go on from its cursor, or where it is known that nothing is missing."""
        for delay in self._delays():
            try:
                answer = await self._in_thread(self._sink.claim, self._lease_ms)
                break
            except SinkUnavailable:
                await self._pause(delay)
        if isinstance(answer, Held):
            raise Superseded(f"Redis was emptied and {answer.writer} took over; this one ends")
        log.error(line("state_lost", memory_cursor=self.position.cursor, redis_cursor=answer.cursor))
        if answer.cursor == self.position.cursor:
            return
        raise CursorMoved(answer.position) if answer.cursor else Emptied(self._began)

    async def _pause(self, delay: float) -> None:
        self._progress()
        await asyncio.sleep(delay)

    async def _in_thread(self, function: Callable[[*Args], Result], *args: *Args) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)
