"""The events of a schedule: made once for a seed, stamped by each host as they come, known again in any form.

Lives here: pure values. Must not: processes, files.
"""

from __future__ import annotations

import base64
import functools
import re
from typing import Final, NamedTuple

from jetstream_simulator import identifiers
from jetstream_simulator.generate import Generator, event_time_us
from jetstream_simulator.lines import other_line
from tests.fault.soak.reading import Identity, Reading, read

#: One event a tenth of a second of witnessed time: a rewind of a second repeats ten, one to another host 600.
SPACING_US: Final = 100_000
#: Forty seconds before a full hour of May 2026, so that the stream goes on into a second hour after 400 events.
START_US: Final = 494_368 * 3_600_000_000 - 40_000_000
#: Some more events than a schedule can ask for.
LENGTH: Final = 4000
#: Every 30th or so is not an event that a decoder should accept.
ODD: Final = 0.03
#: Every 40th is a ``sync`` event, which v1 does not send.
SYNC: Final = 40
_TIME_US: Final = re.compile(rb'("time_us"\s*:\s*"?)(\d+)')


class Message(NamedTuple):
    """What a host sends: its time, whether over v2 only, and its bytes in v1's form."""

    time_us: int
    only_v2: bool
    line: bytes


class _Stream(NamedTuple):
    """The events of a seed, unstamped. ``odd`` are the numbers of those that no decoder should accept."""

    lines: list[bytes]
    odd: frozenset[int]
    readings: list[Reading | None]
    numbers: dict[Identity, int]


class Tape:
    """The stream as two hosts see it. ``disagree_us`` is by how much the second one stamps later."""

    def __init__(self, seed: int, disagree_us: int = 0) -> None:
        self._stream = _stream(seed)
        self._shift_us = 0
        self._disagree_us = disagree_us
        #: What each host has put on its stream.
        self.sent: tuple[list[Message], list[Message]] = ([], [])
        self._numbers: dict[bytes, int | None] = {}
        #: Numbers of the first events after a step of the source's clock, forward and back.
        self.steps: list[tuple[int, int]] = []

    @property
    def count(self) -> int:
        """How many events have come."""
        return len(self.sent[0])

    @property
    def only_v2(self) -> set[int]:
        """The numbers of the events that have come and that v1 does not send."""
        return {number for number, message in enumerate(self.sent[0]) if message.only_v2}

    @property
    def odd(self) -> frozenset[int]:
        """The numbers of the events that no decoder should accept."""
        return self._stream.odd

    def number(self, message: bytes) -> int | None:
        """The number of the event that ``message`` stands for; None: no host has sent it so.

        It has the very bytes that a host has sent, or says all that the event says and has a host's stamp.
        """
        if message not in self._numbers:
            self._numbers[message] = self._find(message)
        return self._numbers[message]

    def take(self, count: int, step_us: int = 0) -> tuple[list[Message], list[Message]]:
        """The next events, as each host sends them; before them the source's clock steps by ``step_us``."""
        if step_us:
            self._shift_us += step_us
            self.steps.append((self.count, step_us))
        numbers = range(self.count, min(self.count + count, LENGTH))
        taken = tuple([self._message(number, host * self._disagree_us) for number in numbers] for host in (0, 1))
        for sent, new in zip(self.sent, taken, strict=True):
            sent += new
            self._numbers.update((message.line, number) for number, message in zip(numbers, new, strict=True))
        return taken[0], taken[1]

    def _message(self, number: int, later_us: int) -> Message:
        shift_us = self._shift_us + later_us
        time_us = START_US + number * SPACING_US + shift_us
        line = self._stream.lines[number]
        if shift_us:
            line = _TIME_US.sub(lambda found: found[1] + b"%d" % (int(found[2]) + shift_us), line, count=1)
        return Message(time_us, _is_sync(number), line)

    def _find(self, message: bytes) -> int | None:
        found = read(message)
        number = self._stream.numbers.get(found.identity) if found else None
        if found is None or number is None or number >= self.count:
            return None
        meant = self._stream.readings[number]
        stamps = {0, *(sent[number].time_us for sent in self.sent)}
        return number if meant and found.said == meant.said and found.time_us in stamps else None


class _Generator(Generator):
    """Notes which events are odd."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, ODD)
        self.odd = False

    def event(self, time_us: int) -> bytes:
        self.odd = False
        return super().event(time_us)

    def _malformed(self, time_us: int) -> bytes:
        self.odd = True
        return super()._malformed(time_us)


@functools.cache
def _stream(seed: int) -> _Stream:
    generator, lines, odd = _Generator(seed), list[bytes](), set[int]()
    for number in range(LENGTH):
        time_us = event_time_us(START_US, number, 1_000_000 / SPACING_US)
        lines.append(_sync(number, time_us) if _is_sync(number) else generator.event(time_us))
        if generator.odd and not _is_sync(number):
            odd.add(number)
    readings = [read(line) for line in lines]
    numbers = {reading.identity: number for number, reading in enumerate(readings) if reading}
    assert len(set(lines)) == LENGTH
    assert len(numbers) == sum(reading is not None for reading in readings)
    return _Stream(lines, frozenset(odd), readings, numbers)


def _is_sync(number: int) -> bool:
    return number % SYNC == SYNC // 2


def _sync(number: int, time_us: int) -> bytes:
    did = "did:plc:" + "s" * 24
    sync = {
        "blocks": {"$bytes": base64.b64encode(b"block %d" % number).decode().rstrip("=")},
        "did": did,
        "rev": identifiers.tid(time_us, 0),
        "seq": 40_000_000_000 + number,
        "time": identifiers.iso(time_us),
    }
    return other_line("sync", did, time_us, sync)
