"""Shows how far the demo is until results can be queried, then the first results.

Must not: start or stop anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing

import redis
from rich.console import Console
from rich.table import Table

from firehose.areas import Area
from firehose.batch.buffer import client
from firehose.errors import FirehoseError
from firehose.settings import Settings
from firehose.warehouse.client import clickhouse_errors, connect
from ingester.contract import wire
from ingester.contract.redis_access import MONITORING

_FIRST_QUERY = """\
SELECT type, sum(events) AS total, sumIf(events, operation = 'delete') AS deletes
FROM firehose.events_by_minute GROUP BY type ORDER BY total DESC"""


class Progress:
    """The stages from a running ingester to a loaded summary; each is shown once, when it is reached."""

    def __init__(self, settings: Settings, console: Console) -> None:
        self._settings = settings
        self._console = console
        self._began = time.monotonic()
        self._stages: list[tuple[str, Callable[[], str]]] = [
            ("waiting for the first events in Redis", self._events),
            ("waiting for the first batch, which ends with its minute", self._batch),
            ("waiting until ClickHouse has loaded it", self._results),
        ]
        self.say(self._stages[0][0])

    def say(self, text: str) -> None:
        """Print a line with the seconds since the start."""
        self._console.print(f"[dim]{time.monotonic() - self._began:5.0f} s[/]  {text}", highlight=False)

    def step(self) -> bool:
        """Check the stages once. Returns True when results can be queried."""
        while self._stages and (reached := self._stages[0][1]()):
            self._stages.pop(0)
            self.say(reached)
            if self._stages:
                self.say(self._stages[0][0])
        return not self._stages

    def show_results(self) -> None:
        """Print the first table."""
        with clickhouse_errors(), closing(connect(self._settings, role="analyst")) as client:
            answer = client.query(_FIRST_QUERY)
        table = Table(*answer.column_names, title="Events in ClickHouse by type")
        for row in answer.result_rows:
            table.add_row(*(f"{value:,}" if isinstance(value, int) else str(value) for value in row))
        self._console.print(table)
        self._console.print(f"[dim]{_FIRST_QUERY}[/]", highlight=False)

    def _events(self) -> str:
        try:
            with client(self._settings, MONITORING) as connection:
                events = int(connection.hget(wire.METADATA_KEY, wire.META_EVENTS) or 0)
        except redis.RedisError:
            return ""
        return f"{events:,} events are in Redis" if events else ""

    def _batch(self) -> str:
        entries = sorted(Area.LEDGER.of(self._settings.local_lake).glob("date=*/batch=*.json"))
        return f"batch {entries[-1].stem.removeprefix('batch=')} is in the lake" if entries else ""

    def _results(self) -> str:
        try:
            with clickhouse_errors(), closing(connect(self._settings, role="analyst")) as client:
                events = int(str(client.command("SELECT sum(events) FROM firehose.events_by_minute")))
        except FirehoseError:  # not migrated yet, or still starting
            return ""
        return f"{events:,} events can be queried" if events else ""
