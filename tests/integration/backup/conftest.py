"""A home with some published batches, and others still in Redis: what a backup is made of."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import redis
from clickhouse_connect.driver.client import Client

from devstack.embedded.redis import RedisServer, free_port
from firehose import schema
from firehose.backup import clickhouse as tables
from firehose.backup.redis import KEYS
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.lake import layout
from firehose.lake.publish import publish
from firehose.settings import Settings
from firehose.store import LocalLake
from ingester.contract import wire
from ingester.contract.gap import Gap, Reason, encoded
from jetstream_simulator import generate
from tests.support import frames
from tests.support.staging import stage

HOUR: Final = 494_452
_LIKES: Final = [
    line
    for line in generate.events(6000, seed=5, start_us=HOUR * layout.HOUR_US, rate=5)
    if b'"collection":"app.bsky.feed.like"' in line
]


class World:
    """A home. Batch by batch it takes new likes; ``batches`` are those that Redis has been given."""

    def __init__(self, settings: Settings, server: RedisServer) -> None:
        self.settings, self.server = settings, server
        self.client: redis.Redis = server.client()
        self.waiting = frames.minutes(20)
        self._lines = iter(_LIKES)

    @property
    def lake(self) -> LocalLake:
        return self.settings.local_lake

    def into_redis(self, events: int = 200) -> Batch:
        """New events in Redis, as the ingester writes them, with its cursor and a heartbeat."""
        batch = self.waiting.pop(0)
        lines = [next(self._lines) for _ in range(events)]
        frames.fill(self.client, lines, batch)
        self.client.zadd(wire.HEARTBEATS_KEY, {str(batch.start_ms): batch.start_ms})
        self.client.hset(wire.METADATA_KEY, wire.META_CURSOR, str(batch.end_ms * 1000))
        return batch

    def to_lake(self, batch: Batch) -> None:
        drain(self.settings, batch)
        if (
            self.lake / "_raw" / f"date={batch.start:%Y-%m-%d}" / f"batch={batch.id}" / "likes.jsonl.zst"
        ).exists():
            stage(self.lake, batch, schema.LIKES, range(HOUR - 1, HOUR + 3))
        publish(self.settings, batch)

    def publish_another(self) -> Batch:
        batch = self.into_redis()
        self.to_lake(batch)
        return batch

    def with_backup(self, place: object, **settings: object) -> Settings:
        return msgspec.structs.replace(self.settings, backup=str(place), **settings)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two batches in the lake, one in Redis, a gap, an Airflow database, secrets; no ClickHouse runs."""
    home = tmp_path_factory.mktemp("world")
    with RedisServer(home) as server:
        settings = Settings(
            home=str(home),
            lake=str(home / "lake"),
            redis_url=server.url,
            clickhouse_url=f"http://127.0.0.1:{free_port()}",
            clickhouse_loader_password="loads",
            clickhouse_analyst_password="reads",
            batch_minutes=1,
        )
        made = World(settings, server)
        made.publish_another()
        made.publish_another()
        made.into_redis()
        gap = Gap(id="late/1", reason=Reason.LATE, from_us=1, to_us=2, noted_us=3)
        made.client.xadd(wire.COVERAGE_KEY, {wire.FIELD_GAP: encoded(gap)})
        _make_airflow(home / "airflow")
        yield made


def _make_airflow(folder: Path) -> None:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "airflow.db")) as database:
        database.execute("CREATE TABLE dag_run (run_id TEXT)")
        database.execute("INSERT INTO dag_run VALUES ('one')")
        database.commit()


def lake_files(lake: Path) -> dict[str, bytes]:
    """Every file of a lake but the locks."""
    paths = (path for path in lake.rglob("*") if path.is_file() and ".locks" not in path.parts)
    return {str(path.relative_to(lake)): path.read_bytes() for path in paths}


def redis_content(client: redis.Redis) -> dict[str, Any]:
    """Everything in Redis that is the pipeline's."""
    found: dict[str, Any] = {}
    for key in filter(client.exists, KEYS):
        kind = client.type(key)
        if kind == b"stream":
            found[key] = client.xrange(key)
        else:
            found[key] = client.hgetall(key) if kind == b"hash" else client.zrange(key, 0, -1, withscores=True)
    return found


def table_content(client: Client) -> dict[str, bytes]:
    """The rows of every table that a backup has. States of aggregates cannot be sorted by."""
    order = {"ops.account_states_by_hour": "hour, type"}
    return {
        table: client.raw_query(f"SELECT * FROM {table} ORDER BY {order.get(table, 'ALL')}", fmt="RowBinary")
        for table in tables.TABLES
    }
