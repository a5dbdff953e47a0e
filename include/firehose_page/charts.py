"""Charts of a day as numbers for the templates' SVG: a canvas of 1000 by 100, the time from left to right.

Pure. Must not: write markup, read anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from firehose.batch.gaps import GapLine
from firehose.observe.history import BatchPast
from firehose_page import words

WIDTH: Final = 1000
HEIGHT: Final = 100


class Bar(NamedTuple):
    """A bar, or a shaded span: from ``x`` on, ``width`` wide, ``height`` high from the floor; ``title`` tells."""

    x: float
    width: float
    height: float
    title: str


class Line(NamedTuple):
    """A line: ``points`` as SVG has them, one text for each part without a break."""

    name: str
    points: list[str]


class Chart(NamedTuple):
    """``top`` is what the upper edge stands for, ``hours`` are the times along the floor."""

    name: str
    top: str
    hours: list[str]
    bars: list[Bar]
    lines: list[Line]
    gaps: list[Bar]


def buffer(day: Sequence[BatchPast], gaps: Sequence[GapLine], now: datetime) -> Chart:
    """How many bytes waited in Redis when each batch was drained."""
    axis = _Axis(now)
    most = max((past.bytes for past in day), default=0)
    bars = [axis.bar(past, past.bytes / most, _buffer_title(past)) for past in day if most]
    return Chart("buffer", words.size(most), axis.hours, bars, [], axis.gaps(gaps))


def lag(day: Sequence[BatchPast], gaps: Sequence[GapLine], now: datetime) -> Chart:
    """How long after its interval each batch could be read, and how old the newest event in Redis was."""
    axis = _Axis(now)
    known = [value for past in day for value in (past.delay_s, past.lag_s) if value is not None]
    most = max(known, default=0.0)
    bars = [axis.bar(past, past.delay_s / most, _delay_title(past)) for past in day if most and past.delay_s > 0]
    line = Line("lag", axis.points([(past, past.lag_s) for past in day], most))
    return Chart("lag", words.span(most), axis.hours, bars, [line], axis.gaps(gaps))


def _buffer_title(past: BatchPast) -> str:
    return f"{words.clock(past.start)}: {words.size(past.bytes)}, {words.count(past.received)} events"


def _delay_title(past: BatchPast) -> str:
    return f"{words.clock(past.start)}: readable after {words.span(past.delay_s)}, lag {words.span(past.lag_s)}"


class _Axis:
    """The 24 hours until now."""

    def __init__(self, now: datetime) -> None:
        self.end, self.length = now, timedelta(hours=24)
        self.hours = [words.clock(now - self.length + timedelta(hours=6 * number)) for number in range(5)]

    def x(self, moment: datetime) -> float:
        share = (moment - self.end + self.length) / self.length
        return round(min(1.0, max(0.0, share)) * WIDTH, 2)

    def bar(self, past: BatchPast, share: float, title: str) -> Bar:
        low, high = self.x(past.start), self.x(past.end)
        return Bar(low, max(0.5, (high - low) * 0.8), round(max(1.0, share * HEIGHT), 2), title)

    def points(self, values: Sequence[tuple[BatchPast, float | None]], most: float) -> list[str]:
        parts: list[list[str]] = [[]]
        last: datetime | None = None
        for past, value in values:
            if value is None or (last is not None and past.start != last):
                parts.append([])
            if value is not None and most:
                parts[-1].append(f"{self.x(past.end)},{round(HEIGHT - value / most * HEIGHT, 2)}")
            last = past.end
        return [" ".join(part) for part in parts if len(part) > 1]

    def gaps(self, found: Sequence[GapLine]) -> list[Bar]:
        shaded = []
        for gap in found:
            low, high = self._of(gap.from_us), self._of(gap.to_us)
            if high > low:
                title = f"{gap.reason}: {words.micros(gap.from_us)} to {words.micros(gap.to_us)}"
                shaded.append(Bar(low, max(1.0, round(high - low, 2)), HEIGHT, title))
        return shaded

    def _of(self, moment_us: int) -> float:
        share = (moment_us / 1e6 - (self.end - self.length).timestamp()) / self.length.total_seconds()
        return round(min(1.0, max(0.0, share)) * WIDTH, 2)
