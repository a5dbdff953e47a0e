"""Where a dataset's rows come from: a ClickHouse, or the hour files of a lake by an engine of their own.

Both are asked the same statements over the same views. Lives here: connecting, and what the engine over files
needs before it can be asked. Must not: the statements about rows (statements.py).
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from clickhouse_connect.driver.client import Client

from firehose.areas import Area
from firehose.batch.coverage import read_gaps
from firehose.dataset.engine import Engine
from firehose.dataset.statements import REPLAYED
from firehose.errors import FirehoseError
from firehose.lake import layout
from firehose.lake.ledger import LedgerEntry, listed_entries, listed_entry
from firehose.lake.rowgroups import time_span
from firehose.schema import TYPES
from firehose.settings import Settings
from firehose.store import LocalLake
from firehose.warehouse.client import clickhouse_errors, connect
from firehose.warehouse.coverage import load_gaps
from firehose.warehouse.plan import hours_of
from firehose.warehouse.views import views

#: What the view of completeness reads, by the columns that it reads of them; the statements read no others.
_TABLES: Final = (
    "CREATE DATABASE firehose",
    "CREATE DATABASE ops",
    "CREATE TABLE ops.batches (batch DateTime64(3, 'UTC'), start DateTime('UTC'), end DateTime('UTC'),"
    " hours Array(DateTime('UTC')), counts Nested(type String, stored UInt64))"
    " ENGINE = ReplacingMergeTree ORDER BY batch",
    "CREATE TABLE ops.gaps (id String, reason String, host String, protocol String, type String,"
    " start DateTime64(6, 'UTC'), end DateTime64(6, 'UTC'), filled String, noted_at DateTime64(6, 'UTC'))"
    " ENGINE = MergeTree ORDER BY (start, end, id)",
    "CREATE TABLE firehose.events_by_minute (minute DateTime('UTC')) ENGINE = MergeTree ORDER BY minute",
)
_BATCH: Final = ("batch", "start", "end", "hours", "counts.type", "counts.stored")
_HOUR_S: Final = 3600


class Source(Protocol):
    """A place to read from."""

    def ready(self, record_type: str) -> Client:
        """The analyst's client of a ClickHouse that has the view of this type, and what is published by now.

        Raises:
            ServiceUnavailable: nothing answers.
            FirehoseError: it refuses the login, or the lake cannot be read.
        """

    def close(self) -> None:
        """Let go of what it holds."""


class Server:
    """A ClickHouse that somebody else keeps up to date."""

    def __init__(self, settings: Settings) -> None:
        """Connect. Raises as :meth:`Source.ready`."""
        self._client = connect(settings, "analyst")

    def ready(self, record_type: str) -> Client:
        """The client."""
        return self._client

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


class Files:
    """The hour files of a lake. The engine starts when it is needed first; views are made as types are read."""

    def __init__(self, lake: LocalLake, settings: Settings) -> None:
        """See that there is a lake.

        Raises:
            FirehoseError: there is none.
            LakeOutdated: it has the folder names of an earlier version.
        """
        lake.require_current()
        if not Area.LEDGER.of(lake).is_dir():
            raise FirehoseError(
                f"{lake} is not a lake: it has no folder {Area.LEDGER.value}. Name the folder in which year=… lies"
                " (FIREHOSE_LAKE), once a batch has been published"
            )
        self._lake, self._settings = lake, settings
        self._views = {view.name: view.statement for view in views(str(lake))}
        self._made: set[str] = set()
        self._read: dict[str, str] = {}
        self._clients: tuple[Client, Client] | None = None

    def ready(self, record_type: str) -> Client:
        """See :class:`Source`."""
        loader, analyst = self._clients = self._clients or self._started()
        with clickhouse_errors():
            self._load(loader)
            for name in {record_type, "completeness"} - self._made:
                loader.command(self._views[name])
                self._made.add(name)
        return analyst

    def close(self) -> None:
        """End the engine."""
        if self._clients:
            for client in self._clients:
                client.close()
            self._end()

    def _started(self) -> tuple[Client, Client]:
        engine = Engine(Path(self._lake), self._settings)
        self._end = weakref.finalize(self, engine.close)
        loader = connect(engine.settings)
        with clickhouse_errors():
            for statement in _TABLES:
                loader.command(statement)
        return loader, connect(engine.settings, "analyst")

    def _load(self, client: Client) -> None:
        """Bring ledger and gaps up to date. Of the ledger only what is new, or was written again, is read."""
        load_gaps(client, read_gaps(self._lake))
        listed = listed_entries(self._lake)
        stamps = {name: each.stamp for name, each in listed.items()}
        if stamps == self._read:
            return
        if not self._read.keys() <= stamps.keys():  # the lake was replaced by an earlier state of it
            client.command("TRUNCATE TABLE ops.batches")
            self._read = {}
        new = [each for name, each in listed.items() if self._read.get(name) != each.stamp]
        if entries := [entry for each in new if (entry := listed_entry(self._lake, each))]:
            client.insert("batches", list(map(_row, entries)), column_names=_BATCH, database="ops")
        self._read = stamps
        self._load_replayed(client)

    def _load_replayed(self, client: Client) -> None:
        """Load the first and the last minute of replayed hours: no batch's interval covers these."""
        beyond = [hour for (hour,) in client.query(REPLAYED, tz_mode="aware").result_rows]
        client.command("TRUNCATE TABLE firehose.events_by_minute")
        if minutes := [[minute] for hour in beyond for minute in _first_and_last(self._lake, hour)]:
            client.insert("events_by_minute", minutes, column_names=["minute"], database="firehose")


def _row(entry: LedgerEntry) -> Sequence[object]:
    stored = [counts.stored for counts in entry.counts.values()]
    return [entry.start, entry.start, entry.end, sorted(hours_of(entry)), [*entry.counts], stored]


def _first_and_last(lake: LocalLake, hour: datetime) -> Iterator[datetime]:
    """The first and the last minute with an event, of all types."""
    number = int(hour.timestamp()) // _HOUR_S
    files = [path for record_type in TYPES for path in layout.hour_files(lake, record_type, number)]
    if spans := [span for path in files if (span := time_span(path))]:
        for moment in (min(first for first, _ in spans), max(last for _, last in spans)):
            yield datetime.fromtimestamp(moment // 60_000_000 * 60, UTC)
