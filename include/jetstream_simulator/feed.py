"""Puts a source's events into the event log at their pace, and wakes the clients that wait for them.

Lives here: pacing, the end of a finite source, dropping slow clients. Must not: sockets, event contents.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import BinaryIO, Final

from jetstream_simulator.event_log import Event, EventLog
from jetstream_simulator.logs import get_logger
from jetstream_simulator.sources import Source
from jetstream_simulator.subscriber import Subscriber

log = get_logger(__name__)
_BATCH: Final = 256
_TICK_S: Final = 0.02
# As fast as it can means: as fast as the slowest client reads, this many events ahead of it.
_LEAD: Final = 8192


class Feed:
    """The one writer of the event log.

    ``rate`` is in events a second, 0 for as fast as the clients read. ``limit`` ends the source early (0: no
    limit). A feed that ``waits`` begins when the first client has come. ``outbox`` is how many events a live
    client may be behind before it is dropped (0: never).
    """

    def __init__(
        self,
        event_log: EventLog,
        source: Source,
        clock_us: Callable[[], int],
        *,
        rate: float,
        limit: int = 0,
        waits: bool = False,
        outbox: int = 0,
        record: BinaryIO | None = None,
    ) -> None:
        self.done = False
        self.subscribers: dict[Subscriber, Callable[[], None]] = {}
        self._event_log, self._source, self._clock_us = event_log, source, clock_us
        self._rate, self._limit, self._waits, self._outbox = rate, limit, waits or not rate, outbox
        self._record = record
        self._count = 0
        self._grown = asyncio.Event()
        self._progress = asyncio.Event()

    def join(self, subscriber: Subscriber, drop: Callable[[], None]) -> None:
        """Count a client in. ``drop`` cuts its connection."""
        self.subscribers[subscriber] = drop
        self._progress.set()

    def leave(self, subscriber: Subscriber) -> None:
        """Count a client out; unknown ones are ignored."""
        self.subscribers.pop(subscriber, None)
        self._progress.set()

    def progress(self) -> None:
        """A client has read on."""
        self._progress.set()

    async def more(self, subscriber: Subscriber) -> None:
        """Wait until the event log holds something that ``subscriber`` has not been offered."""
        while not subscriber.behind:
            await self._grown.wait()

    async def run(self) -> None:
        """Feed the event log until the source is used up.

        Raises:
            SimulatorError: the source cannot be read.
        """
        while self._waits and not self.subscribers:
            await self._changed()
        begun = asyncio.get_running_loop().time()
        while n := min(_BATCH, self._limit - self._count if self._limit else _BATCH):
            due = await self._due(n, begun)
            events = self._source.take(due, self._clock_us())
            if due and not events:
                break
            self._publish(events)
            await asyncio.sleep(0)
        self.done = True
        log.info("the source is used up", events=self._count)

    async def _due(self, n: int, begun: float) -> int:
        """How many of ``n`` events are to be sent now; waits until there is one."""
        if not self._rate:
            while not self.subscribers or any(map(self._is_waited_for, self.subscribers)):
                await self._changed()
            return min(n, self._event_log.step)
        now = asyncio.get_running_loop().time
        while (due := int((now() - begun) * self._rate) + 1 - self._count) <= 0:
            await asyncio.sleep(max(_TICK_S, begun + self._count / self._rate - now()))
        return min(n, due)

    def _is_waited_for(self, subscriber: Subscriber) -> bool:
        return subscriber.behind > _LEAD or self._event_log.nearly_overtakes(subscriber.position)

    def _publish(self, events: list[Event]) -> None:
        if self._record is not None:
            self._record.write(b"".join(event.line + b"\n" for event in events))
            self._record.flush()
        self._event_log.append(events)
        self._count += len(events)
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()
        self._drop_slow()

    def _drop_slow(self) -> None:
        if not (self._outbox and self._rate):
            return
        for subscriber, drop in list(self.subscribers.items()):
            if subscriber.live and subscriber.behind > self._outbox * subscriber.patience:
                log.warning("dropping a client that is behind", events=subscriber.behind)
                self.leave(subscriber)
                drop()

    async def _changed(self) -> None:
        self._progress.clear()
        await self._progress.wait()
