"""The published batches of a span, one by one: when each step was done, what came of it, how old its events were.

Samples are not stored: a batch's own files say when it was drained and published, how many bytes waited in
Redis, and the time of the newest event then. Lives here: the reading, each file once. Must not: judge it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final

import msgspec

from firehose.batch import manifest as manifests
from firehose.batch.interval import Batch
from firehose.errors import FirehoseError
from firehose.lake.ledger import LedgerEntry
from firehose.quality.result import read_result
from firehose.store import LakePath

#: Files that are read side by side: a lake in a bucket answers each after some milliseconds.
_AT_ONCE: Final = 8
#: Batches that are remembered: three days of batches of a minute.
_KEPT: Final = 4320


class BatchPast(msgspec.Struct, frozen=True, kw_only=True):
    """One published batch. Counts are by its ledger entry.

    ``drained_at``: when its events had left Redis; ``bytes``: what they took there, compressed; ``lag_s``: how old
    the newest event in Redis was then. ``foreign``: entries that were not frames; ``miscounted``: frames that held
    another number of events than they said. ``lost``: rows that a rebuild could not make again. ``failed``: the
    expectations that failed; None: its quality result is not kept. ``problem``: a file that cannot be read.
    """

    batch: str
    start: datetime
    end: datetime
    published_at: datetime
    received: int
    stored: int
    quarantined: int
    duplicates: int
    lost: int
    drained_at: datetime | None = None
    bytes: int = 0
    lag_s: float | None = None
    foreign: int = 0
    miscounted: int = 0
    failed: list[str] | None = None
    problem: str = ""

    @property
    def delay_s(self) -> float:
        """From the end of its interval to its publication: from then on it can be read."""
        return (self.published_at - self.end).total_seconds()

    @property
    def took_s(self) -> float | None:
        """From drained to published. None: it is not known when it was drained."""
        return max(0.0, (self.published_at - self.drained_at).total_seconds()) if self.drained_at else None


class History:
    """Reads batches of one lake, and remembers the latest ones: keep it for the next look."""

    def __init__(self, lake: LakePath) -> None:
        self._lake = lake
        self._known: dict[tuple[str, datetime], BatchPast] = {}

    def of(self, entries: Sequence[LedgerEntry]) -> list[BatchPast]:
        """These batches, in order. A file that cannot be read is that batch's ``problem``."""
        new = [entry for entry in entries if _key(entry) not in self._known]
        if new:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                self._remember(zip(new, pool.map(self._read, new), strict=True))
        return [self._known.get(_key(entry)) or self._read(entry) for entry in entries]

    def _remember(self, found: Iterable[tuple[LedgerEntry, BatchPast]]) -> None:
        self._known |= {_key(entry): past for entry, past in found if not past.problem}
        self._known = dict(sorted(self._known.items())[-_KEPT:])

    def _read(self, entry: LedgerEntry) -> BatchPast:
        batch, counts = Batch.of(entry.start, entry.end), entry.counts.values()
        past = BatchPast(
            batch=entry.batch,
            start=entry.start,
            end=entry.end,
            published_at=entry.published_at,
            received=sum(one.received for one in counts),
            stored=sum(one.stored for one in counts),
            quarantined=sum(one.quarantined for one in counts),
            duplicates=sum(one.duplicates for one in counts),
            lost=sum(rebuilt.lost for rebuilt in entry.rebuilt),
        )
        try:
            manifest = manifests.read(manifests.folder_of(self._lake, batch))
            result = read_result(self._lake, batch)
        except (FirehoseError, OSError) as error:
            return msgspec.structs.replace(past, problem=str(error))
        if result is not None:
            past = msgspec.structs.replace(past, failed=result.failed_expectations)
        if manifest is None:
            return past
        queues = manifest.queues.values()
        return msgspec.structs.replace(
            past,
            drained_at=manifest.created_at,
            bytes=sum(queue.size for queue in queues),
            lag_s=max(0.0, manifest.created_at.timestamp() - manifest.time_us / 1e6) if manifest.time_us else None,
            foreign=sum(queue.foreign for queue in queues),
            miscounted=sum(queue.miscounted for queue in queues),
        )


def _key(entry: LedgerEntry) -> tuple[str, datetime]:
    return entry.batch, entry.published_at
