"""Connects to the current Jetstream host at the right position, and decides what follows from a failure.

Lives here: the wiring of failover, resume, gaps and dropout detection. Must not: Redis, buffers, the hot loop, and
any decision that the package ``position`` can make without a connection.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from websockets.asyncio.client import ClientConnection

from ingester.contract import metrics
from ingester.contract.counting import count
from ingester.contract.gap import Reason
from ingester.contract.logs import get_logger
from ingester.contract.losses import LossPath
from ingester.contract.settings import IngesterSettings, redacted
from ingester.errors import SourceRefused
from ingester.jetstream import session
from ingester.jetstream.compression import Dictionaries
from ingester.jetstream.disconnected import Cause, Disconnected
from ingester.jetstream.events_v2 import SourceNotice
from ingester.jetstream.hosts import Host, hosts, subscribe_url
from ingester.position import failover, resume
from ingester.position.dropout import DropoutDetector
from ingester.position.failover import Failure
from ingester.position.gaps import Gaps, instant
from ingester.position.partial_hosts import PartialHosts
from ingester.position.position import Position
from ingester.position.restart import Restart

log = get_logger(__name__)


class Source:
    """The hosts of the settings, one of which is current; ``decompress`` is for its messages, if compressed."""

    def __init__(
        self,
        settings: IngesterSettings,
        gaps: Gaps,
        detector: DropoutDetector,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.decompress: Callable[[bytes], bytes] | None = None
        self._settings = settings
        self._gaps = gaps
        self._clock = clock
        self._now = now
        self._hosts = hosts(settings)
        self._failover = failover.fresh(len(self._hosts))
        self._resume = resume.State(settings.rewind_ms)
        self._partial = PartialHosts(detector, gaps)
        self._dictionaries = Dictionaries(settings)
        self._away_since: float | None = None
        self._opened: float | None = None

    @property
    def host(self) -> Host:
        """The current host."""
        return self._hosts[self._failover.current]

    @property
    def stepping(self) -> bool:
        """True while the stream is being moved past a message that is too large: attempts then follow at once."""
        return self._resume.stepping

    def away(self, seconds: float) -> None:
        """Record downtime from before this process started, in seconds."""
        self._away_since = self._clock() - seconds

    def adopt(self, history: bytes, last: Position) -> None:
        """Leave a host that the process before found partial, and go back to where the dropout began."""
        partial = self._partial.adopt(history, last, self._now_us())
        if (self.host.name, self.host.protocol) in partial:
            self._failover = failover.after(self._failover, Failure(Cause.PARTIAL, 0.0, False), self._clock())

    async def open(self, position: Position) -> ClientConnection:
        """Connect to :attr:`host`, to receive what follows ``position``.

        Call it within :func:`~.session.disconnecting`, which turns what it raises into ``Disconnected``.
        """
        self._opened, host = None, self.host
        used = await self._dictionaries.of(host)
        back_to = self._partial.since(host)
        self._resume, cursor = resume.request(self._resume, position, host, self._now_us(), back_to)
        skip_large, dictionary = self._resume.skips_large, used.id if used else 0
        url = subscribe_url(self._settings, host, cursor, skip_large=skip_large, dictionary=dictionary)
        connection = await session.open_session(url, host.protocol, self._settings)
        log.info("connected", url=redacted(url))
        self.decompress = used.decompress if used else None
        self._opened = self._clock()
        self._partial.connected(host)
        return connection

    def failed(self, error: Disconnected, last: Position, *, useful: bool) -> None:
        """Choose the host for the next attempt, and record the gap, after a connection was lost.

        ``last`` is the position of the last event so far; ``useful``: the connection has brought events.

        Raises:
            SourceRefused: every host refuses the request.
        """
        now, host = self._clock(), self.host
        if self._away_since is None:
            self._away_since = now
        if error.cause is Cause.SILENT:
            self._gaps.begin(Reason.STALL, last, self._now_us())
        self.passed(last)
        if error.cause is Cause.OVERSIZE:
            self._too_large(last)
        cause = self._remedied(error)
        lived_s = 0.0 if self._opened is None else now - self._opened
        self._failover = failover.after(self._failover, Failure(cause, lived_s, useful), now)
        if self._failover.hopeless:
            raise SourceRefused(error.text)
        if self.host is not host:
            ends = {"from": host.name, "to": self.host.name, "protocol": self.host.protocol}
            # host and left are the names that from and to had before.
            log.warning("host_switched", **ends, host=self.host.name, left=host.name)

    def arrived(self, first: Position) -> None:
        """Check the first event of a connection, and record a gap if it is later than requested.

        Raises:
            Restart: it is not what was requested, see :func:`~ingester.position.resume.arrived`.
        """
        self._resume, found = resume.arrived(self._resume, first)
        if isinstance(found, Restart):
            raise found
        late_us, now_us = first.time_us if found else 0, self._now_us()
        away_s = 0.0 if self._away_since is None else self._clock() - self._away_since
        self._gaps.resumed(self._resume.before, late_us, self.host, now_us, away_s, found or Reason.LATE)
        self._partial.arrived(first, self.host, now_us)
        self._away_since = None

    def frozen(self, written: Position, seconds: float) -> None:
        """Record that this process did not run for a while; what its connection brings now says what is missing.

        ``written`` is the last event in Redis.
        """
        log.warning("frozen", seconds=round(seconds, 1), hint="the process was stopped, or its machine was")
        self._gaps.begin(Reason.OUTAGE, written, self._now_us(), seconds)

    def continued(self, written: Position) -> None:
        """Settle the gap of :meth:`frozen` once the same connection is past it."""
        self._gaps.continued(written, self._now_us())

    def passed(self, written: Position) -> bool:
        """True once the stream, which now leaves large messages out, is past the one that ended connections."""
        self._resume, before = resume.passed(self._resume, written, self.host)
        if before is not None:
            self._gaps.oversize(before, written, self._now_us())
        return before is not None

    def check(self, counts: Mapping[str, int], at_us: int) -> None:
        """Check what comes of each queue; see :class:`~ingester.position.dropout.DropoutDetector`.

        Raises:
            Disconnected: hardly any events of some queue come, and another host has not failed lately.
        """
        partial = self._partial.check(counts, at_us, self.host, self._now_us())
        if partial and failover.rested(self._failover, self._clock()):
            self._partial.leave(self.host, partial)
            queues = ", ".join(verdict.queue for verdict in partial)
            raise Disconnected(Cause.PARTIAL, f"hardly any {queues} for a while")

    def noticed(self, notice: SourceNotice) -> None:
        """Log what the server says about the stream."""
        count(metrics.LOSSES, label=LossPath.NOTICE.code)
        clamped = notice.name == "OutdatedCursor"
        if clamped:
            self._resume = self._resume._replace(refused=True)
        level = logging.WARNING if clamped else logging.INFO
        log.log(level, "notice", host=self.host.name, name=notice.name, message=notice.message)

    def _remedied(self, error: Disconnected) -> Cause:
        """Change the next request as the cause asks for; a change that did not help is a refusal."""
        if error.cause is Cause.UNKNOWN_DICTIONARY:
            return error.cause if self._dictionaries.forget(self.host) else Cause.REFUSED
        if error.cause is Cause.CURSOR_TOO_OLD:
            by_time = resume.too_old(self._resume)
            if by_time is None:
                return Cause.REFUSED
            self._resume = by_time
            since = instant(by_time.before.time_us)
            hint = "resuming by time; what the host no longer has is missing; a line on the gap follows"
            log.error("cursor_too_old", host=self.host.name, reason=error, missing_from=since, hint=hint)
        return error.cause

    def _too_large(self, last: Position) -> None:
        self._resume, is_new = resume.too_large(self._resume, last, self.host)
        if is_new:
            self._gaps.begin(Reason.OVERSIZE, last, self._now_us())
            hint = "raise FIREHOSE_MAX_MESSAGE_BYTES; it is passed by, a line on the gap follows"
            log.error("message_too_large", host=self.host.name, after=instant(last.time_us), hint=hint)

    def _now_us(self) -> int:
        return int(self._now() * 1_000_000)
