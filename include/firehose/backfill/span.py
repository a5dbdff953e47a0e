"""Which part of an archive a span of time lies in: the archive goes by sequence numbers, a gap by time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from firehose.backfill.client import Listed
from firehose.batch.gaps import instant


class Span(NamedTuple):
    """Segments that may hold events of a span, and what part of the span the archive can answer for.

    ``after`` < seq <= ``before`` are theirs. All events with from_us <= t < to_us are in them; the two are equal
    where that is none. ``missing`` says why it is not the whole span that was ``asked`` for.
    """

    segments: dict[str, Listed]
    after: int
    before: int
    from_us: int
    to_us: int
    missing: str
    asked: tuple[int, int]


def span_of(listed: Sequence[Listed], from_us: int, to_us: int) -> Span:
    """The part of the archive ``listed`` (by index) for the times from ``from_us`` to ``to_us`` (exclusive).

    The archive is taken to be witnessed in order, as the servers witness; single events may be out of order as
    long as they are between the least and greatest time of their segment.
    """
    asked = from_us, to_us
    begun = [one for one in _run_around(listed, to_us) if one.event_count]
    if not begun:
        return Span({}, 0, 0, from_us, from_us, "the archive holds nothing yet", asked)
    segments = [one for one in begun if one.max_witnessed_at >= from_us and one.min_witnessed_at < to_us]
    low = min(one.min_witnessed_at for one in begun)
    high = max(one.max_witnessed_at for one in begun)
    begin, end = max(from_us, low), min(to_us, high)
    if not segments or begin >= end:
        why = _too_young(low, from_us) if low >= to_us else _unsealed(high, to_us)
        return Span({}, 0, 0, from_us, from_us, why, asked)
    missing = [_too_young(low, from_us)] if begin > from_us else []
    missing += [_unsealed(high, to_us)] if end < to_us else []
    return Span(
        segments={one.name: one for one in segments},
        after=max(0, min(one.min_seq for one in segments) - 1),
        before=max(one.max_seq for one in segments),
        from_us=begin,
        to_us=end,
        missing=", and ".join(missing),
        asked=asked,
    )


def _too_young(low_us: int, from_us: int) -> str:
    return f"the archive reaches back no further than {instant(low_us)}, and {instant(from_us)} is needed"


def _unsealed(high_us: int, to_us: int) -> str:
    return f"the archive is sealed only up to {instant(high_us)}, and {instant(to_us)} is needed"


def _run_around(listed: Sequence[Listed], to_us: int) -> list[Listed]:
    """The segments without a hole among them that reach to ``to_us`` or nearest before it.

    What was in a segment that is missing in the middle is not known: what lies before it counts as not there.
    """
    run: list[Listed] = []
    for one in listed:
        if run and one.index != run[-1].index + 1:
            if any(before.event_count and before.max_witnessed_at >= to_us for before in run):
                return run
            run = []
        run.append(one)
    return run
