"""Delivers flushes to Redis, repeating each until Redis has it, in a thread beside the loop.

Lives here: the retries of a write, and the recovery when Redis has lost this writer's state. Must not: decide when
to write, Redis commands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar, TypeVarTuple

from ingester.buffer.buffers import Buffer
from ingester.buffer.exchange import Claim, Flush, Held
from ingester.buffer.sink import Sink
from ingester.contract import crash, metrics
from ingester.contract.counting import count
from ingester.contract.logs import get_logger
from ingester.contract.settings import IngesterSettings
from ingester.errors import SinkRefused, SinkUnavailable, StateLost, Superseded
from ingester.position.position import LIVE, AfterEvent, AtTime, Position
from ingester.position.restart import Restart, Why

log = get_logger(__name__)

Args = TypeVarTuple("Args")
Result = TypeVar("Result")


class Delivery:
    """Delivers the flushes of one process to ``sink``.

    ``delays`` makes the pauses between attempts; ``progress`` is called after each attempt, successful or not.
    """

    def __init__(
        self,
        sink: Sink,
        settings: IngesterSettings,
        delays: Callable[[], Iterator[float]],
        progress: Callable[[], None],
    ) -> None:
        self.position: Position = LIVE  # of the last event in Redis
        self.lease_ms = int(settings.lease_s * 1000)
        self.progress = progress
        self._began: Position = LIVE  # the first known position
        self._sink = sink
        self._frame_events = settings.frame_events
        self._delays = delays
        # One thread: zstd and the socket release the GIL, and the sink allows one caller at a time.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sink")

    async def claim(self) -> Claim | Held:
        """Claim the right to write, unless another ingester holds it.

        Raises:
            SinkUnavailable: Redis is away or full; try again.
            SinkRefused: Redis will never allow it.
        """
        return await self._in_thread(self._sink.claim, self.lease_ms)

    def set_position(self, position: Position) -> None:
        """Set the position of the last event in Redis."""
        self.position = position
        if not self._began.time_us:
            is_event = isinstance(position, AfterEvent)
            self._began = AtTime(position.time_us, position.host) if is_event else position

    async def write(self, buffer: Buffer, flush: Flush, pending: Callable[[], int]) -> float:
        """Write ``flush`` with the events of ``buffer``; ``pending`` counts waiting events, for the log.

        Returns for how long (seconds) Redis did not accept it; 0 if it did at once.

        Raises:
            Fenced, Superseded: another ingester writes now.
            Restart: the events in memory do not continue from what Redis has.
            SinkRefused: Redis will never accept it.
        """
        flush = flush._replace(frames=await self._in_thread(buffer.pack, self._frame_events))
        crash.reached(crash.Point.FLUSH_PACKED)
        loop = asyncio.get_running_loop()
        began, refused = loop.time(), False
        for delay in self._delays():
            try:
                await self._in_thread(self._sink.write, flush)
                break
            except SinkUnavailable as error:
                refused = True
                log.warning("sink_unavailable", error=error, pending=pending(), retry_s=round(delay, 2))
                await self._pause(delay)
            except StateLost:
                await self._reclaim()
        self.set_position(buffer.position)
        took_s = loop.time() - began
        count(metrics.FLUSHES)
        count(metrics.FLUSH_SECONDS, took_s)
        count(metrics.REFUSED_SECONDS, refused_s := took_s if refused else 0.0)
        return refused_s

    async def waiting(self) -> None:
        """Say in Redis that this process lives, although it is not connected and so writes nothing.

        An alert then says that the source is away, and not the ingester. If Redis does not take it, the next write
        says why.
        """
        with suppress(SinkUnavailable, SinkRefused):
            await self._in_thread(self._sink.waiting)

    async def _reclaim(self) -> None:
        """Claim again after Redis lost this writer's state; raises Restart unless the cursor is still the same."""
        for delay in self._delays():
            try:
                answer = await self.claim()
                break
            except SinkUnavailable:
                await self._pause(delay)
        if isinstance(answer, Held):
            raise Superseded(f"Redis was emptied and {answer.writer} took over; this one ends")
        log.error("state_lost", memory_cursor=self.position.cursor, redis_cursor=answer.cursor)
        if answer.cursor == self.position.cursor:
            return
        if not answer.cursor:
            raise Restart(self._began, Why.REDIS_EMPTIED, "Redis was emptied")
        raise Restart(answer.position, Why.CURSOR_MOVED, f"the cursor in Redis is now {answer.cursor}")

    async def _pause(self, delay: float) -> None:
        self.progress()
        await asyncio.sleep(delay)

    async def _in_thread(self, function: Callable[[*Args], Result], *args: *Args) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)
