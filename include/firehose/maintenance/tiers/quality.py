"""Quality pages and results of validations. The ledger keeps the counts."""

from __future__ import annotations

from firehose.areas import Area
from firehose.batch.interval import Batch
from firehose.maintenance.facts import Tier
from firehose.maintenance.tiers.base import OfBatches
from firehose.quality.result import docs_folder
from firehose.store import LakePath


class Qualities(OfBatches):
    """Results by batch, and pages of Great Expectations: ``docs/validations/<suite>/<batch>/<time>/<page>``."""

    def __init__(self, lake: LakePath) -> None:
        super().__init__(lake, Tier.QUALITY)

    def _all(self) -> list[LakePath]:
        files = [*Area.QUALITY.of(self._lake).find("date=*/batch=*/*"), *self._pages("*")]
        return sorted(files, key=lambda path: (self._batch_of(path), path))

    def _batch_of(self, path: LakePath) -> str:
        return (path.parents[1] if path.name.endswith(".html") else path.parent).name.removeprefix("batch=")

    def _files(self, batch: Batch) -> list[LakePath]:
        return [*batch.folder(self._lake, Area.QUALITY).find("*"), *self._pages(batch.id)]

    def _pages(self, batch: str) -> list[LakePath]:
        return (docs_folder(self._lake) / "validations").find(f"*/{batch}/*/*.html")

    def _prepare(self, batch: Batch, log: str) -> str:
        return ""
