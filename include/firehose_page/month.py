"""The calendar of coverage: each day of a month with what is missing of it, hour by hour, and why.

Pure functions of gaps. Must not: say which gaps there are, read anything.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

from firehose.batch.gaps import GapLine, merged
from firehose_page import words

_DAY_US: Final = 86_400_000_000


class Span(NamedTuple):
    """A part of a day, in thousandths of it."""

    x: float
    width: float
    state: str
    title: str


class Day(NamedTuple):
    """A day. ``covered``: the share of it, so far, of which nothing is missing.

    ``state``: ``outside`` (of the month), ``future``, ``before`` (there was no lake), ``whole``, ``filled``
    (it had gaps), ``open`` (it has some).
    """

    date: date
    state: str
    covered: float | None
    reasons: list[str]
    spans: list[Span]


class Month(NamedTuple):
    """Weeks from Monday on, and the gaps that touch the month, the latest first."""

    first: date
    weeks: list[list[Day]]
    gaps: list[GapLine]
    previous: str
    following: str


def month(first: date, gaps: Sequence[GapLine], begins: date | None, now: datetime) -> Month:
    """The month that begins on ``first``. ``begins``: the first day of the lake; None: there is none."""
    weeks = [
        [_day(day, first, gaps, begins, now) for day in week]
        for week in calendar.Calendar().monthdatescalendar(first.year, first.month)
    ]
    after = (first + timedelta(days=31)).replace(day=1)
    touching = [gap for gap in gaps if gap.from_us < _us(after) and gap.to_us > _us(first)]
    before = (first - timedelta(days=1)).replace(day=1)
    following = f"{after:%Y-%m}" if after <= now.date() else ""
    return Month(first, weeks, touching[::-1], f"{before:%Y-%m}", following)


def _day(day: date, first: date, gaps: Sequence[GapLine], begins: date | None, now: datetime) -> Day:
    if day.month != first.month:
        return Day(day, "outside", None, [], [])
    if day > now.date():
        return Day(day, "future", None, [], [])
    low, high = _us(day), _us(day) + _DAY_US
    touching = [gap for gap in gaps if gap.from_us < high and gap.to_us > low]
    if not touching and (begins is None or day < begins):
        return Day(day, "before", None, [], [])
    open_ones = [gap for gap in touching if not gap.filled]
    so_far = min(high, int(now.timestamp() * 1e6)) - low
    missing = sum(b - a for a, b in merged((max(gap.from_us, low), min(gap.to_us, high)) for gap in open_ones))
    state = "open" if open_ones else "filled" if touching else "whole"
    reasons = sorted({str(gap.reason) for gap in open_ones or touching})
    return Day(day, state, max(0.0, 1 - missing / max(1, so_far)), reasons, [*_spans(touching, low, high)])


def _spans(gaps: Sequence[GapLine], low: int, high: int) -> Iterator[Span]:
    for gap in sorted(gaps, key=lambda gap: not gap.filled):  # open ones lie above
        begin, end = max(gap.from_us, low), min(gap.to_us, high)
        of = gap.queue or "all types"
        title = f"{gap.reason}, {of}: {words.micros(gap.from_us)} to {words.micros(gap.to_us)}"
        width = max(8.0, (end - begin) / _DAY_US * 1000)
        x = min((begin - low) / _DAY_US * 1000, 1000 - width)
        yield Span(round(x, 1), round(width, 1), "filled" if gap.filled else "open", title)


def _us(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000
