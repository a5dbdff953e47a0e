"""Counts and compares the events of two hosts. Of each event nine bytes are kept, not the event itself.

Hosts stamp the same event differently, so an event near the edge of the hour may lie outside it for one of them.
An event counts if either host places it in the hour; the other host has it if it sent it within the hour or the
margin around it. Records that a resync of one host sends again count only if the other host sent them as new.
Must not: connections, messages.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from firehose.errors import FirehoseError

#: The limit for each host; two hosts with this many take 400 MB. An hour of the network has about four million.
MOST_EVENTS: Final = 20_000_000
#: The ``operation`` of the sum over a type.
ALL: Final = "all"
Key = tuple[str, str]
_Hashes = npt.NDArray[np.int64]


class Window(NamedTuple):
    """The hour to compare, and the margin before and after it that is received too; µs, ends exclusive."""

    from_us: int
    to_us: int
    margin_us: int

    @property
    def first_us(self) -> int:
        """The time at which to begin listening."""
        return self.from_us - self.margin_us

    @property
    def last_us(self) -> int:
        """The time at which to end."""
        return self.to_us + self.margin_us


class Tally:
    """The events of one host. An event that arrives twice counts once."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._count = 0
        self._hashes: dict[Key, array[int]] = {}
        self._within: dict[Key, array[int]] = {}
        #: How many messages were not events.
        self.unreadable = 0

    def add(self, key: Key, identity: int, time_us: int, *, expected: bool = True) -> None:
        """Count an event of ``key``: (type, operation). If not ``expected``, the other host need not have it.

        Raises:
            FirehoseError: there are too many events.
        """
        if not self._window.first_us <= time_us < self._window.last_us:
            return
        self._count += 1
        if self._count > MOST_EVENTS:
            raise FirehoseError(f"over {MOST_EVENTS} events in one hour of one host: not compared")
        if key not in self._hashes:
            self._hashes[key], self._within[key] = array("q"), array("b")
        self._hashes[key].append(identity)
        self._within[key].append(expected and self._window.from_us <= time_us < self._window.to_us)

    @property
    def keys(self) -> set[Key]:
        """The types and operations of all events so far."""
        return set(self._hashes)

    def hashes(self, key: Key) -> tuple[_Hashes, _Hashes]:
        """The distinct events of a key: those within the hour, and all."""
        if key not in self._hashes:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        every = np.frombuffer(self._hashes[key], np.int64)
        return np.unique(every[np.frombuffer(self._within[key], np.bool_)]), np.unique(every)


class Difference(msgspec.Struct, frozen=True):
    """One type and operation: distinct events of each host, and those that only one of them has."""

    type: str
    operation: str
    a: int
    b: int
    only_a: int
    only_b: int

    @property
    def share(self) -> float:
        """The share of all events that only one host has."""
        return (self.only_a + self.only_b) / max(self.a + self.only_b, 1)


def compare(a: Tally, b: Tally) -> list[Difference]:
    """The differences by type and operation; for each type its sum comes first."""
    parts = [_difference(key, a, b) for key in sorted(a.keys | b.keys)]
    sums: Mapping[str, list[Difference]] = {
        name: [part for part in parts if part.type == name] for name in sorted({part.type for part in parts})
    }
    found = [difference for name, group in sums.items() for difference in (_sum(name, group), *group)]
    return [difference for difference in found if difference.a or difference.b]


def _difference(key: Key, a: Tally, b: Tally) -> Difference:
    (within_a, every_a), (within_b, every_b) = a.hashes(key), b.hashes(key)
    either = np.union1d(within_a, within_b)
    has_a, has_b = np.isin(either, every_a), np.isin(either, every_b)
    return Difference(
        *key,
        a=int(has_a.sum()),
        b=int(has_b.sum()),
        only_a=int((has_a & ~has_b).sum()),
        only_b=int((has_b & ~has_a).sum()),
    )


def _sum(name: str, group: list[Difference]) -> Difference:
    columns = zip(*((counts.a, counts.b, counts.only_a, counts.only_b) for counts in group), strict=True)
    return Difference(name, ALL, *map(sum, columns))
