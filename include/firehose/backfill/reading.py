"""Reading an archive's part of a gap: which segments and blocks, each checked, and their rows in order.

Lives here: what to download, and what to believe of it. Must not: Redis, what becomes of a row.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from firehose.backfill import segment
from firehose.backfill.client import ArchiveClient, Listed, Planned
from firehose.backfill.events import resynced
from firehose.backfill.format import EVENTS, OPERATIONS, Row
from firehose.backfill.segment import Block
from firehose.backfill.span import Span
from firehose.backfill.wanted import Wanted
from firehose.errors import CorruptArchive, FirehoseError
from firehose.jetstream import Host
from ingester.contract.resyncs import Resyncs

_Frame = tuple[str, bytes, Block | None]


class Reading:
    """What an archive has of a span of time, and what of that is wanted."""

    def __init__(self, client: ArchiveClient, host: Host, span: Span, wanted: Wanted) -> None:
        self.client, self.host, self.span, self.wanted = client, host, span, wanted
        self.resyncs = Resyncs()

    @property
    def task(self) -> str:
        """A name for it, by which an interrupted reading is known again.

        Sequence numbers mean nothing to another archive, nor to this one once it was built again: then the first
        segment is another one. Compaction changes a segment's checksum, but not its bounds.
        """
        first = min(self.span.segments.values(), key=lambda one: one.index, default=None)
        bounds = first and (first.name, first.min_seq, first.min_witnessed_at)
        # A version that knows more kinds has to read all of it: the one before has set their events aside.
        return repr((self.host.name, self.span.asked, self.wanted, bounds, *sorted(OPERATIONS | EVENTS)))

    @property
    def absent(self) -> int:
        """Sequence numbers of its segments that have no event."""
        listed = self.span.segments.values()
        return sum(max(0, one.max_seq - one.min_seq + 1 - one.event_count) for one in listed)

    def sizes(self, after: int) -> dict[str, int]:
        """The segments that may hold events with seq > ``after``, and their bytes. Nobody says those of blocks."""
        return {
            name: one.size_bytes
            for name, one in self.span.segments.items()
            if one.max_seq > after and self.span.from_us < self.span.to_us
        }

    def parts(self, after: int) -> Iterator[Part]:
        """What is to be read of the events with seq > ``after``, in order.

        Raises:
            ServiceUnavailable: the host does not answer.
            CorruptArchive: what it plans cannot be.
        """
        after, low = max(after, self.span.after), 0
        for planned in self._planned(after) if self.span.from_us < self.span.to_us else ():
            if (listed := self.span.segments.get(planned.name)) is None:
                continue
            if planned.checksum != listed.checksum:
                raise CorruptArchive(
                    f"{self.host.name}: {planned.name} changed while it was being read (checksum "
                    f"{listed.checksum}, then {planned.checksum}); heal again"
                )
            if planned.min_seq < low:  # what is done is a sequence number: all before it must have come
                raise CorruptArchive(f"{self.host.name}: its plan is not in order at {planned.name}; heal again")
            yield Part(self, planned, listed, after)
            low = planned.min_seq

    def _planned(self, after: int) -> Iterator[Planned]:
        kinds, collections = self.wanted.plan
        if kinds or collections:
            yield from self.client.plan(kinds, collections, after, self.span.before)
            return
        # All of it is wanted: no plan is needed, and so none can leave something out.
        for one in sorted(self.span.segments.values(), key=lambda one: one.index):
            if one.max_seq > after:
                yield Planned(one.name, one.checksum, one.min_seq, one.max_seq, "segment")


class Part:
    """A segment or some of its blocks. ``done``: up to where all is done once :meth:`rows` has come to its end."""

    def __init__(self, reading: Reading, planned: Planned, listed: Listed, after: int) -> None:
        self.done = after
        self._reading, self._planned, self._listed = reading, planned, listed
        self.name = planned.name

    def rows(self) -> Iterator[Row]:
        """Its rows that are wanted.

        Raises:
            ServiceUnavailable: the host does not answer.
            CorruptArchive: what it sends is damaged, or not of this segment.
        """
        wanted, bounds = self._reading.wanted, self._planned
        from_us, to_us = self._reading.span.asked
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
            # Of blocks a plan's page may end in the middle of a segment: what follows there is not done.
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
        """The blocks of a segment that share a time with the span. It goes to a file first: until its end has
        come, it is not known whether it is whole.
        """
        listed, (from_us, to_us) = self._listed, self._reading.span.asked
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
