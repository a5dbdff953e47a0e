"""The backfill of one gap: fetches its events from the archive into Redis in parts, and records the progress.

Lives here: one gap's plan, download and report. Must not: choose gaps, decide what of the archive to read
(reading.py), talk to Redis (buffer.py).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Annotated, Final, NamedTuple

import msgspec

from firehose import metrics
from firehose.backfill.buffer import BackfillBuffer, Progress
from firehose.backfill.events import QueueLine, event_of
from firehose.backfill.format import Row
from firehose.backfill.reading import Reading
from firehose.errors import BudgetSpent
from firehose.progress import tracked
from ingester.contract.gap import Gap

#: The limits of one write to Redis.
_WRITE_EVENTS: Final = 4000
_WRITE_BYTES: Final = 8 << 20


class BackfillReport(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome for one gap.

    ``events`` counts the events put into Redis, by queue; ``segments`` the segments that were downloaded, in whole
    or in part (in a dry run: that would be); ``downloaded`` the bytes. ``missing`` says why the gap is still open;
    empty: it is filled. ``absent`` counts the sequence numbers of these segments that have no event: an archive
    drops events that were overwritten or deleted since.
    """

    gap: str
    from_us: int
    to_us: int
    queue: str
    segments: Annotated[int, metrics.BACKFILL_SEGMENTS]
    events: Annotated[dict[str, int], metrics.BACKFILLED]
    missing: str
    absent: Annotated[int, metrics.BACKFILL_ABSENT]
    downloaded: Annotated[int, metrics.BACKFILL_BYTES] = 0


class BackfillPlan(NamedTuple):
    """The coming download for one gap: parts of ``segments`` segments, at most ``most`` bytes."""

    gap: str
    segments: int
    most: int


class GapBackfill:
    """The backfill of one gap. ``unknown`` counts its events of kinds that this version does not know."""

    def __init__(self, gap: Gap, buffer: BackfillBuffer, reading: Reading) -> None:
        self.gap, self.unknown = gap, 0
        self._buffer, self._reading = buffer, reading
        self._task = hashlib.sha256(reading.task.encode()).hexdigest()
        self._counts: Counter[str] = Counter()
        self._waiting: list[QueueLine] = []
        self._size = 0
        self._segments: set[str] = set()
        self._done = 0
        self._spent_before = reading.client.budget.spent

    @property
    def not_in_archive(self) -> str:
        """Why the archive does not have all of the gap; empty if it has."""
        return self._reading.range.missing

    def plan(self, *, precise: bool) -> BackfillPlan:
        """What is still to be downloaded. ``precise`` asks the archive for its whole plan first."""
        begun = self._buffer.begin(self.gap.id, self._task)
        self.unknown, self._done = begun.unknown, begun.seq
        sizes = self._reading.sizes(self._done)
        if precise:
            self._segments = {part.name for part in self._reading.parts(self._done)}
            sizes = {name: sizes.get(name, 0) for name in self._segments}
        return BackfillPlan(self.gap.id, len(sizes), sum(sizes.values()))

    def fetch(self) -> None:
        """Write the archive's part of the gap to Redis.

        Raises:
            BudgetSpent: a limit was reached before the end. What was downloaded by then is in Redis.
        """
        parts, count = self._reading.parts(self._done), len(self._reading.sizes(self._done))
        for part in tracked(parts, f"filling {self.gap.id}", "segments", total=count):
            self._segments.add(part.name)
            try:
                for row in part.rows():
                    self._add(row)
            except BudgetSpent:
                self._write(max(self._done, part.done))
                raise
            self._write(max(self._done, part.done))

    def report(self, missing: str) -> BackfillReport:
        """The outcome so far; ``missing`` as in the report."""
        return BackfillReport(
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
