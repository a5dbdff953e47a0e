"""The usual rate of each queue, and the verdict on one window of it. It is kept as JSON for the next process.

Lives here: rates, windows and verdicts, pure; time is the stream's own. Must not: I/O, clocks, other queues.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, NamedTuple

import msgspec

#: Counts are compared over windows of at least this length (µs of the stream) with this many events expected.
WINDOW_US: Final = 60_000_000
LEAST: Final = 50.0
#: A queue with too few expected events in this time (µs) is not judged.
LONGEST_US: Final = 1_800_000_000
#: Below this share of the expected events a queue is partial.
FLOOR: Final = 0.2
#: The history is built from this much of the stream (µs); afterwards it moves over about MEMORY_US.
LEARN_US: Final = 300_000_000
MEMORY_US: Final = 1_800_000_000


class QueueState(Enum):
    """The state of a queue after a window. All but the first end a dropout."""

    PARTIAL = auto()  # hardly any events came: found, or still so
    BACK = auto()  # the events are back, or another host has them
    SAME_ELSEWHERE = auto()  # another host does not send more of them: the usual rate has changed
    UNKNOWN = auto()  # partial for too long: too few expected events; not judged


class Verdict(NamedTuple):
    """The verdict on a queue, from the start of its last normal window, ``since_us``, to the end of this one."""

    queue: str
    state: QueueState
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
    # The names in JSON are those of the first version: the history in Redis outlives an upgrade.
    partial_until_us: int = msgspec.field(name="blind_until_us", default=0)  # 0: not partial
    partial_host: str = msgspec.field(name="blind_host", default="")
    asked: bool = False  # of another host

    def clear(self, at_us: int) -> None:
        self.seen, self.expected, self.since_us = 0, 0.0, at_us

    def classify(self, name: str, host: str, now_us: int) -> Verdict | None:
        """End the current window and begin the next. Returns the verdict, or None if nothing has changed."""
        since_us, partial = self.since_us, self.seen < FLOOR * self.expected
        if self.learnt_us < LEARN_US:
            self.normal_us = now_us
            self.clear(now_us)
            return None
        if self.expected < LEAST:
            if now_us - since_us < LONGEST_US:
                return None
            state = QueueState.UNKNOWN
        elif partial:
            state = QueueState.SAME_ELSEWHERE if self.asked else QueueState.PARTIAL
        else:
            state = QueueState.BACK
        if state is QueueState.SAME_ELSEWHERE:
            self.rate, self.learnt_us = 0.0, 0
        self.clear(now_us)
        if state is QueueState.PARTIAL:
            self.partial_host = host
        return self._turn(name, state, since_us, now_us)

    def _turn(self, name: str, state: QueueState, since_us: int, now_us: int) -> Verdict | None:
        if state is QueueState.PARTIAL:
            self.partial_until_us = now_us
            return Verdict(name, state, self.normal_us, now_us)
        # Another host is complete only after it has replayed the time in which the first one was partial.
        early = state is QueueState.BACK and self.asked and now_us < self.partial_until_us
        was_partial = self.partial_until_us > 0
        verdict = Verdict(name, state, self.normal_us, since_us) if was_partial and not early else None
        self.normal_us = since_us
        if not early:
            self.partial_until_us, self.asked = 0, False
        return verdict

    def learn(self, count: int, span_us: int) -> None:
        """Update the rate: a plain mean at first, a moving average later."""
        rate = count * 1e6 / span_us
        if self.learnt_us >= LEARN_US:
            # Otherwise the end of a flood would look like a dropout.
            rate = min(rate, max(LEAST * 1e6 / span_us, 2 * self.rate))
        self.rate += span_us / (min(self.learnt_us, MEMORY_US) + span_us) * (rate - self.rate)
        self.learnt_us += span_us


class History(msgspec.Struct):
    """The state kept for the next process: the filter, the last host, and the history of every queue."""

    wanted: str
    host: str
    queues: dict[str, Queue]


encode: Final = msgspec.json.Encoder().encode
decode: Final = msgspec.json.Decoder(History).decode
