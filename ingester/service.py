"""The ingester's life: claim, connect, pump, reconnect, and stop in order.

Lives here: the wiring of source, writer and health. Must not: formats, commands, protocol details.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

from websockets.asyncio.client import ClientConnection

from ingester import manifests, session
from ingester.backoff import delays
from ingester.cursor import Position
from ingester.dictionary import UNREADABLE
from ingester.errors import (
    CursorMoved,
    Emptied,
    LeftOut,
    SinkUnavailable,
    SourceNotice,
    SourceRefused,
    SourceSilent,
    Unwritten,
)
from ingester.health import Notifier
from ingester.hosts import V1, V2
from ingester.logs import line
from ingester.settings import IngesterSettings
from ingester.sink import Claim
from ingester.source import Source
from ingester.wire import Reason
from ingester.writer import Writer

log = logging.getLogger(__name__)

#: How long (seconds) a stop may take to bring the last events to Redis.
STOP_S: Final = 3.0
#: A standby asks for the lease this often (seconds).
STANDBY_S: Final = 1.0
#: Seconds between two lines on how it goes.
REPORT_S: Final = 60.0


class Service:
    """One ingester process. :meth:`run` until cancelled, then :meth:`stop`."""

    def __init__(
        self,
        settings: IngesterSettings,
        writer: Writer,
        notifier: Notifier,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._writer = writer
        self._notifier = notifier
        self._clock = clock
        self._source = Source(settings, writer.gaps, clock)
        self._claimed = False
        self._seen, self._heard = 0, clock()
        self._reported = clock()

    async def run(self) -> None:
        """Claim, then stream for ever.

        Raises:
            IngesterError: nothing more can be done; its message says why.
        """
        claim = await self._claim()
        if claim.cursor and claim.protocol not in ("", V1, V2):
            raise SourceRefused(
                f"the cursor in Redis is one of protocol {claim.protocol}, this ingester speaks {V1} and {V2}"
            )
        self._writer.gaps.adopt(claim.gaps)
        if claim.cursor:
            self._source.away(claim.away_s)
            self._writer.restart(claim.position)
        else:
            start = self._settings.start_cursor
            self._writer.restart(await self._drained(Position(start, start)))
        self._source.adopt(claim.position)
        self._claimed = True
        await self._stream()

    async def stop(self) -> None:
        """Bring what is in memory to Redis and give the right to write back.

        Raises:
            Unwritten: Redis did not take it in time.
            IngesterError: as :meth:`run`.
        """
        self._notifier.stopping()
        if not self._claimed:
            return
        try:
            async with asyncio.timeout(STOP_S):
                await self._writer.release()
        except (TimeoutError, CursorMoved) as error:
            self._writer.abandon()
            if self._writer.pending:
                why = str(error) or f"Redis did not take them within {STOP_S:g} s"
                raise Unwritten(
                    f"{self._writer.pending} events were not written: {why}; "
                    f"they come again from the cursor {self._writer.position.cursor}"
                ) from None
        log.info(line("stopped", written=self._writer.written, cursor=self._writer.position.cursor))

    async def _claim(self) -> Claim:
        pauses = delays(0.1, min(5.0, self._settings.backoff_max_s))
        waiting_for = ""
        while True:
            self._notifier.progress()
            try:
                answer = await self._writer.claim()
            except SinkUnavailable as error:
                delay = next(pauses)
                log.warning(line("sink_unavailable", error=error, retry_s=round(delay, 2)))
                await asyncio.sleep(delay)
                continue
            if isinstance(answer, Claim):
                lake = self._settings.lake or "-"
                log.info(line("claimed", cursor=answer.cursor, host=answer.host or "-", lake=lake))
                return answer
            if answer.writer != waiting_for:
                waiting_for = answer.writer
                log.info(line("standby", writer=answer.writer, lease_left_ms=answer.left_ms))
                self._notifier.status(f"standby behind {answer.writer}")
            await asyncio.sleep(min(STANDBY_S, answer.left_ms / 1000 + 0.01))

    async def _drained(self, otherwise: Position) -> Position:
        """Where to go on now that Redis has no cursor: at the end of what the lake has."""
        now = datetime.now(UTC)
        position = Position()
        if self._settings.lake:
            lake = self._settings.lake_path
            position = await asyncio.to_thread(manifests.last_drained, lake, now, otherwise)
        if not position.time_us:
            position = otherwise
        self._writer.gaps.begin(Reason.REDIS_LOST, position, int(now.timestamp() * 1_000_000))
        return position

    async def _follow(self, moved: CursorMoved) -> None:
        position = moved.position
        self._writer.restart(await self._drained(position) if isinstance(moved, Emptied) else position)

    async def _stream(self) -> None:
        pauses = self._pauses()
        while True:
            before = self._writer.received
            try:
                await self._session()
            except session.FAILURES as error:
                last = self._writer.buffer.position
                reason = self._source.failed(error, last, useful=self._writer.received > before)
                await self._settle()
            except CursorMoved as moved:
                reason = str(moved)
                await self._follow(moved)
            if self._writer.received > before or self._source.stepping:
                pauses = self._pauses()
            delay = next(pauses)
            log.warning(line("disconnected", reason=reason, retry_s=round(delay, 2)))
            self._notifier.status(f"reconnecting: {reason}")
            self._notifier.progress()
            await asyncio.sleep(delay)

    def _pauses(self) -> Iterator[float]:
        return delays(0.25, self._settings.backoff_max_s)

    async def _settle(self) -> None:
        """Write what is in memory before the cursor is used again: so both always stand at the same event."""
        try:
            await self._writer.drain()
        except CursorMoved as moved:
            await self._follow(moved)

    async def _session(self) -> None:
        connection = await self._source.open(self._writer.position)
        try:
            self._writer.listen(self._source.host)
            self._writer.connected = True
            self._heard = self._clock()
            self._notifier.ready(f"connected to {self._source.host.name}")
            await self._pump(connection)
        finally:
            self._writer.connected = False
            await connection.close()

    async def _pump(self, connection: ClientConnection) -> None:
        reader = asyncio.create_task(self._read(connection))
        try:
            while True:
                await asyncio.wait([reader], timeout=self._settings.flush_ms / 1000)
                if reader.done():  # before anything is written: it may say that what came must not be
                    reader.result()
                self._writer.tick()
                self._watch()
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _read(self, connection: ClientConnection) -> None:
        """The first event, then the hot loop. It goes on as long as messages wait: their limit makes it yield."""
        receive, writer, decompress = connection.recv, self._writer, self._source.decompress
        while not writer.buffer.count:
            self._take(await receive(decode=False))
        self._source.arrived(writer.buffer.position)
        most_events, most_bytes = self._settings.flush_events, self._settings.flush_bytes
        while True:
            message = await receive(decode=False)
            buffer = writer.buffer
            try:
                buffer.add(decompress(message) if decompress else message)
            except UNREADABLE as error:
                buffer.reject(message, error)
            except SourceNotice as notice:
                self._source.noticed(notice)
            if buffer.count >= most_events or buffer.size >= most_bytes:
                await writer.make_room()

    def _take(self, message: bytes) -> None:
        """What the hot loop does with a message, which spares itself the call."""
        decompress, buffer = self._source.decompress, self._writer.buffer
        try:
            buffer.add(decompress(message) if decompress else message)
        except UNREADABLE as error:
            buffer.reject(message, error)
        except SourceNotice as notice:
            self._source.noticed(notice)

    def _watch(self) -> None:
        """The data watchdog. A stream that is not read, because Redis takes nothing, is not a silent one."""
        now = self._clock()
        if self._writer.received != self._seen or self._writer.full:
            self._seen, self._heard = self._writer.received, now
        elif now - self._heard > self._settings.data_timeout_s:
            raise SourceSilent(f"no data for {self._settings.data_timeout_s:g} s")
        self._source.look(self._writer.counts, self._writer.counted_us)
        if self._source.behind(self._writer.position):
            raise LeftOut("the message that was too large is behind the stream")
        if now - self._reported >= REPORT_S:
            self._reported = now
            at = self._writer.position.cursor
            log.info(line("progress", received=self._seen, written=self._writer.written, cursor=at))
