"""Runs the ingester: claims, starts at the right position, connects, reconnects, and stops cleanly.

Lives here: the wiring of source, pump, writer and health. Must not: formats, commands, protocol details.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from ingester import lease, manifests
from ingester.backoff import delays
from ingester.buffer.delivery import Delivery
from ingester.buffer.exchange import Claim
from ingester.buffer.writer import Writer
from ingester.contract import metrics
from ingester.contract.counting import count
from ingester.contract.gap import Reason
from ingester.contract.logs import get_logger
from ingester.contract.metrics import Metric
from ingester.contract.settings import IngesterSettings
from ingester.errors import SourceRefused, Unwritten
from ingester.health import Notifier
from ingester.jetstream import session
from ingester.jetstream.disconnected import Disconnected
from ingester.jetstream.hosts import V1, V2
from ingester.position import resume
from ingester.position.dropout import DropoutDetector
from ingester.position.gaps import Gaps
from ingester.position.position import LIVE, AtTime, Position
from ingester.position.restart import Restart, Why
from ingester.pump import Pump
from ingester.source import Source

log = get_logger(__name__)

#: How long (seconds) a stop may take to write the last events to Redis.
STOP_S: Final = 3.0
#: How often (seconds) a process that is not connected says that it lives: after a minute without, an alert
#: takes it for dead.
WAITING_S: Final = 15.0


class Service:
    """One ingester process: call :meth:`run`, cancel it, then call :meth:`stop`."""

    def __init__(self, settings: IngesterSettings, delivery: Delivery, notifier: Notifier) -> None:
        self._settings = settings
        self._delivery = delivery
        self._notifier = notifier
        self._gaps = Gaps()
        detector = DropoutDetector(settings.wanted_collections)
        self._source = Source(settings, self._gaps, detector)
        self._writer = Writer(delivery, self._gaps, detector, settings)
        self._pump = Pump(settings, self._source, self._writer)
        self._claimed = False

    async def run(self) -> None:
        """Claim the right to write, then stream until cancelled.

        Raises:
            IngesterError: the process cannot go on; the message says why.
        """
        pauses = delays(0.1, min(5.0, self._settings.backoff_max_s))
        claim = await lease.acquire(self._delivery, self._notifier, pauses)
        lake = self._settings.lake or "-"
        log.info("claimed", cursor=claim.cursor, host=claim.host or "-", lake=lake)
        await self._begin(claim)
        self._claimed = True
        await self._stream()

    async def stop(self) -> None:
        """Write what is in memory to Redis, and give the right to write back.

        Raises:
            Unwritten: Redis did not accept it in time.
            IngesterError: as :meth:`run`.
        """
        self._notifier.stopping()
        if not self._claimed:
            return
        try:
            async with asyncio.timeout(STOP_S):
                await self._writer.release()
        except (TimeoutError, Restart) as error:
            self._writer.abandon()
            if self._writer.pending:
                why = str(error) or f"Redis did not take them within {STOP_S:g} s"
                raise Unwritten(
                    f"{self._writer.pending} events were not written: {why}; "
                    f"they come again from the cursor {self._writer.position.cursor}"
                ) from None
        log.info("stopped", written=self._writer.written, cursor=self._writer.position.cursor)

    def gauges(self) -> Mapping[Metric, float]:
        """The numbers of this moment. Safe to call from another thread: it only reads."""
        writer = self._writer
        return {
            metrics.CONNECTED: writer.connected,
            metrics.WRITER: self._claimed,
            metrics.WAITING: writer.pending,
        }

    async def _begin(self, claim: Claim) -> None:
        """Continue where the process before stopped, with the state that it left in Redis."""
        if claim.cursor and claim.protocol not in ("", V1, V2):
            raise SourceRefused(
                f"the cursor in Redis is for protocol {claim.protocol}, this ingester speaks {V1} and {V2}"
            )
        self._gaps.adopt(claim.gaps)
        self._writer.resyncs.learn(claim.resyncs)
        if claim.cursor:
            self._source.away(claim.away_s)
            self._writer.restart(claim.position)
        else:
            named = self._settings.start_cursor
            self._writer.restart(await self._lost(AtTime(named) if named else LIVE))
        self._source.adopt(claim.history, claim.position)

    async def _lost(self, otherwise: Position) -> Position:
        """Find where to continue if Redis has no cursor: at the end of what the lake has."""
        now = datetime.now(UTC)
        drained: Position = LIVE
        if (lake := self._settings.lake_folder) is not None:
            drained = await asyncio.to_thread(manifests.last_drained, lake, now, otherwise)
        position = resume.without_cursor(drained, otherwise)
        self._gaps.begin(Reason.REDIS_LOST, position, int(now.timestamp() * 1_000_000))
        return position

    async def _follow(self, restart: Restart) -> None:
        emptied = restart.why is Why.REDIS_EMPTIED
        self._writer.restart(await self._lost(restart.position) if emptied else restart.position)

    async def _stream(self) -> None:
        pauses = self._pauses()
        while True:
            before = self._writer.received
            try:
                await self._session()
            except Disconnected as error:
                cause, reason = error.cause.name, error.text
                self._source.failed(error, self._writer.buffer.position, useful=self._writer.received > before)
                await self._settle()
            except Restart as restart:
                cause, reason = restart.why.name, str(restart)
                await self._follow(restart)
            if self._writer.received > before or self._source.stepping:
                pauses = self._pauses()
            delay = next(pauses)
            count(metrics.DISCONNECTS, label=cause.lower())
            log.warning("disconnected", cause=cause.lower(), reason=reason, retry_s=round(delay, 2))
            self._notifier.status(f"reconnecting: {reason}")
            self._notifier.progress()
            await self._wait(delay)

    async def _wait(self, delay: float) -> None:
        """Sleep before the next attempt, and say meanwhile that this process lives."""
        while delay > 0:
            await self._delivery.waiting()
            await asyncio.sleep(min(delay, WAITING_S))
            delay -= WAITING_S

    def _pauses(self) -> Iterator[float]:
        return delays(0.25, self._settings.backoff_max_s)

    async def _settle(self) -> None:
        """Write what is in memory, so that the cursor in Redis is that of the last event received."""
        try:
            await self._writer.drain()
        except Restart as restart:
            await self._follow(restart)

    async def _session(self) -> None:
        host = self._source.host
        with session.disconnecting(host.url):
            connection = await self._source.open(self._writer.position)
            try:
                self._writer.listen(host)
                self._writer.connected = True
                self._notifier.ready(f"connected to {host.name}")
                await self._pump.run(connection)
            finally:
                self._writer.connected = False
                await connection.close()
