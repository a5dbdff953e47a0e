"""The retained event log as an archive: sealed segments of a fixed number of events, built when first asked for.

Lives here: which segments there are, and plans of what to download. Must not: HTTP, the binary format.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import groupby
from typing import Final, NamedTuple

from jetstream_simulator import frames
from jetstream_simulator.v2 import segment
from jetstream_simulator.v2.layout import EVENTS
from jetstream_simulator.v2.options import Filter, invalid
from jetstream_simulator.v2.rows import row
from jetstream_simulator.v2.segment import Block, Segment
from jetstream_simulator.v2.subscriber import Numbers

#: From this share of its blocks on a plan names a whole segment.
_WHOLE: Final = 0.75
_KINDS: Final = {number: kind for kind, number in EVENTS.items()}


class Contents(NamedTuple):
    """A block's possible content: enough to rule it out."""

    kinds: frozenset[str]
    dids: frozenset[str]
    collections: frozenset[str]
    min_seq: int
    max_seq: int

    def may_match(self, wanted: Filter) -> bool:
        """True if the block may have an event that ``wanted`` lets pass."""
        kinds = self.kinds & wanted.kinds if wanted.kinds else self.kinds
        if not kinds or (wanted.names.dids and not self.dids & wanted.names.dids):
            return False
        return kinds != {"commit"} or any(wanted.names.wants_collection(name) for name in self.collections)


class Sealed(NamedTuple):
    """A segment of the archive and what its blocks hold."""

    number: int
    file: Segment
    blocks: tuple[Contents, ...]


class Planned(NamedTuple):
    """A segment to download: whole, or the block ranges (both ends included)."""

    sealed: Sealed
    ranges: tuple[tuple[int, int], ...]

    @property
    def whole(self) -> bool:
        """True if the whole file is downloaded, not single blocks."""
        return sum(last - first + 1 for first, last in self.ranges) >= _WHOLE * len(self.sealed.blocks)

    @property
    def entries(self) -> int:
        """The number of entries that it counts for on a page."""
        return 1 if self.whole else len(self.ranges)


class Plan(NamedTuple):
    """A page of a plan."""

    segments: list[Planned]
    planned_through: int
    sealed_tip: int
    examined: int


class Archive:
    """Segments of ``segment_events`` events in blocks of ``block_events``; a plan's page has ``page`` entries."""

    def __init__(self, numbers: Numbers, segment_events: int, block_events: int, page: int) -> None:
        self._numbers, self._page = numbers, page
        self._segment_events, self._block_events = segment_events, block_events
        self._sealed: dict[int, Sealed] = {}
        self._building = asyncio.Lock()

    def _indexes(self) -> range:
        """The segments that are full and still wholly retained."""
        event_log, size = self._numbers.event_log, self._segment_events
        return range(-(-event_log.start // size), event_log.end // size)

    async def segments(self) -> list[Sealed]:
        """All sealed segments, in order."""
        async with self._building:
            indexes = self._indexes()
            self._sealed = {i: sealed for i, sealed in self._sealed.items() if i in indexes}
            for index in indexes:
                if index not in self._sealed and index in self._indexes():
                    await self._build(index)
            return [self._sealed[index] for index in self._indexes() if index in self._sealed]

    async def segment(self, name: str) -> Sealed | None:
        """The sealed segment of this file name."""
        return next((sealed for sealed in await self.segments() if segment.name(sealed.number) == name), None)

    async def _build(self, index: int) -> None:
        first = index * self._segment_events
        lines = self._numbers.event_log.between(first, first + self._segment_events)
        # In a thread: a large segment takes a second, in which live clients would hear nothing.
        self._sealed[index] = await asyncio.to_thread(
            _seal, index, lines, self._numbers.first + first, self._block_events
        )

    async def plan(self, wanted: Filter, after: int | None, before: int | None) -> Plan:
        """The downloads for the events with after < seq <= before.

        Raises:
            Refused: ``before`` is not greater than ``after``.
        """
        if after is not None and before is not None and before <= after:
            raise invalid("beforeSeq must be greater than afterSeq")
        sealed = await self.segments()
        archived = sealed[-1].file.max_seq if sealed else 0
        tip = archived if before is None else min(archived, before)
        segments: list[Planned] = []
        entries = examined = 0
        for candidate in sealed:
            if candidate.file.max_seq <= (after or 0) or candidate.file.min_seq > tip:
                continue
            examined += 1
            planned = Planned(candidate, tuple(_ranges(candidate, wanted, after or 0, tip)))
            if not planned.ranges:
                continue
            room = self._page - entries
            if planned.entries > room:
                return _cut_short(segments, planned, room, tip, examined)
            segments.append(planned)
            entries += planned.entries
        return Plan(segments, tip, tip, examined)


def _cut_short(segments: list[Planned], next_one: Planned, room: int, tip: int, examined: int) -> Plan:
    """A page without room for all of the next segment, but perhaps for some of its ranges; never empty."""
    if room and not next_one.whole:
        cut = next_one._replace(ranges=next_one.ranges[:room])
        return Plan([*segments, cut], min(tip, cut.sealed.blocks[cut.ranges[-1][1]].max_seq), tip, examined)
    return Plan(segments, min(tip, segments[-1].sealed.file.max_seq), tip, examined)


def _ranges(sealed: Sealed, wanted: Filter, after: int, tip: int) -> Iterator[tuple[int, int]]:
    matching = [
        number
        for number, block in enumerate(sealed.blocks)
        if block.max_seq > after and block.min_seq <= tip and block.may_match(wanted)
    ]
    for _, run in groupby(enumerate(matching), lambda pair: pair[1] - pair[0]):
        numbers = [number for _, number in run]
        yield numbers[0], numbers[-1]


def _seal(index: int, lines: list[bytes], first_seq: int, block_events: int) -> Sealed:
    blocks = []
    for start in range(0, len(lines), block_events):
        part = lines[start : start + block_events]
        seq = first_seq + start
        rows = [row(frames.payload(frame), seq + i) for i, frame in enumerate(part)]
        blocks.append(Block([found for found in rows if found is not None], seq, seq + len(part) - 1))
    return Sealed(index, segment.build(blocks), tuple(map(_contents, blocks)))


def _contents(block: Block) -> Contents:
    return Contents(
        kinds=frozenset(_KINDS.get(event.kind, "commit") for event in block.rows),
        dids=frozenset(event.did.decode() for event in block.rows),
        collections=frozenset(event.collection.decode() for event in block.rows if event.collection),
        min_seq=block.min_seq,
        max_seq=block.max_seq,
    )
