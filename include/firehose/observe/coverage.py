"""Gaps and coverage as an operator reads them: open gaps as few lines, and the share of time that is covered.

Lives here: the reading of the latest records. Must not: say what a gap is (firehose.batch.gaps).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from firehose.alerts.limits import Limits
from firehose.batch import buffer
from firehose.batch.buffer import Connect
from firehose.batch.coverage import known_gaps, recent_gaps
from firehose.batch.gaps import GapLine, lines, missing_between_us, open_gaps
from firehose.errors import ServiceUnavailable
from firehose.settings import Settings
from ingester.contract.gap import Gap

#: The longest span over which coverage is reported, and how far back records are read.
LONGEST: Final = timedelta(days=30)
#: The spans over which coverage is reported: those by which one sees how fast an objective's allowance goes.
SPANS: Final = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24), LONGEST)
_DAY: Final = timedelta(days=1)


class CoverageState(msgspec.Struct, frozen=True, kw_only=True):
    """Gaps of the last 30 days. ``open``: those that nothing has filled; ``all``: the filled ones as well.

    ``covered``: by a span's hours, the share of it in which nothing of any type is missing; of the time since the
    first interval. ``waited_s``: how long ago the oldest of those open gaps was noted that hosts may still fill;
    0: there is none. ``redis``: empty, or why records that no drain has taken to the lake are not among them.
    """

    open: list[GapLine]
    all: list[GapLine]
    open_records: int
    filled_records: int
    missing_s: dict[int, float]
    covered: dict[int, float]
    waited_s: float
    redis: str


def gaps(settings: Settings, now: datetime, connect: Connect = buffer.client) -> tuple[list[Gap], str]:
    """The gaps of the last 30 days, and why those in Redis are not among them; empty: they are.

    Raises:
        CorruptLake: a file of the coverage ledger cannot be read.
    """
    since = (now - LONGEST - _DAY).date()
    try:
        return known_gaps(settings, connect, since), ""
    except ServiceUnavailable as error:
        return recent_gaps(settings.lake_path, since), str(error)


def coverage(
    settings: Settings,
    found: Sequence[Gap],
    redis: str,
    now: datetime,
    spans: Sequence[timedelta] = SPANS,
) -> CoverageState:
    """What these gaps mean for the latest ``spans``. Pure."""
    missing = {_hours(span): missing_s(found, now, span) for span in spans}
    whole = {_hours(span): _covered(settings, found, now, span) for span in spans}
    still_open = open_gaps(found)
    open_lines = lines(still_open)
    noted = [line.noted_us for line in fillable(settings, open_lines, now)]
    return CoverageState(
        open=open_lines,
        all=lines(found),
        open_records=len(still_open),
        filled_records=len(found) - len(still_open),
        missing_s=missing,
        covered=whole,
        waited_s=max(0.0, (_us(now) - min(noted)) / 1e6) if noted else 0.0,
        redis=redis,
    )


def fillable(settings: Settings, gaps: Sequence[GapLine], now: datetime) -> list[GapLine]:
    """Those of these open gaps of which hosts may still have something: what is older stays in the ledger."""
    oldest_us = _us(now) - Limits.of(settings).source_seconds * 1e6
    return [line for line in gaps if line.to_us > oldest_us]


def missing_s(found: Sequence[Gap], now: datetime, span: timedelta) -> float:
    """Seconds of the latest ``span`` in which something of any type is missing."""
    return missing_between_us(found, _us(now - span), _us(now)) / 1e6


def _covered(settings: Settings, found: Sequence[Gap], now: datetime, span: timedelta) -> float:
    begin = datetime.fromisoformat(settings.start_date) if settings.start_date else now - span
    seconds = min(span, max(now - begin, timedelta(seconds=1))).total_seconds()
    return max(0.0, 1 - missing_s(found, now, timedelta(seconds=seconds)) / seconds)


def _hours(span: timedelta) -> int:
    return int(span.total_seconds()) // 3600


def _us(moment: datetime) -> int:
    return int(moment.timestamp() * 1e6)
