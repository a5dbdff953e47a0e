"""Healing: a gap's events from the archive into Redis, from where the ordinary drain takes them in.

Safe to be killed at any point and to be run again: Redis gets events together with how far the heal has come, and
what is there twice is dropped when it is published. One block is in memory at a time. Must not: print, say what of
the archive is to be read (reading.py).
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Annotated, Final, NamedTuple

import msgspec

from firehose import metrics
from firehose.archive.access import MIB, Budget, key_for
from firehose.archive.buffer import HealBuffer, Progress
from firehose.archive.client import ArchiveClient
from firehose.archive.events import Event, event_of
from firehose.archive.format import Row
from firehose.archive.reading import Reading
from firehose.archive.span import span_of
from firehose.archive.wanted import Wanted
from firehose.batch.coverage import read_gaps
from firehose.batch.gaps import BY_ARCHIVE, open_gaps, resolve
from firehose.errors import BudgetSpent, CorruptArchive, FirehoseError
from firehose.jetstream import Host, host_of
from firehose.settings import Settings
from ingester.wire import Gap

log = logging.getLogger(__name__)

#: One write to Redis: some thousand events, or some MiB of them.
_WRITE_EVENTS: Final = 4000
_WRITE_BYTES: Final = 8 << 20
#: How far the clocks of two hosts may be apart. A gap's edges are events as another host stamped them.
MARGIN_US: Final = 60_000_000
#: A host's own stamps are the archive's, but v2 gives several events the same one.
_OWN_MARGIN_US: Final = 1_000_000


class HealReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one gap. ``events`` are those put into Redis, by queue; ``segments`` those that are or would
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
    """What the heal of one gap will download: of so many segments, ``most`` bytes at most."""

    gap: str
    segments: int
    most: int


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
    settings: Settings,
    host: Host,
    ids: Iterable[str] = (),
    *,
    dry_run: bool = False,
    margin_us: int = MARGIN_US,
    announce: Callable[[HealPlan], None] = lambda plan: None,
) -> Iterator[HealReport]:
    """Heal the open gaps of the lake and of Redis, or those of ``ids``, oldest first. ``dry_run`` only plans.

    ``margin_us`` before and after a gap are taken along, and must be there for it to be healed: what the archive's
    host stamps within them may lie in the gap by the stamps of the gap's host. At most a second if those are one.
    ``announce`` is told of each gap before anything is downloaded for it. Once the bytes of ``archive_run_mib`` or
    ``archive_day_mib`` are spent, the gap at hand stays open, and no further one is begun.

    Raises:
        FirehoseError: an id that is no open gap.
        ServiceUnavailable, BufferFull: as their messages say; a later heal goes on from there.
        CorruptArchive: the same, once all other gaps have had their turn.
    """
    key = key_for(settings, host)
    with closing(HealBuffer(settings)) as buffer:
        client = ArchiveClient(host, key=key, budget=_budget(settings, buffer))
        gaps = _chosen(_open(settings, buffer), set(ids))
        listed = client.segments() if gaps else []
        damaged: list[str] = []
        for gap in gaps:
            margin = min(margin_us, _OWN_MARGIN_US) if gap.host == host.name else margin_us
            span = span_of(listed, gap.from_us - margin, gap.to_us + margin)
            reading = Reading(client, host, span, Wanted(gap.queue, settings.wanted_collections))
            one = _Heal(gap, buffer, reading)
            # The heal of a gap that spans an interval without heartbeat makes that good as well.
            if all(gap.id != known.id for known in _open(settings, buffer)):
                yield one.report("")
                continue
            spent = ""
            try:
                announce(one.plan(precise=dry_run))
                if not dry_run:
                    one.fetch()
            except CorruptArchive as error:  # a damaged segment must not keep all later gaps open
                damaged.append(f"{gap.id}: {error}")
                continue
            except BudgetSpent as error:
                spent = str(error)
            missing = "; ".join(filter(None, (spent, span.missing, _not_known(one.unknown))))
            missing = missing or ("only planned" if dry_run else _finish(gap, settings, buffer))
            yield one.report(missing)
            if spent:
                break
        if damaged:
            raise CorruptArchive("; ".join(damaged))


def _budget(settings: Settings, buffer: HealBuffer) -> Budget:
    run, day = settings.archive_run_mib * MIB, settings.archive_day_mib * MIB
    return Budget(run, day, buffer.downloaded_today(), buffer.add_downloaded)


def _open(settings: Settings, buffer: HealBuffer) -> list[Gap]:
    # Redis first: what a drain takes from there in the meantime is in the lake then.
    return open_gaps(resolve([*buffer.gaps(), *read_gaps(settings.lake_path)]))


def _not_known(events: int) -> str:
    if not events:
        return ""
    return f"{events} of its events are of kinds that this version does not know; upgrade, then heal again"


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

    def __init__(self, gap: Gap, buffer: HealBuffer, reading: Reading) -> None:
        self._gap, self._buffer, self._reading = gap, buffer, reading
        self._task = hashlib.sha256(reading.task.encode()).hexdigest()
        self._counts: Counter[str] = Counter()
        self.unknown = 0
        self._waiting: list[Event] = []
        self._size = 0
        self._segments: set[str] = set()
        self._done = 0
        self._spent_before = reading.client.budget.spent

    def plan(self, *, precise: bool) -> HealPlan:
        """What is still to be downloaded. ``precise`` asks the archive for all of its plan, if there is one."""
        begun = self._buffer.begin(self._gap.id, self._task)
        self.unknown, self._done = begun.unknown, begun.seq
        sizes = self._reading.sizes(self._done)
        if precise:
            self._segments = {part.name for part in self._reading.parts(self._done)}
            sizes = {name: sizes.get(name, 0) for name in self._segments}
        return HealPlan(self._gap.id, len(sizes), sum(sizes.values()))

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
        """What has come of it."""
        return HealReport(
            gap=self._gap.id,
            from_us=self._gap.from_us,
            to_us=self._gap.to_us,
            queue=self._gap.queue,
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
        self._buffer.write(self._gap.id, self._waiting, Progress(self._task, seq, self.unknown))
        self._counts.update(event.queue for event in self._waiting)
        self._waiting, self._size = [], 0
