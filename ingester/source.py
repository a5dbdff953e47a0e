"""Jetstream as the service sees it: connect to the host whose turn it is, at the right place, and judge failures.

Lives here: the wiring of hosts, cursors, failover and dictionaries. Must not: Redis, buffers, the hot loop.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from websockets.asyncio.client import ClientConnection

from ingester import dictionary, failover, session
from ingester.blindness import Blindness, Sight, Verdict
from ingester.cursor import OTHER_HOST_REWIND_US, V2_TIME_CURSOR, Position, resume_at, subscribe_url
from ingester.dictionary import Dictionary
from ingester.errors import (
    DictionaryUnavailable,
    Overshot,
    Renumbered,
    SourceBlind,
    SourceNotice,
    SourceRefused,
)
from ingester.failover import Cause, Failure
from ingester.gaps import Gaps, instant
from ingester.hosts import V1, V2, Host, hosts
from ingester.logs import line
from ingester.settings import IngesterSettings, redacted
from ingester.unread import Stuck
from ingester.wire import Reason

log = logging.getLogger(__name__)


class Source:
    """The hosts of the settings, of which one is listened to. ``decompress`` undoes what it sends, if anything."""

    def __init__(
        self,
        settings: IngesterSettings,
        gaps: Gaps,
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
        self._stuck: Stuck | None = None
        # Behind the last message that could not be read: not to be asked for again by a rewind.
        self._floor = Position()
        self._back_to_floor = False
        self._by_time = False
        self._sight = Blindness()
        self._back_to = Position()  # where blindness began that the next host is to make good
        self._refused = False
        self._away_since: float | None = None
        self._resumed = Position()
        self._asked_seq = 0
        self._opened: float | None = None
        self._fetched: dict[str, Dictionary] = {}
        named = settings.zstd_dictionary
        most = settings.max_message_bytes
        self._file = dictionary.from_file(named, most) if named and named != dictionary.FETCH else None

    @property
    def host(self) -> Host:
        """The host whose turn it is."""
        return self._hosts[self._state.current]

    def away(self, seconds: float) -> None:
        """For so long nothing has been heard already: another process was the last that listened."""
        self._away_since = self._clock() - seconds

    def adopt(self, last: Position) -> None:
        """Leave the host that the process before has found blind, and go back to where that began."""
        for gap in self._gaps.blindness():
            if len(self._hosts) == 1 or gap.host != last.host:
                self._gaps.close(gap, self._now_us())
                continue
            from_us = min(gap.from_us, self._back_to.time_us or gap.from_us)
            self._back_to = Position(0, from_us, gap.host, gap.protocol)
            if (gap.host, gap.protocol) == (self.host.name, self.host.protocol):
                self._state = failover.after(self._state, Failure(Cause.BLIND, 0.0, False), self._clock())

    async def open(self, position: Position) -> ClientConnection:
        """Connect to :attr:`host`, for what follows ``position``.

        Raises:
            One of session.FAILURES: give it to :meth:`failed`.
        """
        self._opened, self._resumed = None, position
        host = self.host
        used = await self._dictionary(host)
        cursor = self._cursor(position)
        self._asked_seq = cursor if host.protocol == V2 and cursor < V2_TIME_CURSOR else 0
        left_out, packed = self._stuck is not None, used.id if used else 0
        url = subscribe_url(self._settings, host, cursor, skip_large=left_out, dictionary=packed)
        connection = await session.open_session(url, host.protocol, self._settings)
        log.info(line("connected", url=redacted(url)))
        self.decompress = used.decompress if used else None
        self._opened = self._clock()
        self._sight.connected(f"{host.name} {host.protocol}")
        return connection

    @property
    def stepping(self) -> bool:
        """Whether a message is being passed by: a search that is not to be slowed down."""
        return self._stuck is not None and self._stuck.stepping

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
            self._by_time = False
            log.warning(line("host_switched", host=self.host.name, protocol=self.host.protocol, left=host.name))
        return reason

    def arrived(self, first: Position) -> None:
        """The first event of a connection is in: say so if it comes later than it should.

        Raises:
            Renumbered: it is not what was asked for; reconnect at the old position, by time.
            Overshot: there may be one before it that can be read; reconnect at the old position.
        """
        before, asked = self._resumed, self._asked_seq
        # A sequence number that the host has not reached is answered with the live tail, without a word; one
        # that it has given to another event, with that event.
        ahead_us = first.time_us - before.time_us
        self._by_time = (
            bool(asked)
            and first != before
            and (first.cursor < asked or (ahead_us > OTHER_HOST_REWIND_US and not self.stepping))
        )
        if self._by_time:
            raise Renumbered(before, first.cursor)
        late = first.cursor > before.cursor if asked else first.time_us > before.time_us
        away_s = 0.0 if self._away_since is None else self._clock() - self._away_since
        why = self._passed_by() or (Reason.REFUSED if self._refused else Reason.LATE)
        self._gaps.resumed(before, first if late else None, self.host, self._now_us(), away_s, why)
        # The blind host itself may have to do for a while, when no other one can be reached.
        if self._back_to.time_us and not self._back_to.of(self.host):
            self._gaps.replayed(first, self.host, self._now_us())
            self._back_to = Position()
        self._away_since, self._refused, self._back_to_floor = None, False, False

    def behind(self, written: Position) -> bool:
        """Whether the stream, which leaves large messages out, has gone past the one that was too large.

        It was somewhere before ``written``, the last event in Redis. Without large messages the stream is not to
        go on: those that follow would be missing without a word.
        """
        stuck = self._stuck
        if stuck is None or not written.of(self.host) or written.time_us <= stuck.before.time_us:
            return False
        self._gaps.unread(stuck.before, written, self._now_us())
        self._stuck, self._floor, self._back_to_floor = None, written, True
        return True

    def look(self, counts: Mapping[str, int], at_us: int) -> None:
        """Judge what comes of each queue; see :class:`~ingester.blindness.Blindness`.

        Raises:
            SourceBlind: hardly anything comes of some, and a host that has not failed lately can be asked.
        """
        verdicts = self._sight.look(counts, at_us)
        for verdict in verdicts:
            self._judged(verdict)
        blind = [verdict for verdict in verdicts if verdict.sight is Sight.BLIND]
        if blind and failover.rested(self._state, self._clock()):
            since_us = min(verdict.since_us for verdict in blind)
            self._back_to = Position(0, since_us, self.host.name, self.host.protocol)
            raise SourceBlind(f"hardly any {', '.join(verdict.queue for verdict in blind)} since a while")

    def _judged(self, verdict: Verdict) -> None:
        queue, sight, since_us, until_us = verdict
        now_us, host = self._now_us(), self.host
        fields = {"host": host.name, "queue": queue, "since": instant(since_us)}
        if sight is Sight.BLIND:
            self._gaps.blind(host, queue, since_us, until_us, now_us)
            log.error(line("blind", **fields))
        else:
            self._gaps.sighted(queue, host, until_us, now_us, good=sight is Sight.SEEN)
            log.warning(line("not_blind", **fields, why=sight.name.lower()))

    def noticed(self, notice: SourceNotice) -> None:
        """Log what the server says about the stream."""
        clamped = notice.name == "OutdatedCursor"
        self._refused |= clamped
        level = logging.WARNING if clamped else logging.INFO
        log.log(level, line("notice", host=self.host.name, name=notice.name, message=notice.message))

    def _remedied(self, cause: Cause, reason: str) -> Cause:
        """Change the next request as ``cause`` asks for; a change that did not help is a refusal."""
        if cause is Cause.UNKNOWN_DICTIONARY:
            return cause if self._fetched.pop(self.host.name, None) else Cause.REFUSED
        if cause is Cause.CURSOR_TOO_OLD:
            if self._by_time:
                return Cause.REFUSED
            self._by_time = self._refused = True
            since = instant(self._resumed.time_us)
            hint = "resuming by time; what the host no longer has is missing; a line on the gap follows"
            log.error(line("cursor_too_old", host=self.host.name, reason=reason, missing_from=since, hint=hint))
        return cause

    def _cursor(self, position: Position) -> int:
        stuck, host = self._stuck, self.host
        if stuck is not None and (stuck.host, stuck.before) != (host, position):
            stuck = self._stuck = None
        if stuck is not None and stuck.stepping:
            return stuck.cursor
        rewind_ms, now_us = self._settings.rewind_ms, self._now_us()
        if self._back_to.time_us and not self._back_to.of(host):
            return resume_at(self._back_to, host, rewind_ms, now_us)
        cursor = resume_at(position, host, rewind_ms, now_us, by_time=self._by_time)
        if self._floor.of(host) and position.of(host) and not self._by_time:
            cursor = max(cursor, min(self._floor.cursor, position.cursor))
            # What came since then may lack large messages, as long as they were left out.
            return min(cursor, self._floor.cursor) if self._back_to_floor else cursor
        return cursor

    def _too_large(self, last: Position) -> None:
        stuck = self._stuck
        if stuck is not None and (stuck.host, stuck.before) == (self.host, last):
            self._stuck = stuck.again()
        else:
            self._stuck = Stuck(last, self.host)
            self._gaps.begin(Reason.UNREAD, last, self._now_us())
            hint = "raise FIREHOSE_MAX_MESSAGE_BYTES; it is passed by, a line on the gap follows"
            log.error(line("message_too_large", host=self.host.name, after=instant(last.time_us), hint=hint))

    def _passed_by(self) -> Reason | None:
        """The reason of what is missing, if the first event was asked for behind a message that is too large."""
        stuck = self._stuck
        if stuck is None or not stuck.stepping:
            return None
        asked, found = stuck.cursor, stuck.found()
        if not found.exact:
            self._stuck = found
            raise Overshot(stuck.before, asked)
        self._stuck, self._floor = None, Position(asked, 0, stuck.host.name, stuck.host.protocol)
        return Reason.UNREAD

    async def _dictionary(self, host: Host) -> Dictionary | None:
        if host.protocol == V1 or not self._settings.zstd_dictionary:
            return self._file if host.protocol == V1 else None
        if host.name not in self._fetched:
            try:
                self._fetched[host.name] = await asyncio.to_thread(
                    dictionary.fetch, host.url, self._settings.max_message_bytes
                )
            except DictionaryUnavailable as error:
                log.warning(line("dictionary_unavailable", host=host.name, reason=error, hint="not compressed"))
        return self._fetched.get(host.name)

    def _now_us(self) -> int:
        return int(self._now() * 1_000_000)
