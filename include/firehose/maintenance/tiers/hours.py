"""Hour files that a verified backup holds: the record says that the file has expired, and keeps its counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime

import msgspec

from firehose import schema
from firehose.batch import manifest as manifests
from firehose.batch.interval import Batch
from firehose.lake import layout, recorded
from firehose.lake.audit import AuditedFile
from firehose.lake.expiry import Expiry
from firehose.lake.layout import HourFile
from firehose.lake.locks import locked
from firehose.lake.records import HourRecord
from firehose.maintenance.facts import Backup, HourFacts, Item, Policy, Tier
from firehose.maintenance.survey import look
from firehose.maintenance.tiers.base import Refusal, audited
from firehose.settings import Settings
from firehose.store import LakePath
from firehose.warehouse.client import clickhouse_errors, connect
from firehose.warehouse.hours import load_hours


class Hours:
    """Hour files, named ``2026-11-23T20 likes``. ``ops.hours`` in ClickHouse follows. See :class:`AgedTier`."""

    def __init__(
        self, settings: Settings, policy: Policy, backup: Backup | None, clock: Callable[[], datetime]
    ) -> None:
        self._settings, self._policy, self._backup, self._clock = settings, policy, backup, clock
        self._lake: LakePath = settings.lake_path

    def items(self) -> Iterator[Item]:
        """Every hour file whose time is over: others are not looked at."""
        now = self._clock()
        for record_type in schema.TYPES:
            for path in layout.hour_files(self._lake, record_type):
                file = layout.file_of(path)
                since = datetime.fromtimestamp((file.hour + 1) * 3600, UTC)
                if self._policy.over(Tier.HOURS, since, now):
                    yield self._item(look(self._lake, file), since)

    def _item(self, hour: HourFacts, since: datetime) -> Item:
        unverified = hour if hour.as_recorded and not hour.verified else None
        kept = self._against(hour)
        return Item(
            tier=Tier.HOURS, what=hour.name, since=since, bytes=hour.bytes, kept=kept, unverified=unverified
        )

    def files(self, what: str) -> list[AuditedFile]:
        """The file."""
        return [audited(HourFile.parse(what).path(self._lake), self._lake)]

    def remove(self, what: str, log: str) -> Refusal | None:
        """Remove the file, unless something is against it now."""
        file = HourFile.parse(what)
        path = file.path(self._lake)
        with locked(self._lake, [file.of]):
            facts = look(self._lake, file)
            record, proof = facts.record, facts.verified
            if why := self._against(facts):
                return Refusal(why)
            assert record and proof  # noqa: S101 - asked for just before
            if path.sha256() != record.sha256:
                return Refusal("does not have the bytes that its record says", alarming=True)
            if not record.is_gone:
                said = msgspec.structs.replace(record, expired=_expiry(record, proof.batches, log))
                recorded.record_path(path).write(msgspec.json.encode(said))
            # Before the file goes: after a death it is still there, and all of this is done again.
            with clickhouse_errors(), closing(connect(self._settings)) as client:
                load_hours(client, self._lake, {datetime.fromtimestamp(file.hour * 3600, UTC).date()})
            path.discard()
        return None

    def _against(self, hour: HourFacts) -> str:
        if hour.record is None or not hour.as_recorded:
            return "is not what its record says"
        if hour.verified is None:
            return "is not verified as it is now"
        if waiting := next(filter(self._has_raw_files, sorted(hour.record.footer.commits)), None):
            return f"raw files of batch {waiting} are still there"
        if self._backup is None:
            return "no backup is set, and nothing else holds it"
        held = self._backup.holds_file(hour.file.path(self._lake).key_in(self._lake), hour.record.sha256)
        return "" if held else "no verified backup holds it"

    def _has_raw_files(self, batch: str) -> bool:
        return bool(manifests.folder_of(self._lake, Batch.parse(batch, 1)).find("*.zst"))


def _expiry(record: HourRecord, stored: dict[str, int], log: str) -> Expiry:
    """All batches that wrote there, now and before, with the rows of each."""
    batches = {**record.expired.batches} if record.expired else {}
    written = {*record.footer.commits, *(taker.split()[0] for taker in record.footer.taken), *stored}
    for batch in sorted(written):
        batches[batch] = batches.get(batch, 0) + stored.get(batch, 0)
    return Expiry(at=datetime.now(UTC), sha256=record.sha256, audit=log, batches=batches)
