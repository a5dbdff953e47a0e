"""The events of a schedule: made once for a seed, stamped by each host as they come, looked up by their bytes.

Lives here: pure values. Must not: processes, files.
"""

from __future__ import annotations

import functools
import re
from typing import Final, NamedTuple

from firehose.simulator.generate import events

#: One event a tenth of a second of witnessed time: a rewind of a second repeats ten, one to another host 600.
SPACING_US: Final = 100_000
#: Forty seconds before a full hour of May 2026, so that the stream goes on into a second hour after 400 events.
START_US: Final = 494_368 * 3_600_000_000 - 40_000_000
#: Some more events than a schedule can ask for.
LENGTH: Final = 4000
#: Every 30th or so is no event that a decoder should accept.
ODD: Final = 0.03
_TIME_US: Final = re.compile(rb'("time_us"\s*:\s*"?)(\d+)')


class Message(NamedTuple):
    """What a host sends: its time, and its bytes."""

    time_us: int
    line: bytes


class Tape:
    """The stream as two hosts see it. ``disagree_us`` is by how much the second one stamps later."""

    def __init__(self, seed: int, disagree_us: int = 0) -> None:
        self._lines = _lines(seed)
        self._shift_us = 0
        self._disagree_us = disagree_us
        #: What each host has put on its stream.
        self.sent: tuple[list[Message], list[Message]] = ([], [])
        #: The number of the event that a message stands for, by the message's bytes.
        self.numbers: dict[bytes, int] = {}
        #: Numbers of the first events after a step of the source's clock, forward and back.
        self.steps: list[tuple[int, int]] = []

    @property
    def count(self) -> int:
        """How many events have come."""
        return len(self.sent[0])

    @property
    def newest_us(self) -> int:
        """The time of the last event."""
        return self.sent[0][-1].time_us if self.count else START_US

    def take(self, count: int, step_us: int = 0) -> tuple[list[Message], list[Message]]:
        """The next events, as each host sends them; before them the source's clock steps by ``step_us``."""
        if step_us:
            self._shift_us += step_us
            self.steps.append((self.count, step_us))
        numbers = range(self.count, min(self.count + count, LENGTH))
        taken = tuple([self._message(number, host * self._disagree_us) for number in numbers] for host in (0, 1))
        for sent, new in zip(self.sent, taken, strict=True):
            sent += new
            self.numbers.update((message.line, number) for number, message in zip(numbers, new, strict=True))
        return taken[0], taken[1]

    def _message(self, number: int, later_us: int) -> Message:
        shift_us = self._shift_us + later_us
        time_us = START_US + number * SPACING_US + shift_us
        line = self._lines[number]
        if shift_us:
            line = _TIME_US.sub(lambda found: found[1] + b"%d" % (int(found[2]) + shift_us), line, count=1)
        return Message(time_us, line)


@functools.cache
def _lines(seed: int) -> list[bytes]:
    made = list(events(LENGTH, seed=seed, start_us=START_US, rate=1_000_000 / SPACING_US, odd=ODD))
    assert len(set(made)) == LENGTH
    return made
