"""Quality pages and results of validations. The ledger keeps the counts."""

from __future__ import annotations

from collections.abc import Iterator

from firehose.areas import Area
from firehose.batch.interval import Batch
from firehose.maintenance.facts import Item, Tier
from firehose.maintenance.tiers.base import OfBatch, Refusal, by_batch
from firehose.quality.result import docs_folder
from firehose.store import LakePath


class Qualities(OfBatch):
    """Results by batch, and pages of Great Expectations: ``docs/validations/<suite>/<batch>/<time>/<page>``."""

    def items(self) -> Iterator[Item]:
        """Every batch that has any."""
        results = Area.QUALITY.of(self.lake).find("date=*/batch=*/*")
        named = [(path.parent.name.removeprefix("batch="), path) for path in results]
        named += [(path.parents[1].name, path) for path in self._pages("*")]
        yield from by_batch(self, Tier.QUALITY, sorted(named))

    def paths(self, batch: Batch) -> list[LakePath]:
        """The results and pages of a batch."""
        return [*batch.folder(self.lake, Area.QUALITY).find("*"), *self._pages(batch.id)]

    def prepare(self, batch: Batch, log: str) -> Refusal | None:
        """Nothing stands in their place."""
        return None

    def _pages(self, batch: str) -> list[LakePath]:
        return (docs_folder(self.lake) / "validations").find(f"*/{batch}/*/*.html")
