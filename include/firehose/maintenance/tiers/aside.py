"""Files that a rebuild has set aside; the file that took such a place is what its record says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from firehose.areas import Area
from firehose.lake.audit import AuditedFile
from firehose.lake.ledger import read_ledger
from firehose.maintenance.facts import Item, Tier
from firehose.maintenance.tiers.base import Refusal, audited, total
from firehose.store import LakePath


class Asides:
    """``_aside/date=…/hour=…/<type>-<digest>.parquet``; the ledger says when it was done. See :class:`TierOf`."""

    def __init__(self, lake: LakePath) -> None:
        self._lake = lake

    def items(self) -> Iterator[Item]:
        """Every such file. One whose rebuild has lost rows is kept: they may be in it."""
        files = Area.ASIDE.of(self._lake).find("date=*/hour=*/*.parquet")
        done = self._rebuilt() if files else {}
        for path in files:
            name = f"{path.parents[1].name.removeprefix('date=')}T{path.parent.name.removeprefix('hour=')}"
            at, lost = done.get((name, path.stem.rpartition("-")[0]), (datetime.now(UTC), 0))
            kept = f"the rebuild of {name} has lost {lost} rows, which may be in it" if lost else ""
            what = path.key_in(self._lake)
            yield Item(tier=Tier.ASIDE, what=what, since=at, bytes=total([path]), kept=kept)

    def _rebuilt(self) -> dict[tuple[str, str], tuple[datetime, int]]:
        """When each hour and type was last rebuilt, and the rows that were lost."""
        done: dict[tuple[str, str], tuple[datetime, int]] = {}
        for entry in read_ledger(self._lake):
            for rebuilt in entry.rebuilt:
                at, lost = done.get((rebuilt.hour, rebuilt.record_type), (rebuilt.at, 0))
                done[rebuilt.hour, rebuilt.record_type] = (max(at, rebuilt.at), lost + rebuilt.lost)
        return done

    def files(self, what: str) -> list[AuditedFile]:
        """The file."""
        return [audited(self._lake / what, self._lake)]

    def remove(self, what: str, log: str) -> Refusal | None:
        """Remove it."""
        (self._lake / what).remove()
        return None
