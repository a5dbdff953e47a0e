"""The gaps that the coverage ledger's records describe: which there are, which are open, how much is missing.

Pure functions on :class:`ingester.contract.gap.Gap`. Must not: I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from ingester.contract.gap import Gap, Reason

#: What the record of a gap says that the archive of a v2 host filled.
BY_ARCHIVE: Final = "archive"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: A half-open span of integers.
Span = tuple[int, int]


def merged(spans: Iterable[Span]) -> list[Span]:
    """The union of spans as disjoint ones, in order. Those that touch become one; empty ones vanish."""
    union: list[Span] = []
    for low, high in sorted(span for span in spans if span[0] < span[1]):
        if union and low <= union[-1][1]:
            union[-1] = (union[-1][0], max(union[-1][1], high))
        else:
            union.append((low, high))
    return union


def resolve(records: Iterable[Gap]) -> list[Gap]:
    """One gap for each id: its latest record. In the order of ``from_us``.

    An interval in which no ingester listened is filled by whatever filled a gap (of all queues) around it: the
    batch pipeline records it without knowing why, and the ingester learns later what its cursor still reached.
    """
    latest: dict[str, Gap] = {}
    for record in records:
        known = latest.get(record.id)
        if known is None or _age(record) > _age(known):
            latest[record.id] = record
    whole = [gap for gap in latest.values() if gap.filled and not gap.queue]
    spans = merged((gap.from_us, gap.to_us) for gap in whole)
    return sorted(
        (_with_silence_filled(gap, whole, spans) for gap in latest.values()),
        key=lambda gap: (gap.from_us, gap.to_us, gap.id),
    )


def _age(record: Gap) -> tuple[int, bool, int]:
    # Recorded in the same microsecond: the record that fills the gap, or makes it longer, was written later.
    return record.noted_us, bool(record.filled), record.to_us


def _with_silence_filled(gap: Gap, whole: list[Gap], spans: list[Span]) -> Gap:
    if gap.reason is not Reason.NOT_LISTENING or gap.filled:
        return gap
    if not any(low <= gap.from_us and gap.to_us <= high for low, high in spans):
        return gap
    by = {other.filled for other in whole if other.from_us < gap.to_us and gap.from_us < other.to_us}
    return msgspec.structs.replace(gap, filled=", ".join(sorted(by)))


def open_gaps(gaps: Iterable[Gap]) -> list[Gap]:
    """Those that nothing has filled."""
    return [gap for gap in gaps if not gap.filled]


class GapLine(msgspec.Struct, frozen=True, kw_only=True):
    """Gaps of one reason, queue and host that adjoin or overlap, filled by the same or all open: one to a reader.

    ``ids`` are those of the records that it stands for, ``noted_us`` is when the last of them was written.
    """

    reason: Reason
    queue: str  # empty: all
    host: str
    protocol: str
    filled: str  # empty: open
    from_us: int
    to_us: int
    noted_us: int
    ids: list[str]

    def __str__(self) -> str:
        """``2026-11-23T20:00:00.000+00:00 to …, likes, wss://one (v1): late``."""
        where = f"{self.host} ({self.protocol})" if self.host else "no host"
        span = f"{instant(self.from_us)} to {instant(self.to_us)}"
        return f"{span}, {self.queue or 'all types'}, {where}: {self.reason}"


def lines(gaps: Iterable[Gap]) -> list[GapLine]:
    """The gaps as few lines, in the order of time: an hour in which nothing listened is one, and not twelve."""
    found: list[GapLine] = []
    last: dict[tuple[str, ...], int] = {}
    for gap in sorted(gaps, key=lambda gap: (gap.from_us, gap.to_us, gap.id)):
        kind = (gap.reason, gap.queue, gap.host, gap.protocol, gap.filled)
        at = last.get(kind)
        if at is not None and gap.from_us <= found[at].to_us:
            found[at] = _longer(found[at], gap)
            continue
        last[kind] = len(found)
        found.append(
            GapLine(
                reason=gap.reason,
                queue=gap.queue,
                host=gap.host,
                protocol=gap.protocol,
                filled=gap.filled,
                from_us=gap.from_us,
                to_us=gap.to_us,
                noted_us=gap.noted_us,
                ids=[gap.id],
            )
        )
    return found


def _longer(line: GapLine, gap: Gap) -> GapLine:
    return msgspec.structs.replace(
        line,
        to_us=max(line.to_us, gap.to_us),
        noted_us=max(line.noted_us, gap.noted_us),
        ids=[*line.ids, gap.id],
    )


def missing_between_us(gaps: Iterable[Gap], low_us: int, high_us: int, queue: str = "") -> int:
    """As :func:`missing_us`, of a half-open span of time."""
    wanted = (gap for gap in open_gaps(gaps) if not queue or gap.queue in ("", queue))
    cut = ((max(gap.from_us, low_us), min(gap.to_us, high_us)) for gap in wanted)
    return sum(high - low for low, high in merged(cut))


def missing_us(gaps: Iterable[Gap], queue: str = "") -> int:
    """Microseconds in which something is missing, overlaps once: of any queue, or of the one named."""
    wanted = (gap for gap in open_gaps(gaps) if not queue or gap.queue in ("", queue))
    return sum(high - low for low, high in merged((gap.from_us, gap.to_us) for gap in wanted))


def instant(moment_us: int) -> str:
    """A time of a gap (µs) for a reader: to the millisecond in UTC, or as it is where no calendar has it."""
    try:
        return (_EPOCH + timedelta(microseconds=moment_us)).isoformat(timespec="milliseconds")
    except OverflowError:
        return f"{moment_us} µs"
