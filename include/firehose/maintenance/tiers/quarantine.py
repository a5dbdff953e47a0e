"""The quarantine: after its retention a tombstone keeps the count of each batch, and the events are gone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pyarrow as pa

from firehose import parquet
from firehose.areas import Area
from firehose.batch.interval import Batch
from firehose.maintenance.facts import Item, Tier
from firehose.maintenance.tiers.base import OfBatch, Refusal, by_batch
from firehose.quality import quarantine
from firehose.store import LakePath


class Quarantines(OfBatch):
    """Quarantine files and samples of floods. Foreign keys of Redis (``_quarantine/redis/``) are left."""

    def __init__(self, lake: LakePath, by: str) -> None:
        super().__init__(lake)
        self._by = by

    def items(self) -> Iterator[Item]:
        """Every batch that has any."""
        files = Area.QUARANTINE.of(self.lake).find("date=*/batch=*/*.parquet")
        named = ((path.parent.name.removeprefix("batch="), path) for path in files)
        yield from by_batch(self, Tier.QUARANTINE, named)

    def paths(self, batch: Batch) -> list[LakePath]:
        """The events of a batch, and the sample of a flood."""
        return batch.folder(self.lake, Area.QUARANTINE).find("*.parquet")

    def prepare(self, batch: Batch, log: str) -> Refusal | None:
        """Write the tombstone, if there is a file whose rows the ledger counts."""
        path = quarantine.quarantine_path(self.lake, batch)
        if not path.exists():
            return None
        try:
            rows = int(parquet.footer(path).num_rows)
        except (pa.ArrowInvalid, OSError) as error:
            return Refusal(f"it cannot be read ({error})", alarming=True)
        said = quarantine.Tombstone(at=datetime.now(UTC), by=self._by, audit=log, rows=rows)
        quarantine.tombstone_path(self.lake, batch).write(msgspec.json.encode(said))
        return None
