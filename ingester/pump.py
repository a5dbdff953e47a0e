"""Receives the messages of one connection, until it fails or should be replaced.

Lives here: the hot loop, and the checks on a timer beside it. Must not: connecting and reconnecting, Redis.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from websockets.asyncio.client import ClientConnection

from ingester.buffer.writer import Writer
from ingester.contract.logs import get_logger
from ingester.contract.settings import IngesterSettings
from ingester.jetstream.dictionary import UNREADABLE
from ingester.jetstream.disconnected import Cause, Disconnected
from ingester.jetstream.events_v2 import SourceNotice
from ingester.position.gaps import OUTAGE_S
from ingester.source import Source

log = get_logger(__name__)

#: Seconds between two progress lines in the log.
REPORT_S: Final = 60.0


class Pump:
    """Passes messages from ``source`` to ``writer``, for all connections of a process, one at a time."""

    def __init__(
        self,
        settings: IngesterSettings,
        source: Source,
        writer: Writer,
        clock: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self._settings = settings
        self._source = source
        self._writer = writer
        self._clock = clock
        self._seen, self._heard, self._turned = 0, clock(), clock()
        self._reported = clock()

    async def run(self, connection: ClientConnection) -> None:
        """Read and write until one of them raises. Call it within :func:`~.session.disconnecting`.

        Raises:
            Disconnected: the connection must be made again.
            Restart: the same, from another position.
            Fenced, Superseded, SinkRefused: this process may not write any more.
        """
        self._heard = self._turned = self._clock()
        reader = asyncio.create_task(self._read(connection))
        try:
            while True:
                await asyncio.wait([reader], timeout=self._settings.flush_ms / 1000)
                self._wake()
                if reader.done():  # before anything is written: its error may forbid that
                    reader.result()
                self._writer.tick()
                self._watch()
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _read(self, connection: ClientConnection) -> None:
        """Receive the first messages, then run the hot loop. It yields only while no message is waiting."""
        receive, writer, decompress = connection.recv, self._writer, self._source.decompress
        while not writer.buffer.placed:
            await writer.make_room()
            self._begin(await receive(decode=False))
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
                # A replay covers minutes of the stream between two ticks, so look for dropouts at each flush.
                self._source.check(writer.counts, writer.counted_us)

    def _begin(self, message: bytes) -> None:
        """Buffer one of the messages up to the first one with a usable time.

        The hot loop repeats these lines to save a call for each event. Both look the buffer up after the wait for
        the message: a flush that starts meanwhile replaces it.
        """
        decompress, buffer = self._source.decompress, self._writer.buffer
        try:
            buffer.begin(decompress(message) if decompress else message)
        except UNREADABLE as error:
            buffer.reject(message, error)
        except SourceNotice as notice:
            self._source.noticed(notice)

    def _wake(self) -> None:
        """Notice that the process was frozen (SIGSTOP, a suspended machine): it wrote nothing meanwhile.

        Batches of that time have neither events nor heartbeats, and the host's silence is not the host's.
        """
        now = self._clock()
        frozen_s, self._turned = now - self._turned, now
        if frozen_s > OUTAGE_S:
            self._heard = now
            self._source.frozen(self._writer.position, frozen_s)

    def _watch(self) -> None:
        """The data watchdog. A stream that is not read, because Redis takes nothing, is not a silent one."""
        now = self._clock()
        if self._writer.received != self._seen or self._writer.full:
            self._seen, self._heard = self._writer.received, now
        elif now - self._heard > self._settings.data_timeout_s:
            raise Disconnected(Cause.SILENT, f"no data for {self._settings.data_timeout_s:g} s")
        self._source.check(self._writer.counts, self._writer.counted_us)
        self._source.continued(self._writer.position)
        if self._source.passed(self._writer.position):
            raise Disconnected(Cause.OVERSIZE_SKIPPED, "the message that was too large is behind the stream")
        if now - self._reported >= REPORT_S:
            self._reported = now
            at = self._writer.position.cursor
            log.info("progress", received=self._seen, written=self._writer.written, cursor=at)
