"""What of a span of time the lake lacks, as spans, by the rules of the view ``firehose.completeness``.

It has hours; a chart of minutes shades a gap where it is. Pure. Must not: ask ClickHouse, draw.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

Span = tuple[float, float]
_HOUR: Final = 3600.0


class Row(NamedTuple):
    """A row of ``queries/coverage.sql``; ``queue`` is empty where it is about all types."""

    kind: str
    reason: str
    queue: str
    since: float
    until: float


class Lack(NamedTuple):
    """Time that is missing. ``kind``: gap, in an open one; unknown, of which nothing is known; outside, before the
    first event or after the last batch. ``queue`` is empty where all types lack it."""

    since: float
    until: float
    kind: str
    reason: str = ""
    queue: str = ""


def lacks(rows: Iterable[Row], since: float, until: float) -> list[Lack]:
    """What is missing between two moments, in the order of time."""
    found = list(rows)
    ends = [(row.since, row.until) for row in found if row.kind == "ends"]
    runs = [(row.since, row.until) for row in found if row.kind == "run"]
    # An hour of live batches counts by these alone; one before or after them by its own events.
    replays = [(row.since, row.until) for row in found if row.kind == "replay" and not _live(row, ends)]
    known = _union([*runs, *replays, *((row.since, row.until) for row in found if _of_all(row, ends, replays))])
    whole = _union([*ends, *replays, *known])
    made = [Lack(*hole, "outside") for hole in _without([(since, until)], whole)]
    made += [Lack(*hole, "unknown") for hole in _without(_within(whole, since, until), known)]
    for row in found:
        if row.kind == "open":
            spans = _within(_within_all([(row.since, row.until)], whole), since, until)
            made += [Lack(*span, "gap", row.reason, row.queue) for span in spans]
    return sorted(made)


def _live(row: Row, ends: Sequence[Span]) -> bool:
    """Whether the hour of a replay's row is one of the live batches'."""
    if not ends:
        return False
    first, last = ends[0][0] // _HOUR * _HOUR, -(-ends[0][1] // _HOUR) * _HOUR
    return first <= row.since < last


def _of_all(row: Row, ends: Sequence[Span], replays: Sequence[Span]) -> bool:
    """Whether something is known of all types in this gap."""
    return row.kind in ("open", "filled") and not row.queue


def _union(spans: Iterable[Span]) -> list[Span]:
    joined: list[Span] = []
    for low, high in sorted(spans):
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        elif low < high:
            joined.append((low, high))
    return joined


def _within(spans: Iterable[Span], low: float, high: float) -> list[Span]:
    cut = ((max(low, one), min(high, other)) for one, other in spans)
    return [span for span in cut if span[0] < span[1]]


def _within_all(spans: Sequence[Span], bounds: Iterable[Span]) -> list[Span]:
    return [span for low, high in bounds for span in _within(spans, low, high)]


def _without(spans: Iterable[Span], taken: Sequence[Span]) -> list[Span]:
    """``spans`` less ``taken``, which is in order and does not overlap."""
    left: list[Span] = []
    for low, high in spans:
        at = low
        for one, other in _within(taken, low, high):
            if at < one:
                left.append((at, one))
            at = max(at, other)
        if at < high:
            left.append((at, high))
    return left
