"""The quarantine: after its retention a tombstone keeps the count of each batch, and the events are gone."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pyarrow as pa

from firehose import parquet
from firehose.areas import Area
from firehose.batch.interval import Batch
from firehose.maintenance.facts import Tier
from firehose.maintenance.tiers.base import OfBatches
from firehose.quality import quarantine
from firehose.store import LakePath


class Quarantines(OfBatches):
    """Quarantine files and samples of floods. Foreign keys of Redis (``_quarantine/redis/``) are left."""

    def __init__(self, lake: LakePath, by: str) -> None:
        super().__init__(lake, Tier.QUARANTINE)
        self._by = by

    def _all(self) -> list[LakePath]:
        return Area.QUARANTINE.of(self._lake).find("date=*/batch=*/*.parquet")

    def _files(self, batch: Batch) -> list[LakePath]:
        return batch.folder(self._lake, Area.QUARANTINE).find("*.parquet")

    def _prepare(self, batch: Batch, log: str) -> str:
        path = quarantine.quarantine_path(self._lake, batch)
        if not path.exists():
            return ""
        try:
            rows = int(parquet.footer(path).num_rows)
        except (pa.ArrowInvalid, OSError) as error:
            return f"it cannot be read ({error})"
        said = quarantine.Tombstone(at=datetime.now(UTC), by=self._by, audit=log, rows=rows)
        quarantine.tombstone_path(self._lake, batch).write(msgspec.json.encode(said))
        return ""
