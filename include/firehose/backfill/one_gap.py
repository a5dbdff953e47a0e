"""The healing of one gap: its events from the archive into Redis, piece by piece, and how far that has come.

Lives here: one gap's plan, download and report. Must not: choose gaps, say what of the archive is to be read
(reading.py), talk to Redis (buffer.py).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Annotated, Final, NamedTuple

import msgspec

from firehose import metrics
from firehose.backfill.buffer import HealBuffer, Progress
from firehose.backfill.events import Event, event_of
from firehose.backfill.format import Row
from firehose.backfill.reading import Reading
from firehose.errors import BudgetSpent
from ingester.contract.gap import Gap

#: One write to Redis: some thousand events, or some MiB of them.
_WRITE_EVENTS: Final = 4000
_WRITE_BYTES: Final = 8 << 20


class HealReport(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome for one gap. ``events`` are those put into Redis, by queue; ``segments`` those that are or would
    be downloaded, in whole or in part; ``downloaded`` are the bytes that came for it. ``missing`` says why the gap
    is still open; empty: it is healed. ``absent`` are sequence numbers of those segments that have no event: an
    archive drops what was overwritten or deleted since.
    """

    gap: str
    from_us: int
    to_us: int
    queue: str
    segments: Annotated[int, metrics.HEAL_SEGMENTS]
    events: Annotated[dict[str, int], metrics.HEALED]
    missing: str
    absent: Annotated[int, metrics.HEAL_ABSENT]
    downloaded: Annotated[int, metrics.HEAL_BYTES] = 0


class HealPlan(NamedTuple):
    """What the heal of one gap will download: parts of ``segments`` segments, ``most`` bytes at most."""

    gap: str
    segments: int
    most: int


class GapHeal:
    """The healing of one gap. ``unknown`` counts its events of kinds that this version does not know."""

    def __init__(self, gap: Gap, buffer: HealBuffer, reading: Reading) -> None:
        self.gap, self.unknown = gap, 0
        self._buffer, self._reading = buffer, reading
        self._task = hashlib.sha256(reading.task.encode()).hexdigest()
        self._counts: Counter[str] = Counter()
        self._waiting: list[Event] = []
        self._size = 0
        self._segments: set[str] = set()
        self._done = 0
        self._spent_before = reading.client.budget.spent

    @property
    def not_in_archive(self) -> str:
        """Why the archive does not have all of the gap; empty: it has."""
        return self._reading.span.missing

    def plan(self, *, precise: bool) -> HealPlan:
        """What is still to be downloaded. ``precise`` asks the archive for all of its plan, if there is one."""
        begun = self._buffer.begin(self.gap.id, self._task)
        self.unknown, self._done = begun.unknown, begun.seq
        sizes = self._reading.sizes(self._done)
        if precise:
            self._segments = {part.name for part in self._reading.parts(self._done)}
            sizes = {name: sizes.get(name, 0) for name in self._segments}
        return HealPlan(self.gap.id, len(sizes), sum(sizes.values()))

    def fetch(self) -> None:
        """Bring the archive's part of the gap to Redis.

        Raises:
            BudgetSpent: it is not whole. What had come by then is in Redis.
        """
        for part in self._reading.parts(self._done):
            self._segments.add(part.name)
            try:
                for row in part.rows():
                    self._add(row)
            except BudgetSpent:
                self._write(max(self._done, part.done))
                raise
            self._write(max(self._done, part.done))

    def report(self, missing: str) -> HealReport:
        """The outcome so far; ``missing`` as in the report."""
        return HealReport(
            gap=self.gap.id,
            from_us=self.gap.from_us,
            to_us=self.gap.to_us,
            queue=self.gap.queue,
            segments=len(self._segments),
            events=dict(self._counts),
            missing=missing,
            absent=self._reading.absent if self._segments else 0,
            downloaded=self._reading.client.budget.spent - self._spent_before,
        )

    def _add(self, row: Row) -> None:
        event = event_of(row)
        self.unknown += not row.is_known
        self._waiting.append(event)
        self._size += len(event.line)
        if len(self._waiting) >= _WRITE_EVENTS or self._size >= _WRITE_BYTES:
            self._write(row.seq)

    def _write(self, seq: int) -> None:
        self._done = seq
        self._buffer.write(self.gap.id, self._waiting, Progress(self._task, seq, self.unknown))
        self._counts.update(event.queue for event in self._waiting)
        self._waiting, self._size = [], 0
