"""The data that ingester and Redis exchange: the answers to a claim, and the flush that is written.

Lives here: their types, and reading stored state, that of the version before included. Must not: send commands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Self

import msgspec

from ingester.contract import metrics
from ingester.contract.counting import count
from ingester.contract.frame import Frame
from ingester.contract.gap import Gap
from ingester.contract.logs import get_logger
from ingester.contract.losses import LossPath
from ingester.jetstream.hosts import V1, V2
from ingester.position.position import LIVE, AfterEvent, Position

log = get_logger(__name__)

_decode: Final = msgspec.json.Decoder(tuple[Gap, ...]).decode


class Claim(NamedTuple):
    """The right to write, and the state that the writer before left; ``cursor`` 0: there was none."""

    cursor: int
    host: str
    protocol: str
    time_us: int = 0  # on v1 the cursor is the time
    away_s: float = 0.0  # since the last flush, by Redis' clock; 0 also if there was none
    gaps: tuple[Gap, ...] = ()  # those that the writer before left open
    history: bytes = b""  # its history of each queue
    resyncs: bytes = b""  # the sync events that it knew

    @property
    def position(self) -> Position:
        """The position that Redis holds."""
        if not self.cursor:
            return LIVE
        time_us = self.cursor if self.protocol in ("", V1) else self.time_us
        return AfterEvent(self.cursor, time_us, self.host, self.protocol)

    @classmethod
    def read(
        cls, cursor: str, host: str, protocol: str, time_us: str, away_ms: str, gaps: str, *kept: str
    ) -> Self:
        """Read the reply of ``claim.lua``. Parts that cannot be read count as absent, and are logged."""
        return cls(
            _number("cursor", cursor),
            _text(host),
            _text(protocol),
            _number("time_us", time_us) if protocol == V2 else 0,
            max(0, _number("last_flush_ms", away_ms)) / 1000,
            _known(gaps) if gaps else (),
            *(part.encode(errors="surrogateescape") for part in kept),
        )


class Held(NamedTuple):
    """An ingester of another name, ``writer``, holds the lease for ``left_ms`` more."""

    writer: str
    left_ms: int

    @classmethod
    def read(cls, writer: str, left_ms: str) -> Self:
        """Read the reply of ``claim.lua``."""
        return cls(_text(writer), int(left_ms))


class Flush(NamedTuple):
    """One write to Redis. ``lease_ms`` 0 gives the right to write back.

    ``host`` and ``protocol`` say where the cursor comes from, by default v1 of the host that the sink was made
    for; ``time_us`` 0: the cursor is the last event's time. ``gaps`` are added to the stream of gaps;
    ``open_gaps``, ``history`` and ``resyncs`` are stored for the next writer.
    """

    frames: Sequence[Frame]
    cursor: int
    connected: bool
    lease_ms: int
    time_us: int = 0
    host: str = ""
    protocol: str = V1
    gaps: Sequence[Gap] = ()
    open_gaps: Sequence[Gap] = ()
    history: bytes = b""
    resyncs: bytes = b""


def _text(found: str) -> str:
    """A text of the stored state, fit to be written again: another program may have put any bytes there."""
    return found.encode(errors="surrogateescape").decode(errors="replace")


def _number(name: str, text: str) -> int:
    """A number of the stored state; 0, as if it were lost, if another program has put something else there."""
    try:
        return int(text or 0)
    except ValueError:
        count(metrics.LOSSES, label=LossPath.STATE_UNREADABLE.code)
        log.error("state_unreadable", field=name, value=ascii(text[:100]))
        return 0


def _known(gaps: str) -> tuple[Gap, ...]:
    try:
        return _decode(gaps)
    except (msgspec.MsgspecError, UnicodeError) as error:
        # From another version or another program. The records themselves are in the stream of gaps already.
        count(metrics.LOSSES, label=LossPath.STATE_UNREADABLE.code)
        log.warning("open_gaps_unreadable", reason=error)
        return ()
