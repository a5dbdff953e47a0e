"""Why a record is on one side only, although nothing is wrong: times in which one of the two was not there.

Pure but for the reading of what the lake knows of its own coverage. Must not: read records.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from datetime import date
from typing import Any, Final, NamedTuple

import numpy as np

from firehose import schema
from firehose.batch import manifest as manifests
from firehose.batch.coverage import read_gaps
from firehose.batch.gaps import Span, merged, open_gaps
from firehose.batch.interval import Batch
from firehose.lake.ledger import LedgerEntry, entry_paths, read_entry
from firehose.legacy.compare.filing import DAY_US, us
from firehose.legacy.compare.new_side import Row
from firehose.legacy.compare.old_side import Spooled
from firehose.legacy.compare.outcome import Explained
from firehose.records.registry import REGISTRY
from firehose.store import LakePath

#: The two sides see an event at other moments; edges of gaps are taken this much (µs) wider.
_EDGE_US: Final = 60_000_000
_HOUR_US: Final = 3_600_000_000
#: Types that the old system took from the stream.
_TAKEN: Final = (schema.POSTS, schema.LIKES, schema.FOLLOWS)


class LakeTime(NamedTuple):
    """When the lake listened: from its first event to the end of its last live batch, less open gaps by type."""

    begin_us: int
    end_us: int
    gaps: dict[str, list[Span]]

    def listened_us(self, day: date) -> int:
        """How long of a UTC day it listened to every type."""
        low, high = max(self.begin_us, us(day)), min(self.end_us, us(day) + DAY_US)
        missing = merged((max(low, a), min(high, b)) for spans in self.gaps.values() for a, b in spans)
        return max(0, high - low) - sum(b - a for a, b in missing)


def lake_time(lake: LakePath, types: frozenset[str]) -> LakeTime:
    """What the lake's ledger and its records of gaps say.

    Raises:
        CorruptLake: an entry or a record cannot be read.
    """
    live = [path for path in entry_paths(lake) if path.stem.endswith("00Z")]
    first, last = (read_entry(live[0]), read_entry(live[-1])) if live else (None, None)
    found = open_gaps(read_gaps(lake))
    gaps = {
        name: merged(
            (gap.from_us - _EDGE_US, gap.to_us + _EDGE_US)
            for gap in found
            if gap.queue in ("", REGISTRY[name].queue)
        )
        for name in types
    }
    end = int(last.end.timestamp() * 1e6) if last else 0
    return LakeTime(_begin_us(lake, first) if first else 0, end, gaps)


def _begin_us(lake: LakePath, first: LedgerEntry) -> int:
    """The begin of the first batch, or its first event where a cursor led further back."""
    manifest = manifests.read(manifests.folder_of(lake, Batch.of(first.start, first.end)))
    events = [queue.first_us for queue in manifest.queues.values() if queue.events] if manifest else []
    return min(int(first.start.timestamp() * 1e6), *events, 2**62)


class Reasons:
    """The reasons of one comparison. ``quiet_s``: the old system was down if it received nothing for so long."""

    def __init__(
        self,
        lake: LakeTime,
        expired: set[tuple[str, int]],
        receipts: np.ndarray[Any, np.dtype[np.int64]],
        quiet_s: int,
    ) -> None:
        self._lake, self._expired, self._receipts, self._quiet_s = lake, expired, receipts, quiet_s

    def of_old(self, old: Spooled, record_type: str) -> Explained | None:
        """Why the lake does not have an old record; None: nothing explains it."""
        at = old.filed_us
        if not old.old.rkey:
            return Explained.NO_KEY
        if at < self._lake.begin_us:
            return Explained.BEFORE_LAKE
        if at >= self._lake.end_us:
            return Explained.AFTER_LAKE
        if _within(self._lake.gaps[record_type], at):
            return Explained.GAP
        if (record_type, at // _HOUR_US) in self._expired:
            return Explained.EXPIRED
        return None if old.dated else Explained.UNDATED

    def of_new(self, row: Row) -> Explained | None:
        """Why the old system does not have a row of the lake; None: nothing explains it."""
        if row.operation == "delete":
            return Explained.DELETE
        if row.operation == "update":
            return Explained.UPDATE
        if row.record_type not in _TAKEN:
            return Explained.TYPE
        if row.resync:
            return Explained.RESYNC
        if self._down(row.time_us // 1_000_000):
            return Explained.DOWN
        return Explained.OVERWRITTEN if row.again else None

    def _down(self, second: int) -> bool:
        """Whether the old system received nothing from anybody, for a while around a second."""
        at = int(np.searchsorted(self._receipts, second))
        if not len(self._receipts):
            return False
        if at == len(self._receipts):
            return bool(second - self._receipts[-1] > self._quiet_s)
        if at == 0:
            return bool(self._receipts[0] - second > self._quiet_s)
        return bool(self._receipts[at] - self._receipts[at - 1] > self._quiet_s)


def _within(spans: Sequence[Span], at: int) -> bool:
    before = bisect.bisect_right(spans, (at, 2**63)) - 1
    return before >= 0 and spans[before][0] <= at < spans[before][1]
