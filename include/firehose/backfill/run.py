"""Backfill: fetches the events of open gaps from an archive into Redis, where the next drain picks them up.

Safe to kill at any point and to run again: each write to Redis also records how far the backfill has come, and
publishing drops duplicates. One block is in memory at a time. Must not: print, know how one gap is read
(one_gap.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Final

import msgspec

from firehose.backfill.access import MIB, Budget, key_for
from firehose.backfill.archive_range import range_of
from firehose.backfill.buffer import BackfillBuffer
from firehose.backfill.client import ArchiveClient, Listed
from firehose.backfill.one_gap import BackfillPlan, BackfillReport, GapBackfill
from firehose.backfill.reading import Reading
from firehose.backfill.wanted import Wanted
from firehose.batch.coverage import read_gaps
from firehose.batch.gaps import BY_ARCHIVE, open_gaps, resolve
from firehose.errors import BudgetSpent, CorruptArchive, FirehoseError
from firehose.jetstream import Host, host_of
from firehose.settings import Settings
from ingester.contract.gap import Gap

#: How far the clocks of two hosts may be apart: a gap begins and ends at events that another host stamped.
MARGIN_US: Final = 60_000_000
#: For gaps of the archive's own host: the stamps are the same, but v2 gives several events the same one.
_OWN_MARGIN_US: Final = 1_000_000


def archive_host(settings: Settings, url: str = "") -> Host:
    """The host whose archive is used: ``url``, else the setting, else the first v2 host of the hosts to listen to.

    Raises:
        FirehoseError: no v2 host is named anywhere.
    """
    if named := url or settings.archive_url:
        return host_of(named)
    for listed in settings.jetstream_url.split(","):
        if (host := host_of(listed)).v2:
            return host
    raise FirehoseError(
        "no host of FIREHOSE_JETSTREAM_URL speaks v2, and only those have an archive: name one with --archive or "
        "FIREHOSE_ARCHIVE_URL"
    )


def backfill(
    settings: Settings,
    host: Host,
    ids: Iterable[str] = (),
    *,
    dry_run: bool = False,
    margin_us: int = MARGIN_US,
    announce: Callable[[BackfillPlan], None] = lambda plan: None,
) -> Iterator[BackfillReport]:
    """Fill the open gaps of the lake and of Redis, or only those of ``ids``, oldest first. ``dry_run`` only plans.

    Events up to ``margin_us`` before and after a gap are fetched too, and the archive must have them for the gap
    to count as filled: an event near the edge may lie inside the gap by the clock of the host that missed it. If
    the archive is that same host's, the margin is at most a second. ``announce`` receives the plan for each gap
    before anything is downloaded. Once ``archive_run_mib`` or ``archive_day_mib`` is spent, the current gap stays
    open and no further one is started.

    Raises:
        FirehoseError: an id that does not belong to an open gap.
        ServiceUnavailable, BufferFull: as their messages say; the next backfill continues from there.
        CorruptArchive: the same, raised after all other gaps have been tried.
    """
    key = key_for(settings, host)
    with closing(BackfillBuffer(settings)) as buffer:
        buffer.adopt_old_keys()
        client = ArchiveClient(host, key=key, budget=_budget(settings, buffer))
        run = _Run(settings, host, buffer, client, dry_run, margin_us, announce)
        yield from run.fill(_chosen(run.open_gaps(), set(ids)))


def _budget(settings: Settings, buffer: BackfillBuffer) -> Budget:
    run, day = settings.archive_run_mib * MIB, settings.archive_day_mib * MIB
    return Budget(run, day, buffer.downloaded_today(), buffer.add_downloaded)


def _chosen(gaps: list[Gap], ids: set[str]) -> list[Gap]:
    if unknown := sorted(ids - {gap.id for gap in gaps}):
        raise FirehoseError(f"no open gap has the id {unknown[0]!r}; `firehose coverage` lists them")
    return [gap for gap in gaps if gap.id in ids] if ids else gaps


class _Run:
    """One run over some gaps. The arguments are those of :func:`backfill`."""

    def __init__(
        self,
        settings: Settings,
        host: Host,
        buffer: BackfillBuffer,
        client: ArchiveClient,
        dry_run: bool,
        margin_us: int,
        announce: Callable[[BackfillPlan], None],
    ) -> None:
        self._settings, self._host, self._buffer, self._client = settings, host, buffer, client
        self._dry_run, self._margin_us, self._announce = dry_run, margin_us, announce

    def open_gaps(self) -> list[Gap]:
        """The gaps that are open by now, oldest first."""
        # Redis first: whatever a drain takes from there in the meantime is then found in the lake.
        return open_gaps(resolve([*self._buffer.gaps(), *read_gaps(self._settings.lake_path)]))

    def fill(self, gaps: list[Gap]) -> Iterator[BackfillReport]:
        """Fill these gaps in order."""
        listed = self._client.segments() if gaps else []
        damaged: list[str] = []
        for gap in gaps:
            filling = GapBackfill(gap, self._buffer, self._reading(gap, listed))
            # Filling a gap also fills every interval without a heartbeat that lies inside it.
            if all(gap.id != known.id for known in self.open_gaps()):
                yield filling.report("")
                continue
            try:
                spent = self._fetch(filling)
            except CorruptArchive as error:  # a damaged segment must not keep all later gaps open
                damaged.append(f"{gap.id}: {error}")
                continue
            yield filling.report(self._missing(filling, spent))
            if spent:
                break
        if damaged:
            raise CorruptArchive("; ".join(damaged))

    def _reading(self, gap: Gap, listed: list[Listed]) -> Reading:
        margin = min(self._margin_us, _OWN_MARGIN_US) if gap.host == self._host.name else self._margin_us
        found = range_of(listed, gap.from_us - margin, gap.to_us + margin)
        return Reading(self._client, self._host, found, Wanted(gap.queue, self._settings.wanted_collections))

    def _fetch(self, filling: GapBackfill) -> str:
        """Announce and download, or only announce. Returns why no more may be downloaded; empty: it may."""
        try:
            self._announce(filling.plan(precise=self._dry_run))
            if not self._dry_run:
                filling.fetch()
        except BudgetSpent as error:
            return str(error)
        return ""

    def _missing(self, filling: GapBackfill, spent: str) -> str:
        """Why the gap is still open; empty: it has just been recorded as filled."""
        reasons = spent, filling.not_in_archive, _not_known(filling.unknown)
        if missing := "; ".join(filter(None, reasons)):
            return missing
        return "only planned" if self._dry_run else self._finish(filling.gap)

    def _finish(self, gap: Gap) -> str:
        """Record a gap as filled. Returns why that is not possible; empty: it is done."""
        while True:
            # Read again: new records may have arrived during the download, or from the gap before this one.
            known = {still_open.id: still_open for still_open in self.open_gaps()}
            if gap.id not in known:
                return ""  # another backfill filled it, or a gap around it was filled
            if known[gap.id] != gap:
                return "its record changed meanwhile, run the backfill again"
            noted_us = max(self._buffer.now_us(), gap.noted_us + 1)
            if self._buffer.finish(msgspec.structs.replace(gap, noted_us=noted_us, filled=BY_ARCHIVE)):
                return ""


def _not_known(events: int) -> str:
    if not events:
        return ""
    return f"{events} of its events are of kinds that this version does not know; upgrade, then run it again"
