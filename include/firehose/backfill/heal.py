"""Healing: the events of open gaps from the archive into Redis, from where the ordinary drain takes them in.

Safe to be killed at any point and to be run again: Redis gets events together with how far the heal has come, and
what is there twice is dropped when it is published. One block is in memory at a time. Must not: print, say how one
gap is read (one_gap.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Final

import msgspec

from firehose.backfill.access import MIB, Budget, key_for
from firehose.backfill.buffer import HealBuffer
from firehose.backfill.client import ArchiveClient, Listed
from firehose.backfill.one_gap import GapHeal, HealPlan, HealReport
from firehose.backfill.reading import Reading
from firehose.backfill.span import span_of
from firehose.backfill.wanted import Wanted
from firehose.batch.coverage import read_gaps
from firehose.batch.gaps import BY_ARCHIVE, open_gaps, resolve
from firehose.errors import BudgetSpent, CorruptArchive, FirehoseError
from firehose.jetstream import Host, host_of
from firehose.settings import Settings
from ingester.contract.gap import Gap

#: How far the clocks of two hosts may be apart. A gap's edges are events as another host stamped them.
MARGIN_US: Final = 60_000_000
#: A host's own stamps are the archive's, but v2 gives several events the same one.
_OWN_MARGIN_US: Final = 1_000_000


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
        FirehoseError: an id that is not an open gap's.
        ServiceUnavailable, BufferFull: as their messages say; a later heal goes on from there.
        CorruptArchive: the same, once all other gaps have had their turn.
    """
    key = key_for(settings, host)
    with closing(HealBuffer(settings)) as buffer:
        client = ArchiveClient(host, key=key, budget=_budget(settings, buffer))
        run = _Run(settings, host, buffer, client, dry_run, margin_us, announce)
        yield from run.heal(_chosen(run.open_gaps(), set(ids)))


def _budget(settings: Settings, buffer: HealBuffer) -> Budget:
    run, day = settings.archive_run_mib * MIB, settings.archive_day_mib * MIB
    return Budget(run, day, buffer.downloaded_today(), buffer.add_downloaded)


def _chosen(gaps: list[Gap], ids: set[str]) -> list[Gap]:
    if unknown := sorted(ids - {gap.id for gap in gaps}):
        raise FirehoseError(f"no open gap has the id {unknown[0]!r}; `firehose coverage` lists them")
    return [gap for gap in gaps if gap.id in ids] if ids else gaps


class _Run:
    """One run over some gaps. The arguments are those of :func:`heal`."""

    def __init__(
        self,
        settings: Settings,
        host: Host,
        buffer: HealBuffer,
        client: ArchiveClient,
        dry_run: bool,
        margin_us: int,
        announce: Callable[[HealPlan], None],
    ) -> None:
        self._settings, self._host, self._buffer, self._client = settings, host, buffer, client
        self._dry_run, self._margin_us, self._announce = dry_run, margin_us, announce

    def open_gaps(self) -> list[Gap]:
        """The gaps that are open by now, oldest first."""
        # Redis first: what a drain takes from there in the meantime is in the lake then.
        return open_gaps(resolve([*self._buffer.gaps(), *read_gaps(self._settings.lake_path)]))

    def heal(self, gaps: list[Gap]) -> Iterator[HealReport]:
        """Heal these gaps in order."""
        listed = self._client.segments() if gaps else []
        damaged: list[str] = []
        for gap in gaps:
            one = GapHeal(gap, self._buffer, self._reading(gap, listed))
            # The heal of a gap that spans an interval without heartbeat fills that interval as well.
            if all(gap.id != known.id for known in self.open_gaps()):
                yield one.report("")
                continue
            try:
                spent = self._fetch(one)
            except CorruptArchive as error:  # a damaged segment must not keep all later gaps open
                damaged.append(f"{gap.id}: {error}")
                continue
            yield one.report(self._missing(one, spent))
            if spent:
                break
        if damaged:
            raise CorruptArchive("; ".join(damaged))

    def _reading(self, gap: Gap, listed: list[Listed]) -> Reading:
        margin = min(self._margin_us, _OWN_MARGIN_US) if gap.host == self._host.name else self._margin_us
        span = span_of(listed, gap.from_us - margin, gap.to_us + margin)
        return Reading(self._client, self._host, span, Wanted(gap.queue, self._settings.wanted_collections))

    def _fetch(self, one: GapHeal) -> str:
        """Announce and download, or only announce. Returns why no more may be downloaded; empty: it may."""
        try:
            self._announce(one.plan(precise=self._dry_run))
            if not self._dry_run:
                one.fetch()
        except BudgetSpent as error:
            return str(error)
        return ""

    def _missing(self, one: GapHeal, spent: str) -> str:
        """Why the gap is still open; empty: it has just been noted as healed."""
        if missing := "; ".join(filter(None, (spent, one.not_in_archive, _not_known(one.unknown)))):
            return missing
        return "only planned" if self._dry_run else self._finish(one.gap)

    def _finish(self, gap: Gap) -> str:
        """Note that a gap is healed; else why not."""
        while True:
            # Read again: records may have come while the events did, or from the heal of the gap before.
            known = {one.id: one for one in self.open_gaps()}
            if gap.id not in known:
                return ""  # by somebody else, or by the heal of a gap that spans it
            if known[gap.id] != gap:
                return "more was learnt of it meanwhile, heal again"
            noted_us = max(self._buffer.now_us(), gap.noted_us + 1)
            if self._buffer.finish(msgspec.structs.replace(gap, noted_us=noted_us, healed=BY_ARCHIVE)):
                return ""


def _not_known(events: int) -> str:
    if not events:
        return ""
    return f"{events} of its events are of kinds that this version does not know; upgrade, then heal again"
