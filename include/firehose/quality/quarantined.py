"""Reads the quarantine: which events are there, why, and which of them the present rules would let pass.

Must not: write, publish (lake/replay.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import pyarrow as pa

from firehose import parquet
from firehose.areas import Area
from firehose.batch.interval import Batch
from firehose.errors import CorruptLake
from firehose.events.rows import decode_rows, to_table
from firehose.events.sorting import by_type
from firehose.quality.quarantine import quarantine_path
from firehose.quality.rules import split
from firehose.records.registry import REGISTRY
from firehose.store import LakePath

_READ_ROWS: Final = 2000
#: Of a message that the ingester could not read: what came is no line of a raw file, so no rule is asked about it.
_NEVER: Final = "message: "


class Wanted(NamedTuple):
    """Which quarantined events: all conditions must hold, an empty one does. ``reason`` is a part of theirs."""

    since: datetime | None = None
    until: datetime | None = None
    batches: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    reason: str = ""

    def has_batch(self, batch: str) -> bool:
        """Tell whether a batch, by its id, is in the span and among those that are named."""
        return (
            (not self.batches or batch in self.batches)
            and (self.since is None or batch >= f"{self.since:%Y%m%dT%H%M%SZ}")
            and (self.until is None or batch < f"{self.until:%Y%m%dT%H%M%SZ}")
        )

    def has(self, event: BadEvent) -> bool:
        """Tell whether an event of such a batch is wanted."""
        return (not self.types or event.type in self.types) and self.reason.casefold() in event.reason.casefold()


class BadEvent(NamedTuple):
    """One quarantined event; ``type`` and ``reason`` as the validation gave them. ``raw`` is what came."""

    batch: str
    type: str
    time_us: int
    reason: str
    raw: bytes


class Verdict(NamedTuple):
    """What the present rules say of a batch's quarantined events: how many pass, by type, and how many do not."""

    batch: str
    passes: Counter[str]
    stays: int


def batches(lake: LakePath, wanted: Wanted) -> list[str]:
    """The ids of the batches that have a quarantine file and are wanted, in order."""
    area = Area.QUARANTINE.of(lake)
    found: list[str] = []
    for day in area.folders("date=*"):
        if _may_have(day.name.removeprefix("date="), wanted):
            names = (path.parent.name.removeprefix("batch=") for path in day.find("batch=*/quarantine.parquet"))
            found += [name for name in names if wanted.has_batch(name)]
    return sorted(found)


def events(lake: LakePath, wanted: Wanted) -> Iterator[BadEvent]:
    """The wanted events, some of a file in memory at a time.

    Raises:
        CorruptLake: a quarantine file cannot be read.
    """
    for batch in batches(lake, wanted):
        yield from filter(wanted.has, _of_batch(lake, batch))


def judge(lake: LakePath, batch: str) -> Verdict:
    """Decode and rule on the quarantined events of a batch as a validation would now. Changes nothing.

    Raises:
        CorruptLake: the quarantine file cannot be read.
    """
    passes: Counter[str] = Counter()
    count = 0
    by_queue: dict[str, list[bytes]] = {}
    for event in _of_batch(lake, batch):
        count += 1
        if event.reason.startswith(_NEVER):
            continue
        queue = REGISTRY[event.type].queue if event.type in REGISTRY else "other"
        by_queue.setdefault(queue, []).append(event.raw)
        if len(by_queue[queue]) == _READ_ROWS:
            passes += _passing(queue, by_queue.pop(queue), batch)
    for queue, lines in by_queue.items():
        passes += _passing(queue, lines, batch)
    return Verdict(batch, passes, count - passes.total())


def _passing(queue: str, lines: Sequence[bytes], batch: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for record_type, of_type in by_type(queue, lines).items():
        rows, _, _ = decode_rows(record_type, of_type)
        table = to_table(record_type, rows, Batch.parse(batch, 1).start)
        mask, _ = split(record_type, table)
        if good := sum(mask.to_pylist()):
            found[record_type] = good
    return found


def _of_batch(lake: LakePath, batch: str) -> Iterator[BadEvent]:
    path = quarantine_path(lake, Batch.parse(batch, 1))
    columns = ["type", "time_us", "reason", "raw"]
    try:
        with parquet.opened(path) as source:
            for part in source.iter_batches(_READ_ROWS, columns=columns):
                for row in zip(*(part.column(name).to_pylist() for name in columns), strict=True):
                    yield BadEvent(batch, *row)
    except FileNotFoundError:
        return  # replaced by a tombstone, or by a validation that found nothing bad
    except (pa.ArrowInvalid, OSError) as error:
        raise CorruptLake(
            f"{path}: cannot be read ({error}); restore it from a backup, or clear validate"
        ) from error


def _may_have(day: str, wanted: Wanted) -> bool:
    """Tell whether a day's folder may hold a wanted batch: its name sorts as its batches do."""
    of_day = day.replace("-", "")
    return (
        (not wanted.batches or any(batch.startswith(of_day) for batch in wanted.batches))
        and (wanted.since is None or of_day >= f"{wanted.since:%Y%m%d}")
        and (wanted.until is None or of_day <= f"{wanted.until:%Y%m%d}")
    )
