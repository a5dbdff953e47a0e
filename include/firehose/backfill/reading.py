"""Reads an archive's part of a gap: chooses segments and blocks, checks each, and yields their rows in order.

Lives here: what to download, and the checks of it. Must not: Redis, what becomes of a row.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from firehose.backfill import segment
from firehose.backfill.archive_range import ArchiveRange
from firehose.backfill.client import ArchiveClient, Listed, Planned
from firehose.backfill.events import resynced
from firehose.backfill.format import EVENTS, OPERATIONS, Row
from firehose.backfill.segment import Block
from firehose.backfill.wanted import Wanted
from firehose.errors import CorruptArchive, FirehoseError
from firehose.jetstream import Host
from ingester.contract.resyncs import Resyncs

_Frame = tuple[str, bytes, Block | None]


class Reading:
    """One pass over an archive's range: the rows of it that are wanted."""

    def __init__(self, client: ArchiveClient, host: Host, archive_range: ArchiveRange, wanted: Wanted) -> None:
        self.client, self.host, self.range, self.wanted = client, host, archive_range, wanted
        self.resyncs = Resyncs()

    @property
    def task(self) -> str:
        """A name by which an interrupted reading is recognised.

        Sequence numbers mean nothing to another archive, nor to this one after it was rebuilt, which shows in its
        first segment. Compaction changes a segment's checksum, but not its bounds.
        """
        first = min(self.range.segments.values(), key=lambda listed: listed.index, default=None)
        bounds = first and (first.name, first.min_seq, first.min_witnessed_at)
        # A version that knows more kinds must read everything again: their events were set aside before.
        return repr((self.host.name, self.range.asked, self.wanted, bounds, *sorted(OPERATIONS | EVENTS)))

    @property
    def absent(self) -> int:
        """How many sequence numbers of its segments have no event."""
        segments = self.range.segments.values()
        return sum(max(0, listed.max_seq - listed.min_seq + 1 - listed.event_count) for listed in segments)

    def sizes(self, after: int) -> dict[str, int]:
        """The segments that may hold events with seq > ``after``, and their bytes. Sizes of blocks are unknown."""
        return {
            name: listed.size_bytes
            for name, listed in self.range.segments.items()
            if listed.max_seq > after and self.range.from_us < self.range.to_us
        }

    def parts(self, after: int) -> Iterator[SegmentPart]:
        """The parts to read for the events with seq > ``after``, in order.

        Raises:
            ServiceUnavailable: the host does not answer.
            CorruptArchive: its plan contradicts its list of segments.
        """
        after, low = max(after, self.range.after), 0
        for planned in self._planned(after) if self.range.from_us < self.range.to_us else ():
            if (listed := self.range.segments.get(planned.name)) is None:
                continue
            if planned.checksum != listed.checksum:
                raise CorruptArchive(
                    f"{self.host.name}: {planned.name} changed while it was being read (checksum "
                    f"{listed.checksum}, then {planned.checksum}); run the backfill again"
                )
            if planned.min_seq < low:  # progress is one sequence number, so everything before it must be done
                raise CorruptArchive(
                    f"{self.host.name}: its plan is not in order at {planned.name}; run the backfill again"
                )
            yield SegmentPart(self, planned, listed, after)
            low = planned.min_seq

    def _planned(self, after: int) -> Iterator[Planned]:
        kinds, collections = self.wanted.plan
        if kinds or collections:
            yield from self.client.plan(kinds, collections, after, self.range.before)
            return
        # Everything is wanted. Without a plan, no plan can leave something out.
        for listed in sorted(self.range.segments.values(), key=lambda listed: listed.index):
            if listed.max_seq > after:
                yield Planned(listed.name, listed.checksum, listed.min_seq, listed.max_seq, "segment")


class SegmentPart:
    """A segment, or some of its blocks.

    ``done`` is a sequence number: after the last row of :meth:`rows`, all events up to it have been read.
    """

    def __init__(self, reading: Reading, planned: Planned, listed: Listed, after: int) -> None:
        self.done = after
        self._reading, self._planned, self._listed = reading, planned, listed
        self.name = planned.name

    def rows(self) -> Iterator[Row]:
        """Its rows that are wanted.

        Raises:
            ServiceUnavailable: the host does not answer.
            CorruptArchive: its answer is damaged, or belongs to another segment.
        """
        wanted, bounds = self._reading.wanted, self._planned
        from_us, to_us = self._reading.range.asked
        for name, frame, block in self._frames():
            for row in segment.rows(name, segment.decompress(name, frame), block):
                if not bounds.min_seq <= row.seq <= bounds.max_seq:
                    raise CorruptArchive(f"{name}: sequence number {row.seq} is not of its segment")
                row = resynced(row, self._reading.resyncs)
                if row.seq <= self.done:
                    continue
                self.done = row.seq
                if from_us <= row.witnessed_us < to_us and wanted.has(row):
                    yield row
        if self._planned.mode == "segment":
            # Not so for blocks: a page of a plan may end in the middle of a segment.
            self.done = max(self.done, bounds.max_seq)

    def _frames(self) -> Iterator[_Frame]:
        planned, client = self._planned, self._reading.client
        if planned.mode == "segment":
            yield from self._whole()
            return
        if planned.mode != "blocks":
            raise CorruptArchive(f"{planned.name}: a plan of mode {planned.mode[:40]!r} is not known")
        for blocks in planned.blocks:
            for index in range(blocks.first, blocks.last + 1):
                frame = client.block(planned.name, index, planned.checksum)
                yield f"{planned.name} block {index}", frame, None

    def _whole(self) -> Iterator[_Frame]:
        """The blocks of a segment that overlap the span of time.

        The segment is downloaded to a file first: only at its end is it known to be complete.
        """
        listed, (from_us, to_us) = self._listed, self._reading.range.asked
        with _temporary() as file:
            self._reading.client.download(listed, file)
            for number, block in enumerate(_index(listed, file)):
                if block.max_us >= from_us and block.min_us < to_us:
                    file.seek(block.at)
                    yield f"{listed.name} block {number}", file.read(block.stored), block


@contextmanager
def _temporary() -> Iterator[IO[bytes]]:
    try:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed below; only its making may fail here
    except OSError as error:
        raise FirehoseError(
            f"temporary file of a segment: {error}; make room, or name another folder in TMPDIR"
        ) from None
    with file:
        yield file


def _index(listed: Listed, file: IO[bytes]) -> list[Block]:
    file.seek(0)
    header = segment.read_header(listed.name, file.read(segment.HEADER_BYTES))
    if header.checksum != listed.checksum:
        raise CorruptArchive(f"{listed.name}: its checksum is {header.checksum}, not {listed.checksum}")
    if not 0 <= listed.size_bytes - header.footer_at <= segment.MOST_FOOTER_BYTES:
        raise CorruptArchive(f"{listed.name}: its footer is at {header.footer_at} of {listed.size_bytes} bytes")
    file.seek(header.footer_at)
    return segment.read_index(listed.name, header, file.read())
