"""Finds the part of an archive that holds a span of time: archives go by sequence number, gaps by time.

Lives here: pure functions on the list of segments. Must not: connections, what is read of the segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from firehose.backfill.client import Listed
from firehose.batch.gaps import instant


class ArchiveRange(NamedTuple):
    """Segments that may hold events of a span of time, and the part of the span that they fully cover.

    Their events have ``after`` < seq <= ``before``. All events with ``from_us`` <= t < ``to_us`` are in them; the
    two are equal if nothing is covered. ``missing`` says why this is less than the span that was ``asked`` for.
    """

    segments: dict[str, Listed]
    after: int
    before: int
    from_us: int
    to_us: int
    missing: str
    asked: tuple[int, int]


def range_of(listed: Sequence[Listed], from_us: int, to_us: int) -> ArchiveRange:
    """Find the part of an archive for the times from ``from_us`` to ``to_us`` (exclusive).

    ``listed`` are its segments in the order of their index. Segments are assumed to be in the order of time, as
    the servers write them; within a segment events may be in any order.
    """
    asked = from_us, to_us
    begun = [segment for segment in _run_around(listed, to_us) if segment.event_count]
    if not begun:
        return ArchiveRange({}, 0, 0, from_us, from_us, "the archive is still empty", asked)
    segments = [
        segment for segment in begun if segment.max_witnessed_at >= from_us and segment.min_witnessed_at < to_us
    ]
    low = min(segment.min_witnessed_at for segment in begun)
    high = max(segment.max_witnessed_at for segment in begun)
    begin, end = max(from_us, low), min(to_us, high)
    if not segments or begin >= end:
        why = _too_young(low, from_us) if low >= to_us else _unsealed(high, to_us)
        return ArchiveRange({}, 0, 0, from_us, from_us, why, asked)
    missing = [_too_young(low, from_us)] if begin > from_us else []
    missing += [_unsealed(high, to_us)] if end < to_us else []
    return ArchiveRange(
        segments={segment.name: segment for segment in segments},
        after=max(0, min(segment.min_seq for segment in segments) - 1),
        before=max(segment.max_seq for segment in segments),
        from_us=begin,
        to_us=end,
        missing=", and ".join(missing),
        asked=asked,
    )


def _too_young(low_us: int, from_us: int) -> str:
    return f"the archive begins at {instant(low_us)}, and {instant(from_us)} is needed"


def _unsealed(high_us: int, to_us: int) -> str:
    return f"the archive is sealed only up to {instant(high_us)}, and {instant(to_us)} is needed"


def _run_around(listed: Sequence[Listed], to_us: int) -> list[Listed]:
    """The run of consecutive segments that reaches ``to_us``, or comes nearest before it.

    If a segment is missing in the middle, its content is unknown, so the run begins after it.
    """
    run: list[Listed] = []
    for segment in listed:
        if run and segment.index != run[-1].index + 1:
            if any(before.event_count and before.max_witnessed_at >= to_us for before in run):
                return run
            run = []
        run.append(segment)
    return run
