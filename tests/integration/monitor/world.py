"""The pipeline that the monitor's tests watch, minute by minute.

Lives here: turning the clock, an ingester that flushes by its own code, Airflow's health page. Must not: assert.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import msgspec
import redis

from firehose.alerts.smtp import mailer
from firehose.alerts.state import Book
from firehose.batch.interval import Batch
from firehose.lake.ledger import LedgerEntry, entry_path, write_entry
from firehose.monitor.run import deadman, monitor
from firehose.settings import Settings
from ingester.buffer.exchange import Flush
from ingester.buffer.sink import Sink
from ingester.contract import wire
from ingester.contract.gap import Gap, Reason, encoded
from ingester.contract.redis_access import INGESTER, RedisAccess
from tests.support.sinks import Mailbox, Webhook

MINUTE = timedelta(minutes=1)


class World:
    """A watched pipeline. ``now`` is the monitor's clock; ``settings`` may be replaced between two looks.

    ``published``: up to here :meth:`publish` has filled the ledger.
    """

    def __init__(self, settings: Settings, client: redis.Redis, mailbox: Mailbox, webhook: Webhook) -> None:
        self.settings, self.client, self.mailbox, self.webhook = settings, client, mailbox, webhook
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.published = self.now.replace(second=0)
        self.paused: Callable[[], list[str]] = list
        self.problems: list[str] = []
        self.book = Book()

    def change(self, **settings: Any) -> None:
        """Other settings from now on."""
        self.settings = msgspec.structs.replace(self.settings, **settings)

    def flush(self, *, connected: bool = True, lag: timedelta = timedelta()) -> None:
        """Let an ingester flush as of the clock: by its own code, then with the stamps of that time."""
        sink = Sink(RedisAccess.of(self.settings, INGESTER), "one", "ws://127.0.0.1/subscribe")
        sink.claim(15_000)
        witnessed = int((self.now - lag).timestamp() * 1e6)
        sink.write(Flush((), witnessed, connected, 15_000, time_us=witnessed))
        sink.close()
        stamps: dict[Any, Any] = {
            wire.META_LAST_FLUSH_MS: self.ms(),
            wire.META_LAG_US: int(lag.total_seconds() * 1e6),
        }
        self.client.hset(wire.METADATA_KEY, mapping=stamps)
        # Heartbeats are of the clock as well: the one that the flush has made is of the real time.
        real = self.client.time()[0] // 60 * 60_000
        self.client.zremrangebyscore(wire.HEARTBEATS_KEY, real, real)
        if connected:
            minute = self.ms() // 60_000 * 60_000
            self.client.zadd(wire.HEARTBEATS_KEY, {str(minute): minute})

    def ms(self) -> int:
        """The clock in milliseconds."""
        return int(self.now.timestamp() * 1000)

    def gap(self, gap_id: str, since: timedelta, lasted: timedelta, *, filled: str = "") -> None:
        """Note a gap in Redis, as the ingester does: it began ``since`` ago, and was noted when it ended."""
        low = int((self.now - since).timestamp() * 1e6)
        high = low + int(lasted.total_seconds() * 1e6)
        now = int(self.now.timestamp() * 1e6)
        noted = now if filled else min(high, now)
        made = Gap(
            id=gap_id, reason=Reason.OUTAGE, from_us=low, to_us=high, noted_us=noted, host="one", filled=filled
        )
        self.client.xadd(wire.COVERAGE_KEY, {wire.FIELD_GAP: encoded(made)})

    def publish(self, until: datetime, *, at: datetime | None = None, but: Container[datetime] = ()) -> None:
        """Entries of the ledger for the intervals up to ``until`` that have none, ``but`` some.

        Each was published half a minute after its end, or ``at`` a moment. Of a lake they are all that a look at
        batches needs, and real batches cannot be made of times that Redis' own clock has not reached.
        """
        length = timedelta(minutes=self.settings.batch_minutes)
        while self.published + length <= until:
            begin = self.published
            self.published += length
            if begin not in but:
                end = self.published
                batch = Batch.of(begin, end)
                entry = LedgerEntry(
                    batch=batch.id, start=begin, end=end, published_at=at or end + MINUTE / 2, counts={}, hours={}
                )
                path = entry_path(self.settings.local_lake, batch)
                path.parent.mkdir(parents=True, exist_ok=True)
                write_entry(path, entry)

    def look(self, minutes: int = 1, *, alive: bool = True) -> list[str]:
        """Let the monitor look each minute; what was sent, as ``state key``. ``alive``: the ingester flushes."""
        return self._each(minutes, alive, self._monitor)

    def look_after(self, minutes: int) -> list[str]:
        """As :meth:`look`, with one look at the end of these minutes."""
        self.now += (minutes - 1) * MINUTE
        return self.look()

    def look_from_outside(self, minutes: int = 1, *, alive: bool = True) -> list[str]:
        """Let the deadman look each minute. What it prints is in ``problems``."""
        return self._each(minutes, alive, self._deadman)

    def _each(self, minutes: int, alive: bool, look: Callable[[], None]) -> list[str]:
        before = len(self.webhook.bodies)
        for _ in range(minutes):
            self.now += MINUTE
            if alive:
                self.flush()
            look()
        return [f"{body['state']} {body['key']}" for body in self.webhook.bodies[before:]]

    def _monitor(self) -> None:
        settings = self.settings
        self.book = monitor(settings, mailer(settings), paused=lambda: self.paused(), clock=lambda: self.now)

    def _deadman(self) -> None:
        self.book, self.problems = deadman(self.settings, mailer(self.settings), clock=lambda: self.now)


class Health(HTTPServer):
    """What Airflow's health page says, in the form of ``airflow.api.common.airflow_health``."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.scheduler = "healthy"
        self.heartbeat = datetime.now(UTC)
        self.said: dict[str, Any] = {}
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Page(BaseHTTPRequestHandler):
    server: Health

    def do_GET(self) -> None:
        found = self.path == "/api/v2/monitor/health"
        beat = self.server.heartbeat.isoformat()
        scheduler = {"status": self.server.scheduler, "latest_scheduler_heartbeat": beat}
        said = {
            "metadatabase": {"status": "healthy"},
            "scheduler": scheduler,
            "triggerer": {"status": None, "latest_triggerer_heartbeat": None},
            "dag_processor": {"status": "healthy", "latest_dag_processor_heartbeat": beat},
        }
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(json.dumps(self.server.said or said).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


@contextmanager
def health_server() -> Iterator[Health]:
    """That page, served."""
    server = Health()
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
