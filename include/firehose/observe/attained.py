"""How each objective was kept, by day and over 30 days: what there was, what was bad, which batches missed it.

Lives here: the comparison of ledger, gaps and counted answers with the limits of alerts. Must not: say how fast a
budget may be used up (the monitor does), keep samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from firehose.alerts.limits import Limits
from firehose.batch.gaps import merged, missing_between_us, open_gaps
from firehose.batch.late import skipped_until_ms
from firehose.lake.ledger import listed_day, listed_entry
from firehose.observe import answers
from firehose.observe.batches import begin_of, missing
from firehose.observe.objectives import stale_spans
from firehose.settings import Settings
from firehose.store import LakePath, Listed
from ingester.contract.gap import Gap

DAYS: Final = 30
_DAY: Final = timedelta(days=1)
#: Files that are read side by side: a lake in a bucket answers each after some milliseconds.
_AT_ONCE: Final = 8


class Miss(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that missed an objective, and by how much. ``batch`` empty: it lasts. ``bad_s``: seconds."""

    batch: str
    bad_s: float


class Attained(msgspec.Struct, frozen=True, kw_only=True):
    """An objective in a span of time: of ``total`` (seconds, batches, or answers) so much was ``bad``.

    ``budget``: the share that may be bad.
    """

    total: float
    bad: float
    budget: float

    @property
    def share(self) -> float | None:
        """The share that was good. None: there was nothing."""
        return 1 - self.bad / self.total if self.total else None

    @property
    def met(self) -> bool:
        """Tell whether no more was bad than may be."""
        return self.bad <= self.budget * self.total

    @property
    def left(self) -> float | None:
        """The share of the budget that is left, below 0: more was used than there is. None: there is none."""
        allowed = self.budget * self.total
        return 1 - self.bad / allowed if allowed else None


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """An objective on a day. ``missed`` are the batches that missed it, in order."""

    date: date
    of: Attained
    missed: list[Miss] = []


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """``name``: freshness, coverage, batches or queries. ``limit_s``: what it compares with; 0: nothing."""

    name: str
    limit_s: float
    days: list[Day]
    month: Attained


class Published(NamedTuple):
    """Of an entry of the ledger, what objectives ask for: a month of whole entries would take 50 MB."""

    batch: str
    start: datetime
    end: datetime
    published_at: datetime


class MonthLedger:
    """The batches of the latest month of one lake, each entry read once: keep it for the next look."""

    def __init__(self, lake: LakePath) -> None:
        self._lake = lake
        self._read: dict[Listed, Published] = {}

    def published(self, now: datetime) -> list[Published]:
        """Those that start on the last :data:`DAYS` days and the one before, in order.

        Raises:
            CorruptLake: an entry cannot be read.
        """
        days = (now.date() - timedelta(days=number) for number in range(DAYS, -1, -1))
        listed = [each for day in days for each in listed_day(self._lake, day).values()]
        new = [each for each in listed if each not in self._read]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            read = dict(zip(new, pool.map(self._reduced, new), strict=True))
        self._read = {each: entry for each in listed if (entry := self._read.get(each) or read.get(each))}
        return sorted(self._read.values(), key=lambda entry: entry.start)

    def _reduced(self, listed: Listed) -> Published | None:
        entry = listed_entry(self._lake, listed)
        return Published(entry.batch, entry.start, entry.end, entry.published_at) if entry else None


def attained(settings: Settings, ledger: MonthLedger, gaps: Sequence[Gap], now: datetime) -> list[Objective]:
    """Every objective; that of queries only where the monitor asks some. ``gaps``: those of 31 days.

    What was published again counts from then on only: its first time is not kept.

    Raises:
        CorruptLake: an entry of the ledger, or the counts of answers, cannot be read.
    """
    lake, limits = settings.lake_path, Limits.of(settings)
    published = ledger.published(now)
    low = _midnight(now) - (DAYS - 1) * _DAY
    begin = begin_of(settings, published, skipped_until_ms(lake), low, now)
    month = _Month(begin, now, limits.budget_share)
    found = [
        month.objective("freshness", limits.age_seconds, _stale(settings, published, limits, begin, now)),
        month.objective("coverage", 0, _uncovered(settings, gaps, begin, now)),
        _of_batches(settings, month, published, gaps, limits),
    ]
    if limits.query_seconds and (counted := answers.read(lake)):
        found.append(_of_queries(month, answers.by_day(counted), limits))
    return found


class _Bad(NamedTuple):
    """A span of time that was bad, and the batch that it is about."""

    start: datetime
    end: datetime
    batch: str


class _Month:
    """The days from ``begin`` to ``now``."""

    def __init__(self, begin: datetime, now: datetime, budget: float) -> None:
        self.begin, self.now, self.budget = begin, now, budget

    def days(self) -> Iterator[tuple[datetime, datetime]]:
        """Each day's part of the time, in order."""
        at = self.begin
        while at < self.now:
            end = min(_midnight(at) + _DAY, self.now)
            yield at, end
            at = end

    def objective(self, name: str, limit_s: float, bad: Iterable[_Bad]) -> Objective:
        """One of time: what part of each day was bad."""
        spans = list(bad)
        return self.of_days(name, limit_s, (self._day(low, high, spans) for low, high in self.days()))

    def of_days(self, name: str, limit_s: float, days: Iterable[Day]) -> Objective:
        """One of these days."""
        found = list(days)
        total, bad = sum(day.of.total for day in found), sum(day.of.bad for day in found)
        return Objective(name=name, limit_s=limit_s, days=found, month=self.of(total, bad))

    def of(self, total: float, bad: float) -> Attained:
        """So much of so much."""
        return Attained(total=total, bad=bad, budget=self.budget)

    def _day(self, low: datetime, high: datetime, spans: Sequence[_Bad]) -> Day:
        cut = [(max(span.start, low), min(span.end, high), span.batch) for span in spans]
        cut = [each for each in cut if each[0] < each[1]]
        bad_us = sum(b - a for a, b in merged((_us(start), _us(end)) for start, end, _ in cut))
        missed = [Miss(batch=batch, bad_s=(end - start).total_seconds()) for start, end, batch in cut]
        return Day(date=low.date(), of=self.of((high - low).total_seconds(), bad_us / 1e6), missed=missed)


def _stale(
    settings: Settings, published: Sequence[Published], limits: Limits, begin: datetime, now: datetime
) -> Iterator[_Bad]:
    """Time in which the newest data was too old, and the batch whose publication ended it."""
    limit = timedelta(seconds=limits.age_seconds)
    newest = max((entry.end for entry in published if entry.published_at <= begin), default=begin)
    for span in stale_spans(published, begin, now, limit, newest):
        yield _Bad(*span)


def _uncovered(settings: Settings, gaps: Sequence[Gap], begin: datetime, now: datetime) -> Iterator[_Bad]:
    """Time that is missing, and the batch in whose interval it begins."""
    if not missing_between_us(gaps, _us(begin), _us(now)):
        return
    length_us = settings.batch_minutes * 60_000_000
    for gap in open_gaps(gaps):
        low, high = max(gap.from_us, _us(begin)), min(gap.to_us, _us(now))
        if low < high:
            start = _moment(low // length_us * length_us)
            yield _Bad(_moment(low), _moment(high), f"{start:%Y%m%dT%H%M%SZ}")


def _of_batches(
    settings: Settings, month: _Month, published: Sequence[Published], gaps: Sequence[Gap], limits: Limits
) -> Objective:
    """Batches that were published later than ``batch_seconds`` after their interval, or not at all."""
    limit, length = timedelta(seconds=limits.batch_seconds), timedelta(minutes=settings.batch_minutes)
    known = [entry for entry in published if entry.start >= month.begin]
    took = {entry.batch: (entry.start, entry.published_at - entry.end) for entry in known}
    for span in missing(month.begin, month.now - limit, length, published, set(), gaps):
        for number, name in enumerate(span.batches):
            start = span.start + number * length
            took[name] = (start, month.now - start - length)
    days: dict[date, list[tuple[str, timedelta]]] = {low.date(): [] for low, _ in month.days()}
    for name, (start, delay) in sorted(took.items()):
        days.setdefault(start.date(), []).append((name, delay))
    return month.of_days(
        "batches",
        limits.batch_seconds,
        (_day_of_batches(month, day, of, limit) for day, of in sorted(days.items())),
    )


def _day_of_batches(month: _Month, day: date, of: list[tuple[str, timedelta]], limit: timedelta) -> Day:
    late = [Miss(batch=name, bad_s=delay.total_seconds()) for name, delay in of if delay > limit]
    return Day(date=day, of=month.of(len(of), len(late)), missed=late)


def _of_queries(month: _Month, counted: dict[date, tuple[int, int]], limits: Limits) -> Objective:
    days = (low.date() for low, _ in month.days())
    of = ((day, counted.get(day, (0, 0))) for day in days)
    return month.of_days(
        "queries", limits.query_seconds, (Day(date=day, of=month.of(*counts)) for day, counts in of)
    )


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _us(moment: datetime) -> int:
    return int(moment.timestamp() * 1e6)


def _moment(moment_us: int) -> datetime:
    return datetime.fromtimestamp(moment_us / 1e6, UTC)
