"""How much of the latest hours and days missed the objectives: time in which data was stale, time that is missing.

Lives here: shares of windows, from the ledger's times and the records of gaps. Must not: say which are too many.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

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
    low = now - window
    newest = begin or entries[0].start
    stale, at = timedelta(), low
    for entry in sorted(entries, key=lambda entry: entry.published_at):
        moment = min(max(entry.published_at, low), now)
        stale += max(timedelta(), moment - max(at, newest + limit))
        at, newest = moment, max(newest, entry.end)
    stale += max(timedelta(), now - max(at, newest + limit))
    return stale / window
