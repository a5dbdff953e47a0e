"""Whether a host still sends every type of event: each queue, beside all others, against its own history.

Lives here: counts and the judgement on them, pure; time is the stream's own. Must not: I/O, clocks, gap records.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final, NamedTuple

import msgspec

#: Counts are compared over windows of at least so long (µs of the stream), and once so many events are expected.
WINDOW_US: Final = 60_000_000
LEAST: Final = 50.0
#: A queue of which less can be expected in so long (µs) is too rare to be judged.
LONGEST_US: Final = 1_800_000_000
#: Below this share of what is expected a queue is blind.
FLOOR: Final = 0.2
#: So much of the stream (µs) is only learnt from; afterwards the history moves over about so much.
LEARN_US: Final = 300_000_000
MEMORY_US: Final = 1_800_000_000


class Sight(Enum):
    """What a window says of a queue."""

    BLIND = auto()  # hardly anything came: found, or found again
    SEEN = auto()  # it is back, or another host has it
    AGREED = auto()  # the other host has no more of it: what is normal has changed
    UNKNOWN = auto()  # blind for so long that the history expects nothing any more


class Verdict(NamedTuple):
    """On one queue. ``since_us`` is where the last normal window began, ``until_us`` how far is judged."""

    queue: str
    sight: Sight
    since_us: int
    until_us: int


class _Queue(msgspec.Struct):
    """History and running window of one queue. ``rate`` is in events a second of the stream."""

    normal_us: int
    since_us: int
    seen: int = 0
    expected: float = 0.0
    rate: float = 0.0
    learnt_us: int = 0
    blind_until_us: int = 0  # 0: not blind
    blind_host: str = ""
    asked: bool = False  # of another host

    def clear(self, at_us: int) -> None:
        self.seen, self.expected, self.since_us = 0, 0.0, at_us

    def judge(self, name: str, host: str, now_us: int) -> Verdict | None:
        """The verdict of a window that ends now, if it is one that matters; the next window begins."""
        since_us, blind = self.since_us, self.seen < FLOOR * self.expected
        if self.learnt_us < LEARN_US:
            self.normal_us = now_us
            self.clear(now_us)
            return None
        if self.expected < LEAST:
            if now_us - since_us < LONGEST_US:
                return None
            sight = Sight.UNKNOWN
        elif blind:
            sight = Sight.AGREED if self.asked else Sight.BLIND
        else:
            sight = Sight.SEEN
        if sight is Sight.AGREED:
            self.rate, self.learnt_us = 0.0, 0
        self.clear(now_us)
        if sight is Sight.BLIND:
            self.blind_host = host
        return self._turn(name, sight, since_us, now_us)

    def _turn(self, name: str, sight: Sight, since_us: int, now_us: int) -> Verdict | None:
        if sight is Sight.BLIND:
            self.blind_until_us = now_us
            return Verdict(name, sight, self.normal_us, now_us)
        # Another host has it all only once it has gone through the time in which the first one was blind.
        early = sight is Sight.SEEN and self.asked and now_us < self.blind_until_us
        was_blind = self.blind_until_us > 0
        verdict = Verdict(name, sight, self.normal_us, since_us) if was_blind and not early else None
        self.normal_us = since_us
        if not early:
            self.blind_until_us, self.asked = 0, False
        return verdict

    def learn(self, count: int, span_us: int) -> None:
        """Move the history: a plain mean at first, slowly later."""
        rate = count * 1e6 / span_us
        if self.learnt_us >= LEARN_US:
            # A flood of one type must not make its end look like blindness.
            rate = min(rate, max(LEAST * 1e6 / span_us, 2 * self.rate))
        self.rate += span_us / (min(self.learnt_us, MEMORY_US) + span_us) * (rate - self.rate)
        self.learnt_us += span_us


class _History(msgspec.Struct):
    """What outlives a process: of which events (a filter), from which host they came last, and every queue's."""

    wanted: str
    host: str
    queues: dict[str, _Queue]


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(_History).decode


class Blindness:
    """Judges a stream by what came of each queue. A quiet night, a flood of one type and a replay are normal:

    what is expected of a queue is its usual rate, or less by as much as there is less of all others. ``wanted`` is
    the filter that the stream was asked for: what is usual with one is not with another.
    """

    def __init__(self, wanted: str = "") -> None:
        self._wanted = wanted
        self._host = ""
        self._queues: dict[str, _Queue] = {}
        self._counts: dict[str, int] = {}
        self._begun_us = 0  # 0: with the next look

    def history(self) -> bytes:
        """All that :meth:`adopt` needs, in JSON. It changes once a window, not with each event."""
        return _encode(_History(self._wanted, self._host, self._queues))

    def adopt(self, history: bytes) -> None:
        """Go on with another process' history, if it is of the same filter.

        Raises:
            msgspec.MsgspecError: it cannot be read; nothing is adopted.
        """
        known = _decode(history)
        if known.wanted == self._wanted:
            self._host, self._queues = known.host, known.queues

    def blind(self, queue: str) -> bool:
        """Whether this queue was found blind and not seen again since."""
        return queue in self._queues and self._queues[queue].blind_until_us > 0

    def connected(self, host: str) -> None:
        """A new connection: the stream may be anywhere.

        Another host is judged by the same history; what was blind and is no better there has changed.
        """
        self._begun_us = 0
        if host != self._host:
            self._host = host
            for queue in self._queues.values():
                queue.asked = queue.blind_until_us > 0 and queue.blind_host != host
                queue.clear(0)

    def look(self, counts: Mapping[str, int], at_us: int) -> list[Verdict]:
        """``counts``: of each queue ever, as of the event at ``at_us``. Returns what matters of the queues."""
        span_us = at_us - self._begun_us
        if not self._begun_us or span_us < 0:
            self._begin(counts, at_us)
            return []
        if span_us < WINDOW_US:
            return []
        came = {queue: count - self._counts.get(queue, 0) for queue, count in counts.items()}
        self._expect(came, span_us)
        verdicts = [self._queues[name].judge(name, self._host, at_us) for name in came]
        for name, count in came.items():
            self._queues[name].learn(count, span_us)
        self._begin(counts, at_us)
        return [verdict for verdict in verdicts if verdict is not None]

    def _begin(self, counts: Mapping[str, int], at_us: int) -> None:
        self._counts, self._begun_us = dict(counts), at_us
        for name in counts:
            queue = self._queues.setdefault(name, _Queue(at_us, at_us))
            queue.since_us = min(queue.since_us or at_us, at_us)

    def _expect(self, came: Mapping[str, int], span_us: int) -> None:
        total, usual = sum(came.values()), sum(queue.rate for queue in self._queues.values())
        for name, count in came.items():
            queue = self._queues[name]
            queue.seen += count
            if others := (usual - queue.rate) * span_us / 1e6:
                queue.expected += queue.rate * span_us / 1e6 * min(1.0, (total - count) / others)
