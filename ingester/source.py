"""Jetstream as the service sees it: connect to the host whose turn it is, at the right place, and judge failures.

Lives here: the wiring of failover, cursors, gaps and blindness. Must not: Redis, buffers, the hot loop, and any
decision that resume, failover, gaps or blindness can make without a connection.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from websockets.asyncio.client import ClientConnection

from ingester.contract.gap import Reason
from ingester.contract.settings import IngesterSettings, redacted
from ingester.errors import SourceBlind, SourceNotice, SourceRefused
from ingester.jetstream import session
from ingester.jetstream.compression import Dictionaries
from ingester.jetstream.disconnected import Cause
from ingester.jetstream.hosts import Host, hosts, subscribe_url
from ingester.logs import line
from ingester.position import failover
from ingester.position.dropout import Blindness
from ingester.position.failover import Failure
from ingester.position.gaps import Gaps, instant
from ingester.position.partial_hosts import BlindHosts
from ingester.position.position import Position
from ingester.position.resume import Resumption

log = logging.getLogger(__name__)


class Source:
    """The hosts of the settings, of which one is listened to. ``decompress`` undoes what it sends, if anything."""

    def __init__(
        self,
        settings: IngesterSettings,
        gaps: Gaps,
        blindness: Blindness,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.decompress: Callable[[bytes], bytes] | None = None
        self._settings = settings
        self._gaps = gaps
        self._clock = clock
        self._now = now
        self._hosts = hosts(settings)
        self._state = failover.fresh(len(self._hosts))
        self._resumption = Resumption(settings.rewind_ms)
        self._blind = BlindHosts(blindness, gaps)
        self._dictionaries = Dictionaries(settings)
        self._away_since: float | None = None
        self._opened: float | None = None

    @property
    def host(self) -> Host:
        """The host whose turn it is."""
        return self._hosts[self._state.current]

    @property
    def stepping(self) -> bool:
        """Whether a message is being passed by: a search that is not to be slowed down."""
        return self._resumption.stepping

    def away(self, seconds: float) -> None:
        """For so long nothing has been heard already: another process was the last that listened."""
        self._away_since = self._clock() - seconds

    def adopt(self, history: bytes, last: Position) -> None:
        """Leave the host that the process before has found blind, and go back to where that began."""
        blind = self._blind.adopt(history, last, self._now_us())
        if (self.host.name, self.host.protocol) in blind:
            self._state = failover.after(self._state, Failure(Cause.BLIND, 0.0, False), self._clock())

    async def open(self, position: Position) -> ClientConnection:
        """Connect to :attr:`host`, for what follows ``position``.

        Raises:
            One of session.FAILURES: give it to :meth:`failed`.
        """
        self._opened, host = None, self.host
        used = await self._dictionaries.of(host)
        cursor = self._resumption.cursor(position, host, self._now_us(), self._blind.since(host))
        url = subscribe_url(
            self._settings,
            host,
            cursor,
            skip_large=self._resumption.leaves_out,
            dictionary=used.id if used else 0,
        )
        connection = await session.open_session(url, host.protocol, self._settings)
        log.info(line("connected", url=redacted(url)))
        self.decompress = used.decompress if used else None
        self._opened = self._clock()
        self._blind.connected(host)
        return connection

    def failed(self, error: Exception, last: Position, *, useful: bool) -> str:
        """Draw the conclusions from one of session.FAILURES; returns the reason for the log.

        ``last``: that of the last event so far; ``useful``: the connection has brought events.

        Raises:
            SourceRefused: no host takes the request.
        """
        now, host = self._clock(), self.host
        cause, reason = session.judge(error, host.url)
        if self._away_since is None:
            self._away_since = now
        if cause is Cause.SILENT:
            self._gaps.begin(Reason.STALL, last, self._now_us())
        self.behind(last)
        if cause is Cause.TOO_LARGE:
            self._too_large(last)
        cause = self._remedied(cause, reason)
        lived_s = 0.0 if self._opened is None else now - self._opened
        self._state = failover.after(self._state, Failure(cause, lived_s, useful), now)
        if self._state.hopeless:
            raise SourceRefused(reason)
        if self.host is not host:
            log.warning(line("host_switched", host=self.host.name, protocol=self.host.protocol, left=host.name))
        return reason

    def arrived(self, first: Position) -> None:
        """The first event of a connection is in: say so if it comes later than it should.

        Raises:
            Renumbered, Overshot: reconnect, see :meth:`~ingester.position.resume.Resumption.arrived`.
        """
        why = self._resumption.arrived(first)
        before, late, now_us = self._resumption.before, first if why else None, self._now_us()
        away_s = 0.0 if self._away_since is None else self._clock() - self._away_since
        self._gaps.resumed(before, late, self.host, now_us, away_s, why or Reason.LATE)
        self._blind.arrived(first, self.host, now_us)
        self._away_since = None

    def behind(self, written: Position) -> bool:
        """Whether the stream, which leaves large messages out, has gone past the one that was too large."""
        before = self._resumption.behind(written, self.host)
        if before is not None:
            self._gaps.unread(before, written, self._now_us())
        return before is not None

    def look(self, counts: Mapping[str, int], at_us: int) -> None:
        """Judge what comes of each queue; see :class:`~ingester.position.dropout.Blindness`.

        Raises:
            SourceBlind: hardly anything comes of some, and a host that has not failed lately can be asked.
        """
        blind = self._blind.look(counts, at_us, self.host, self._now_us())
        if blind and failover.rested(self._state, self._clock()):
            self._blind.leave(self.host, blind)
            raise SourceBlind(f"hardly any {', '.join(verdict.queue for verdict in blind)} since a while")

    def noticed(self, notice: SourceNotice) -> None:
        """Log what the server says about the stream."""
        clamped = notice.name == "OutdatedCursor"
        self._resumption.refused |= clamped
        level = logging.WARNING if clamped else logging.INFO
        log.log(level, line("notice", host=self.host.name, name=notice.name, message=notice.message))

    def _remedied(self, cause: Cause, reason: str) -> Cause:
        """Change the next request as ``cause`` asks for; a change that did not help is a refusal."""
        if cause is Cause.UNKNOWN_DICTIONARY:
            return cause if self._dictionaries.forget(self.host) else Cause.REFUSED
        if cause is Cause.CURSOR_TOO_OLD:
            if not self._resumption.too_old():
                return Cause.REFUSED
            since = instant(self._resumption.before.time_us)
            hint = "resuming by time; what the host no longer has is missing; a line on the gap follows"
            log.error(line("cursor_too_old", host=self.host.name, reason=reason, missing_from=since, hint=hint))
        return cause

    def _too_large(self, last: Position) -> None:
        if self._resumption.too_large(last, self.host):
            self._gaps.begin(Reason.UNREAD, last, self._now_us())
            hint = "raise FIREHOSE_MAX_MESSAGE_BYTES; it is passed by, a line on the gap follows"
            log.error(line("message_too_large", host=self.host.name, after=instant(last.time_us), hint=hint))

    def _now_us(self) -> int:
        return int(self._now() * 1_000_000)
