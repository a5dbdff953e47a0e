"""Where the event log's events come from: synthetic or replayed, a batch at a time.

Lives here: both sources behind one call. Must not: pacing, connections.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

from jetstream_simulator import envelope, replay
from jetstream_simulator.event_log import Event
from jetstream_simulator.generate import Generator, event_time_us


class Source(Protocol):
    """Gives events in order."""

    def take(self, n: int, now_us: int) -> list[Event]:
        """The next ``n`` events at most; none: it is used up. ``now_us`` is the simulation's time."""


class Generated:
    """Endless synthetic events. With ``rate`` 0 their time is when they are made."""

    def __init__(self, seed: int, malformed: float, rate: float) -> None:
        self._generator = Generator(seed, malformed)
        self._rate = rate
        self._start_us = 0
        self._last_us = 0
        self._count = 0

    def take(self, n: int, now_us: int) -> list[Event]:
        """``n`` events, the very first one at ``now_us``."""
        self._start_us = self._start_us or now_us
        taken = []
        for _ in range(n):
            if self._rate:
                time_us = event_time_us(self._start_us, self._count, self._rate)
            else:
                time_us = max(self._last_us + 1, now_us)
            self._last_us = time_us
            self._count += 1
            taken.append(Event(time_us, self._generator.event(time_us)))
        return taken


class Omitting:
    """A source without one collection after ``after`` of its events, as a partial host sends them."""

    def __init__(self, source: Source, collection: str, after: int) -> None:
        self._source, self._collection, self._left = source, collection, after

    def take(self, n: int, now_us: int) -> list[Event]:
        """The source's next events that are not left out; empty once it is used up."""
        while events := self._source.take(n, now_us):
            seen, self._left = events[: self._left], max(0, self._left - len(events))
            seen += [event for event in events[len(seen) :] if not self._is_omitted(event)]
            if seen:
                return seen
        return []

    def _is_omitted(self, event: Event) -> bool:
        try:
            return envelope.read(event.line).collection == self._collection
        except envelope.NotAnObject:
            return False


class Replayed:
    """Recorded events from files."""

    def __init__(self, paths: Sequence[Path], *, loop: bool, keep_invalid: bool) -> None:
        self._events: Iterator[Event] = replay.events(paths, loop=loop, keep_invalid=keep_invalid)

    def take(self, n: int, now_us: int) -> list[Event]:
        """The next ``n`` lines.

        Raises:
            SimulatorError: an unreadable file, or a line that is not an event.
        """
        return list(islice(self._events, n))
