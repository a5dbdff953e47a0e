"""Keeps the gaps of an ingester: the records to be written, and the gaps that may still be filled.

Lives here: decisions without I/O or clocks, and the log line of each. Must not: Redis, connections.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from ingester.contract import metrics
from ingester.contract.counting import count
from ingester.contract.gap import OLD_REASONS, Gap, Reason
from ingester.contract.logs import get_logger
from ingester.jetstream.hosts import Host
from ingester.position.position import Position

log = get_logger(__name__)

#: An interruption up to this long (seconds) is not recorded: a little over two heartbeats.
OUTAGE_S: Final = 5.0
#: What may fill a gap: the same stream, continued from where it stopped, or the stream of another host.
REPLAY: Final = "replay"
OTHER_HOST: Final = "other host"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: Gaps that end with the first event of the next connection, filled or not.
_UNTIL_RESUMED: Final = (Reason.STALL, Reason.OUTAGE, Reason.REDIS_LOST)


class Gaps:
    """The gaps of one ingester.

    ``pending`` records are written with the next flush; ``open`` gaps are stored beside the cursor, so that the
    next process can continue with them.
    """

    def __init__(self) -> None:
        self.pending: list[Gap] = []
        self._open: dict[str, Gap] = {}

    @property
    def open(self) -> tuple[Gap, ...]:
        """The gaps that may still grow or be filled."""
        return tuple(self._open.values())

    def adopt(self, gaps: Iterable[Gap]) -> None:
        """Take over the gaps that the process before left open."""
        self._open = {gap.id: gap for gap in gaps}

    def written(self, gaps: Sequence[Gap]) -> None:
        """Drop the first pending records: they are in Redis now."""
        del self.pending[: len(gaps)]

    def begin(self, reason: Reason, before: Position, now_us: int, idle_s: float = 0.0) -> None:
        """Open a gap from ``before``, or from ``idle_s`` seconds ago if that is earlier, to now.

        Whether it will be filled is not known yet.
        """
        if before.host and before.time_us:
            from_us = _idle_since(before, idle_s, now_us) if idle_s else before.time_us
            gap = self._as_open(_gap(reason, from_us, before.host, before.protocol, now_us))
            self._open[gap.id] = self._note(gap, now_us, begun=True)

    def continued(self, written: Position, now_us: int) -> None:
        """Close the gap of a process that was frozen once its connection has brought what came since.

        A connection gives everything in order, or ends: then :meth:`resumed` settles the gap.
        """
        for gap in [gap for gap in self.open if gap.reason is Reason.OUTAGE and gap.to_us <= written.time_us]:
            self.close(msgspec.structs.replace(gap, filled=REPLAY), now_us)

    def partial(self, host: Host, queue: str, from_us: int, to_us: int, now_us: int) -> None:
        """Open a gap for a host that sends hardly any events of a queue, or extend it."""
        gap = self._as_open(_gap(Reason.PARTIAL, from_us, host.name, host.protocol, to_us, queue))
        self._open[gap.id] = self._note(gap, now_us, begun=gap.id not in self._open)

    def open_partial(self, queue: str = "") -> list[Gap]:
        """The open gaps of partial hosts: those of ``queue``, or all."""
        return [gap for gap in self.open if gap.reason is Reason.PARTIAL and queue in ("", gap.queue)]

    def partial_ended(self, queue: str, host: Host, until_us: int, now_us: int, *, good: bool) -> None:
        """Close the gaps of a queue that is complete from ``until_us`` on; ``good``: ``host`` sends it again."""
        for gap in self.open_partial(queue):
            own = (gap.host, gap.protocol) == (host.name, host.protocol)
            if own:
                gap = msgspec.structs.replace(gap, to_us=max(gap.from_us + 1, until_us))
            self.close(msgspec.structs.replace(gap, filled=OTHER_HOST) if good and not own else gap, now_us)

    def replayed(self, first: Position, host: Host, now_us: int) -> None:
        """Settle these gaps after another host's first event: what lies before it cannot be filled any more."""
        for gap in self.open_partial():
            if (gap.host, gap.protocol) == (host.name, host.protocol):
                continue
            if first.time_us >= gap.to_us:
                self.close(gap, now_us)
            elif first.time_us > gap.from_us:
                self._note(
                    _gap(Reason.LATE, gap.from_us, host.name, host.protocol, first.time_us, gap.queue), now_us
                )
                self._open[gap.id] = msgspec.structs.replace(gap, from_us=first.time_us)

    def close(self, gap: Gap, now_us: int) -> None:
        """Record ``gap`` as final."""
        self._note(gap, now_us)
        self._open.pop(gap.id, None)

    def resumed(self, before: Position, late_us: int, host: Host, now_us: int, away_s: float, why: Reason) -> None:
        """Settle the gaps of an interruption when the connection that continues after ``before`` sends an event.

        ``late_us`` is that event's time if it is later than requested, else 0; ``why`` then is the reason.
        ``away_s`` is for how long nothing was received. The spans do not overlap: the time before the first event
        is one open gap; the rest of the outage or stall is a record of its own, filled by the replay.
        """
        if not before.host or not before.time_us:
            return
        undecided = [gap for gap in self.open if gap.reason in _UNTIL_RESUMED]
        if not undecided and away_s > OUTAGE_S:
            undecided = [_gap(Reason.OUTAGE, before.time_us, before.host, before.protocol, now_us)]
        for gap in undecided:
            if late_us and gap.from_us < before.time_us:
                # A frozen process still got what lay in its socket: that is there, and the rest is another gap.
                self.close(msgspec.structs.replace(gap, to_us=before.time_us, filled=REPLAY), now_us)
                gap = _gap(gap.reason, before.time_us, gap.host, gap.protocol, gap.to_us)
            self.close(_concluded(gap, late_us, now_us), now_us)
        for gap in [gap for gap in self.open if gap.reason is Reason.OVERSIZE and gap.from_us < before.time_us]:
            # The process that met the message died after the stream had passed it.
            self.close(msgspec.structs.replace(gap, to_us=before.time_us), now_us)
        if late_us:
            # A message that was too large has a record already, perhaps of another host or of the version before.
            known = [gap for gap in self.open if (gap.reason, gap.from_us) == (why, before.time_us)]
            for gap in known or [_gap(why, before.time_us, host.name, host.protocol, late_us)]:
                self.close(msgspec.structs.replace(gap, to_us=max(late_us, gap.from_us + 1)), now_us)

    def held_up(self, before: Position, idle_s: float, now_us: int) -> None:
        """Record that Redis accepted nothing for the last ``idle_s`` seconds; the stream continues at ``before``.

        Nothing is missing. But intervals in that time have neither events nor heartbeats, so the batch pipeline
        would record them as intervals without an ingester; this record, which spans them, fills them.
        """
        if before.host and before.time_us:
            gap = _gap(Reason.OUTAGE, _idle_since(before, idle_s, now_us), before.host, before.protocol, now_us)
            self._note(msgspec.structs.replace(gap, filled=REPLAY), now_us)

    def oversize(self, before: Position, after: Position, now_us: int) -> None:
        """Close the gap of a message that was too large: it was somewhere between two events."""
        for gap in [gap for gap in self.open if gap.reason is Reason.OVERSIZE and gap.from_us == before.time_us]:
            self.close(msgspec.structs.replace(gap, to_us=after.time_us), now_us)

    def _as_open(self, gap: Gap) -> Gap:
        """``gap`` with the id of the same gap if that is open: the version before used former reasons in ids."""
        same = (known.id for known in self.open if _what(known) == _what(gap))
        return msgspec.structs.replace(gap, id=next(same, gap.id))

    def _note(self, gap: Gap, now_us: int, *, begun: bool = False) -> Gap:
        before = max((known.noted_us for known in (*self.open, *self.pending) if known.id == gap.id), default=0)
        # Even if the clock was set back, the newer record must have the later time.
        gap = msgspec.structs.replace(gap, noted_us=max(now_us, before + 1))
        self.pending.append(gap)
        count(metrics.GAPS_NOTED, label=gap.reason)
        _log(gap, begun)
        return gap


def instant(time_us: int) -> str:
    """A time (µs) as text, in UTC."""
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat(timespec="microseconds")


def _gap(reason: Reason, from_us: int, host: str, protocol: str, to_us: int, queue: str = "") -> Gap:
    # From the last event before to the first event after: what lies between them is unknown.
    identity = ":".join([reason, host, str(from_us), *([queue] if queue else [])])
    return Gap(
        id=identity,
        reason=reason,
        from_us=from_us,
        to_us=max(to_us, from_us + 1),
        noted_us=0,
        host=host,
        protocol=protocol,
        queue=queue,
    )


def _idle_since(before: Position, idle_s: float, now_us: int) -> int:
    """Where a gap begins that must span the time without heartbeats, which is this machine's, not the host's."""
    return min(before.time_us, now_us - int(idle_s * 1_000_000))


def _what(gap: Gap) -> tuple[str, int, str, str]:
    return gap.reason, gap.from_us, gap.host, gap.queue


def _concluded(gap: Gap, missing_to_us: int, now_us: int) -> Gap:
    """``gap`` after a replay that began at ``missing_to_us``; 0: it continued exactly."""
    since, to_us = max(gap.from_us, missing_to_us), max(gap.to_us, now_us)
    if since >= to_us:
        return msgspec.structs.replace(gap, to_us=to_us)
    return msgspec.structs.replace(gap, from_us=since, to_us=to_us, filled=REPLAY)


def _log(gap: Gap, begun: bool) -> None:
    former = {"old_reason": OLD_REASONS[gap.reason]} if gap.reason in OLD_REASONS else {}
    fields = {"reason": gap.reason, **former, "host": gap.host} | ({"queue": gap.queue} if gap.queue else {})
    fields |= {"missing_from": instant(gap.from_us), "missing_to": instant(gap.to_us)}
    if begun:
        log.warning("interrupted", **fields)
    elif gap.filled:
        log.warning("filled", **fields, by=gap.filled)
        log.warning("healed", renamed_to="filled", **fields, by=gap.filled)
    else:
        log.error("gap", **fields)
