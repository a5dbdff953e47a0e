"""Days of ClickHouse's summary tables and tables of events. The hours that they were made of stay in the lake."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime

from firehose.lake.audit import AuditedFile
from firehose.maintenance.facts import Item, Tier
from firehose.maintenance.tiers.base import Refusal
from firehose.settings import Settings
from firehose.warehouse.client import clickhouse_errors, connect
from firehose.warehouse.event_tables import TABLES as EVENT_TABLES
from firehose.warehouse.plan import SUMMARIES
from firehose.warehouse.summaries import locked

_PARTS = """
SELECT partition, sum(bytes_on_disk) FROM system.parts
WHERE active AND database = {database:String} AND table = {table:String} GROUP BY partition ORDER BY partition
"""


class Tables:
    """Partitions of a day, named ``firehose.links_by_hour 2026-11-23``. See :class:`TierOf`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def items(self) -> Iterator[Item]:
        """Every day of every table.

        Raises:
            ServiceUnavailable: ClickHouse does not answer.
        """
        with clickhouse_errors(), closing(connect(self._settings)) as client:
            for name in (*(summary.table for summary in SUMMARIES), *EVENT_TABLES):
                database, _, table = name.partition(".")
                named = {"database": database, "table": table}
                for day, size in client.query(_PARTS, parameters=named).result_rows:
                    since = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
                    yield Item(tier=Tier.TABLES, what=f"{name} {day}", since=since, bytes=int(size))

    def files(self, what: str) -> list[AuditedFile]:
        """A partition is no file of ours."""
        return []

    def remove(self, what: str, log: str) -> Refusal | None:
        """Drop it, while no refresh is at work."""
        table, _, day = what.partition(" ")
        with (
            locked(self._settings.lake_path),
            clickhouse_errors(),
            closing(connect(self._settings)) as client,
        ):
            client.command(f"ALTER TABLE {table} DROP PARTITION {{day:Date}}", parameters={"day": day})
        return None
