"""What is usual of each queue, and the judgement of one window of it. It outlives a process, as JSON.

Lives here: rates, windows and verdicts, pure; time is the stream's own. Must not: I/O, clocks, other queues.
"""

from __future__ import annotations

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


class Queue(msgspec.Struct):
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


class History(msgspec.Struct):
    """What outlives a process: of which events (a filter), from which host they came last, and every queue's."""

    wanted: str
    host: str
    queues: dict[str, Queue]


encode: Final = msgspec.json.Encoder().encode
decode: Final = msgspec.json.Decoder(History).decode
