"""How much of the latest hours and days missed the objectives: time in which data was stale, time that is missing.

Lives here: shares of windows, from the ledger's times and the records of gaps. Must not: say which are too many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Protocol

import msgspec

from firehose.alerts.limits import Limits
from firehose.lake.ledger import LedgerEntry
from firehose.observe.coverage import missing_s
from firehose.observe.ledger import LONGEST, RecentLedger
from firehose.settings import Settings
from ingester.contract.gap import Gap

#: Short and long windows of alerts by burn rate, in seconds: of fast ones, and of slow ones, which read more.
FAST: Final = (300, 1800, 3600, 21_600)
SLOW: Final = (21_600, 259_200)


class Published(Protocol):
    """Of an entry of the ledger, what says when its data could be read."""

    @property
    def batch(self) -> str: ...
    @property
    def end(self) -> datetime: ...
    @property
    def published_at(self) -> datetime: ...


class ObjectiveState(msgspec.Struct, frozen=True, kw_only=True):
    """By the seconds of a window, the share of it in which data was older than ``limit_s``, or missing."""

    limit_s: float
    stale: dict[int, float]
    missing: dict[int, float]


def objectives(
    settings: Settings, ledger: RecentLedger, gaps: Sequence[Gap], now: datetime, windows: Sequence[int] = FAST
) -> ObjectiveState:
    """The shares of all windows.

    Raises:
        CorruptLake: an entry of the ledger cannot be read.
    """
    limit = timedelta(seconds=Limits.of(settings).age_seconds)
    longest = timedelta(seconds=max(windows))
    entries = ledger.entries(now - longest - limit - LONGEST, now)
    begin = datetime.fromisoformat(settings.start_date).astimezone(UTC) if settings.start_date else None
    stale = {seconds: _stale(entries, now, timedelta(seconds=seconds), limit, begin) for seconds in windows}
    missing = {seconds: missing_s(gaps, now, timedelta(seconds=seconds)) / seconds for seconds in windows}
    return ObjectiveState(limit_s=limit.total_seconds(), stale=stale, missing=missing)


def _stale(
    entries: Sequence[LedgerEntry], now: datetime, window: timedelta, limit: timedelta, begin: datetime | None
) -> float:
    """The share of a window in which the newest published data was older than ``limit``.

    What was published again counts from then on only, so a batch that was run again makes its time look stale: the
    batches after it, which were there, set that right but for the time up to the next one.
    """
    if begin is None and not entries:
        return 0.0  # nothing was to be published
    spans = stale_spans(entries, now - window, now, limit, begin or entries[0].start)
    return sum((span.end - span.start for span in spans), timedelta()) / window


class Stale(NamedTuple):
    """A span in which data was too old. ``ended_by``: the batch whose publication ended it; empty: it lasts."""

    start: datetime
    end: datetime
    ended_by: str


def stale_spans(
    entries: Iterable[Published], low: datetime, high: datetime, limit: timedelta, newest: datetime
) -> Iterator[Stale]:
    """The spans of [low, high) in which the newest published data was older than ``limit``; ``newest``: at first.

    A batch ends one also where its own data is too old by then: the next span begins there.
    """
    at = low
    for entry in sorted(entries, key=lambda entry: entry.published_at):
        moment = min(max(entry.published_at, low), high)
        if (since := max(at, newest + limit)) < moment:
            yield Stale(since, moment, entry.batch)
        at, newest = moment, max(newest, entry.end)
    if (since := max(at, newest + limit)) < high:
        yield Stale(since, high, "")
