"""Healing: a gap's events from the archive into Redis, from where the ordinary drain takes them in.

Safe to be killed at any point and to be run again: Redis gets events together with how far the heal has come, and
what is there twice is dropped when it is published. One block is in memory at a time. Must not: print.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import IO, Final

import msgspec

from firehose.archive import segment
from firehose.archive.buffer import HealBuffer, Progress
from firehose.archive.client import ArchiveClient, Listed, Planned
from firehose.archive.events import Event, event_of
from firehose.archive.format import Row
from firehose.archive.span import Span, span_of
from firehose.archive.wanted import Wanted
from firehose.batch.coverage import read_gaps
from firehose.batch.gaps import open_gaps, resolve
from firehose.errors import CorruptArchive, FirehoseError
from firehose.jetstream import Host, host_of
from firehose.settings import Settings
from ingester.wire import Gap

log = logging.getLogger(__name__)

#: One write to Redis: some thousand events, or some MiB of them.
_WRITE_EVENTS: Final = 4000
_WRITE_BYTES: Final = 8 << 20
#: What a healed gap's record says.
BY_ARCHIVE: Final = "archive"


class HealReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one gap. ``events`` are those put into Redis, by queue; ``segments`` those that are (or would
    be) downloaded, in whole or in part. ``missing`` says why the gap is still open; empty: it is healed.
    """

    gap: str
    from_us: int
    to_us: int
    queue: str
    segments: int
    events: dict[str, int]
    missing: str


def archive_host(settings: Settings, url: str = "") -> Host:
    """The host whose archive heals: ``url``, else the setting, else the first v2 host of the hosts to listen to.

    Raises:
        FirehoseError: there is none.
    """
    if named := url or settings.archive_url:
        return host_of(named)
    for one in settings.jetstream_url.split(","):
        if (host := host_of(one)).v2:
            return host
    raise FirehoseError(
        "no host of FIREHOSE_JETSTREAM_URL speaks v2, and only those have an archive: name one with --archive or "
        "FIREHOSE_ARCHIVE_URL"
    )


def heal(
    settings: Settings, host: Host, ids: Iterable[str] = (), *, dry_run: bool = False
) -> Iterator[HealReport]:
    """Heal the open gaps of the lake and of Redis, or those of ``ids``, oldest first. ``dry_run`` only plans.

    Raises:
        FirehoseError: an id that is no open gap.
        ServiceUnavailable, BufferFull, CorruptArchive: as their messages say; a later heal goes on from there.
    """
    client = ArchiveClient(host)
    with closing(HealBuffer(settings.redis_url)) as buffer:
        gaps = _chosen(_open(settings, buffer), set(ids))
        listed = client.segments() if gaps else []
        for gap in gaps:
            span = span_of(listed, gap.from_us, gap.to_us)
            wanted = Wanted(gap.queue, settings.wanted_collections)
            one = _Heal(gap, host, client, buffer, span, wanted)
            # The heal of a gap that spans an interval without heartbeat makes that good as well.
            still_open = any(gap.id == known.id for known in _open(settings, buffer))
            segments = one.fetch(dry_run=dry_run) if still_open else 0
            missing = span.missing or ("only planned" if dry_run else _finish(gap, settings, buffer))
            yield one.report(segments, missing)


def _open(settings: Settings, buffer: HealBuffer) -> list[Gap]:
    # Redis first: what a drain takes from there in the meantime is in the lake then.
    return open_gaps(resolve([*buffer.gaps(), *read_gaps(settings.lake_path)]))


def _finish(gap: Gap, settings: Settings, buffer: HealBuffer) -> str:
    """Note that a gap is healed; else why not."""
    while True:
        # Read anew: records may have come while the events did, or from the heal of the gap before.
        known = {one.id: one for one in _open(settings, buffer)}
        if gap.id not in known:
            return ""  # by somebody else, or by the heal of a gap that spans it
        if known[gap.id] != gap:
            return "more was learnt of it meanwhile, heal again"
        noted_us = max(buffer.now_us(), gap.noted_us + 1)
        if buffer.finish(msgspec.structs.replace(gap, noted_us=noted_us, healed=BY_ARCHIVE)):
            return ""


def _chosen(gaps: list[Gap], ids: set[str]) -> list[Gap]:
    if unknown := sorted(ids - {gap.id for gap in gaps}):
        raise FirehoseError(f"no open gap has the id {unknown[0]!r}; `firehose coverage` lists them")
    return [gap for gap in gaps if gap.id in ids] if ids else gaps


class _Heal:
    """The healing of one gap."""

    def __init__(
        self, gap: Gap, host: Host, client: ArchiveClient, buffer: HealBuffer, span: Span, wanted: Wanted
    ) -> None:
        self._gap, self._client, self._buffer, self._span, self._wanted = gap, client, buffer, span, wanted
        self._host = host
        task = repr((host.name, gap.from_us, gap.to_us, wanted))
        self._task = hashlib.sha256(task.encode()).hexdigest()
        self._counts: Counter[str] = Counter()
        self._waiting: list[Event] = []
        self._size = 0

    def fetch(self, *, dry_run: bool) -> int:
        """Bring the archive's part of the gap to Redis. Returns the number of segments that it is in."""
        span, segments = self._span, 0
        if span.from_us >= span.to_us:
            return 0
        after = max(span.after, self._buffer.begin(self._gap.id, self._task))
        kinds, collections = self._wanted.plan
        left = {name for name, listed in span.segments.items() if listed.max_seq > after}
        for planned in self._client.plan(kinds, collections, after, span.before):
            if (listed := span.segments.get(planned.name)) is None:
                continue
            left.discard(planned.name)
            segments += 1
            if not dry_run:
                self._take(planned, listed, after)
        if left and not kinds and not collections:  # a plan of everything leaves nothing out
            raise CorruptArchive(f"{self._host.name}: its plan leaves out {min(left)}; heal again")
        return segments

    def report(self, segments: int, missing: str) -> HealReport:
        """What has come of it."""
        return HealReport(
            gap=self._gap.id,
            from_us=self._gap.from_us,
            to_us=self._gap.to_us,
            queue=self._gap.queue,
            segments=segments,
            events=dict(self._counts),
            missing=missing,
        )

    def _take(self, planned: Planned, listed: Listed, after: int) -> None:
        if planned.checksum != listed.checksum:
            raise CorruptArchive(
                f"{self._host.name}: {planned.name} changed while it was being read (checksum {listed.checksum}, "
                f"then {planned.checksum}); heal again"
            )
        last = after
        for name, frame in self._frames(planned, listed):
            for row in segment.rows(name, segment.decompress(name, frame)):
                if not planned.min_seq <= row.seq <= planned.max_seq:
                    raise CorruptArchive(f"{name}: sequence number {row.seq} is not of its segment")
                if row.seq <= last:
                    continue
                last = row.seq
                if self._gap.from_us <= row.witnessed_us < self._gap.to_us and self._wanted.has(row):
                    self._add(row)
        # What is between the last event and the segment's end is done as well, and need not be asked for again.
        self._write(max(last, planned.max_seq))

    def _frames(self, planned: Planned, listed: Listed) -> Iterator[tuple[str, bytes]]:
        if planned.mode == "segment":
            yield from self._whole(listed)
            return
        if planned.mode != "blocks":
            raise CorruptArchive(f"{self._host.name}: a plan of mode {planned.mode[:40]!r} is not known")
        for blocks in planned.blocks:
            for index in range(blocks.first, blocks.last + 1):
                yield f"{planned.name} block {index}", self._client.block(planned.name, index)

    def _whole(self, listed: Listed) -> Iterator[tuple[str, bytes]]:
        """The blocks of a segment that share a time with the gap. It goes to a file first: until its end has
        come, nobody can say whether it is whole.
        """
        with tempfile.TemporaryFile() as file:
            self._client.download(listed, file)
            for number, block in enumerate(_index(listed, file)):
                if block.max_us >= self._gap.from_us and block.min_us < self._gap.to_us:
                    file.seek(block.at)
                    yield f"{listed.name} block {number}", file.read(block.stored)

    def _add(self, row: Row) -> None:
        event = event_of(row)
        self._waiting.append(event)
        self._size += len(event.line)
        if len(self._waiting) >= _WRITE_EVENTS or self._size >= _WRITE_BYTES:
            self._write(row.seq)

    def _write(self, seq: int) -> None:
        self._buffer.write(self._gap.id, self._waiting, Progress(self._task, seq))
        self._counts.update(event.queue for event in self._waiting)
        self._waiting, self._size = [], 0


def _index(listed: Listed, file: IO[bytes]) -> list[segment.Block]:
    file.seek(0)
    header = segment.read_header(listed.name, file.read(segment.HEADER_BYTES))
    if header.checksum != listed.checksum:
        raise CorruptArchive(f"{listed.name}: its checksum is {header.checksum}, not {listed.checksum}")
    if not 0 <= listed.size_bytes - header.footer_at <= segment.MOST_FOOTER_BYTES:
        raise CorruptArchive(f"{listed.name}: its footer is at {header.footer_at} of {listed.size_bytes} bytes")
    file.seek(header.footer_at)
    return segment.read_index(listed.name, header, file.read())
