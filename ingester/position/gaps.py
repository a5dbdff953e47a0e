"""What is known of gaps: the records to be written, and those gaps that may still be filled.

Lives here: decisions without I/O or clocks, and the log line of each. Must not: Redis, connections.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from ingester.contract.gap import Gap, Reason
from ingester.jetstream.hosts import Host
from ingester.logs import line
from ingester.position.position import Position

log = logging.getLogger(__name__)

#: A stream that was away for no longer (seconds) was only interrupted: over two heartbeats.
OUTAGE_S: Final = 5.0
#: What fills a gap: the same stream from where it was left, or the stream of another host.
REPLAY: Final = "replay"
OTHER_HOST: Final = "other host"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: Gaps that end with the first event of the next connection, in one way or the other.
_UNTIL_RESUMED: Final = (Reason.STALL, Reason.OUTAGE, Reason.REDIS_LOST)


class Gaps:
    """The gaps of one ingester.

    ``pending`` is to be written with the next flush, ``open`` to be kept beside the cursor: another process goes
    on from there.
    """

    def __init__(self) -> None:
        self.pending: list[Gap] = []
        self._open: dict[str, Gap] = {}

    @property
    def open(self) -> tuple[Gap, ...]:
        """The gaps that may still grow or be filled."""
        return tuple(self._open.values())

    def adopt(self, gaps: Iterable[Gap]) -> None:
        """Take over what the process before has left open."""
        self._open = {gap.id: gap for gap in gaps}

    def written(self, gaps: Sequence[Gap]) -> None:
        """The first of the pending records are in Redis."""
        del self.pending[: len(gaps)]

    def begin(self, reason: Reason, before: Position, now_us: int) -> None:
        """Nothing has come since ``before``, up to now; what that means is not known yet."""
        if before.host and before.time_us:
            gap = _gap(reason, before.time_us, before.host, before.protocol, now_us)
            self._open[gap.id] = self._note(gap, now_us, begun=True)

    def partial(self, host: Host, queue: str, from_us: int, to_us: int, now_us: int) -> None:
        """A host gives hardly anything of a queue: found, or found to go on."""
        gap = _gap(Reason.PARTIAL, from_us, host.name, host.protocol, to_us, queue)
        self._open[gap.id] = self._note(gap, now_us, begun=gap.id not in self._open)

    def open_partial(self, queue: str = "") -> list[Gap]:
        """The open gaps of one type: of this queue, or of any."""
        return [gap for gap in self.open if gap.reason is Reason.PARTIAL and queue in ("", gap.queue)]

    def partial_ended(self, queue: str, host: Host, until_us: int, now_us: int, *, good: bool) -> None:
        """A queue is whole again, from ``until_us`` on; ``good``: because ``host`` has it."""
        for gap in self.open_partial(queue):
            own = (gap.host, gap.protocol) == (host.name, host.protocol)
            if own:
                gap = msgspec.structs.replace(gap, to_us=max(gap.from_us + 1, until_us))
            self.close(msgspec.structs.replace(gap, filled=OTHER_HOST) if good and not own else gap, now_us)

    def replayed(self, first: Position, host: Host, now_us: int) -> None:
        """The first event of another host, which is to fill these gaps, is in: what is before it stays missing."""
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
        """Nothing more will be known of an open gap than ``gap`` says."""
        self._note(gap, now_us)
        self._open.pop(gap.id, None)

    def resumed(self, before: Position, late_us: int, host: Host, now_us: int, away_s: float, why: Reason) -> None:
        """The first event of a connection, which was to go on after ``before``, is in.

        ``late_us``: its time, if that is after what was asked for, else 0; ``why`` is then what is wrong.
        ``away_s``: for how long nothing was heard. The spans do not overlap: what lies before the first event
        is one unhealed record, the rest of an outage or a stall is a record of its own, filled by the replay.
        """
        if not before.host or not before.time_us:
            return
        doubts = [gap for gap in self.open if gap.reason in _UNTIL_RESUMED]
        if not doubts and away_s > OUTAGE_S:
            doubts = [_gap(Reason.OUTAGE, before.time_us, before.host, before.protocol, now_us)]
        for gap in doubts:
            self.close(_concluded(gap, late_us, now_us), now_us)
        for gap in [gap for gap in self.open if gap.reason is Reason.OVERSIZE and gap.from_us < before.time_us]:
            # The process that met it died after it had gone past.
            self.close(msgspec.structs.replace(gap, to_us=before.time_us), now_us)
        if late_us:
            self.close(_gap(why, before.time_us, host.name, host.protocol, late_us), now_us)

    def held_up(self, before: Position, idle_s: float, now_us: int) -> None:
        """Redis took nothing for ``idle_s`` seconds, up to now, and the stream is read on from after ``before``.

        Nothing is missing for that. Yet no interval in that time has an event or a heartbeat, and the batch
        pipeline takes such a one for time that nobody listened to, unless this record spans it.
        """
        if before.host and before.time_us:
            from_us = min(before.time_us, now_us - int(idle_s * 1_000_000))
            gap = _gap(Reason.OUTAGE, from_us, before.host, before.protocol, now_us)
            self._note(msgspec.structs.replace(gap, filled=REPLAY), now_us)

    def oversize(self, before: Position, after: Position, now_us: int) -> None:
        """The stream has gone past a message that was too large, somewhere between two events."""
        for gap in [gap for gap in self.open if gap.reason is Reason.OVERSIZE and gap.from_us == before.time_us]:
            self.close(msgspec.structs.replace(gap, to_us=after.time_us), now_us)

    def _note(self, gap: Gap, now_us: int, *, begun: bool = False) -> Gap:
        before = max((known.noted_us for known in (*self.open, *self.pending) if known.id == gap.id), default=0)
        # A clock that was set back must not make the newer record the older one.
        gap = msgspec.structs.replace(gap, noted_us=max(now_us, before + 1))
        self.pending.append(gap)
        event, level = _said(gap, begun)
        fields = {"reason": gap.reason, "host": gap.host} | ({"queue": gap.queue} if gap.queue else {})
        span = {"missing_from": instant(gap.from_us), "missing_to": instant(gap.to_us)}
        log.log(level, line(event, **fields, **span, **({"by": gap.filled} if gap.filled else {})))
        return gap


def instant(time_us: int) -> str:
    """A time (µs) for a reader, in UTC."""
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat(timespec="microseconds")


def _gap(reason: Reason, from_us: int, host: str, protocol: str, to_us: int, queue: str = "") -> Gap:
    # From the last event that there is to the first one after: both are known, and what lies between is not.
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


def _concluded(gap: Gap, missing_to_us: int, now_us: int) -> Gap:
    """``gap`` after a replay that began at ``missing_to_us``; 0: where it was left."""
    since, to_us = max(gap.from_us, missing_to_us), max(gap.to_us, now_us)
    if since >= to_us:
        return msgspec.structs.replace(gap, to_us=to_us)
    return msgspec.structs.replace(gap, from_us=since, to_us=to_us, filled=REPLAY)


def _said(gap: Gap, begun: bool) -> tuple[str, int]:
    if begun or gap.filled:
        return "interrupted" if begun else "healed", logging.WARNING
    return "gap", logging.ERROR
