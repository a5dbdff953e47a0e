"""A full loss, and the restore of it: everything is as it was, also where the pipeline went on meanwhile."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import msgspec
import pytest
import redis

from devstack.embedded import clickhouse
from devstack.embedded.redis import RedisServer
from devstack.restore import restore_into
from firehose.backup.coverage import coverage, state
from firehose.backup.run import backup
from firehose.backup.verify import verify
from firehose.batch import manifest as manifests
from firehose.errors import FirehoseError, NoBackup
from firehose.lake.verify import verify as verify_lake
from firehose.settings import Settings
from firehose.store import LocalLake
from firehose.warehouse.client import connect
from firehose.warehouse.migrate import migrate
from firehose.warehouse.summaries import refresh
from tests.integration.backup.conftest import World, lake_files, redis_content, table_content


@pytest.fixture(scope="module")
def loaded(world: World) -> Iterator[World]:
    """With a ClickHouse that has the published batches."""
    with clickhouse.start(world.settings):
        with closing(connect(world.settings)) as client:
            migrate(client, world.settings)
        refresh(world.settings)
        yield world


def test_a_full_loss_is_restored_as_it_was(loaded: World, tmp_path: Path) -> None:
    world = loaded
    settings = world.with_backup(tmp_path / "kept", alert_webhook_url="https://hooks.example/secret")
    made = backup(settings)
    assert made.problems == [] and made.notes == []
    with closing(connect(settings)) as client:
        tables = table_content(client)
    before = lake_files(world.lake), redis_content(world.client)
    assert all(tables[name] for name in ("ops.batches", "firehose.events_by_minute", "ops.account_states_by_hour"))

    home = tmp_path / "new"
    done = restore_into(settings, home, None, ())
    assert (done.verdict, done.problems, done.batches, done.rows) == ("sound", [], 0, 400)
    assert done.secrets == [
        "FIREHOSE_ALERT_WEBHOOK_URL",
        "FIREHOSE_CLICKHOUSE_LOADER_PASSWORD",
        "FIREHOSE_CLICKHOUSE_ANALYST_PASSWORD",
    ]
    said = (home / "firehose.env").read_text()
    assert "FIREHOSE_BATCH_MINUTES=1\n" in said and f"FIREHOSE_LAKE={home}/lake\n" in said
    assert "loads" not in said and "hooks.example" not in said
    with RedisServer(home) as server, server.client() as client:
        assert (lake_files(home / "lake"), redis_content(client)) == before
    with closing(sqlite3.connect(home / "airflow" / "airflow.db")) as database:
        assert database.execute("SELECT run_id FROM dag_run").fetchall() == [("one",)]
    placed = msgspec.structs.replace(settings, home=str(home), lake=str(home / "lake"))
    with clickhouse.start(placed), closing(connect(placed)) as restored:
        assert table_content(restored) == tables
    ages = state(settings)
    assert (ages.last, ages.restored) == (made.name, made.name)
    assert ages.age_hours >= 0 and ages.restore_age_hours >= 0
    with pytest.raises(FirehoseError, match="is not empty"):
        restore_into(settings, home, None, ())
    with pytest.raises(NoBackup, match="there is no complete set from before 2020-01-01T00:00:00Z"):
        restore_into(settings, tmp_path / "early", datetime(2020, 1, 1, tzinfo=UTC), ())


def test_what_leaves_redis_between_its_copy_and_the_lakes_is_there_once(world: World, tmp_path: Path) -> None:
    settings = world.with_backup(tmp_path / "kept")
    batch = world.into_redis(50)
    drained: list[str] = []

    class Watched(redis.Redis):
        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> None:
            world.to_lake(batch)  # Redis is copied, the lake is not yet
            drained.append(batch.id)
            super().__exit__(kind, error, trace)  # type: ignore[no-untyped-call]  # of redis

    def connect_redis(_: Settings) -> redis.Redis:
        return Watched.from_pool(world.server.client().connection_pool)

    backup(settings, connect_redis, skip=["clickhouse", "airflow"])
    assert drained == [batch.id]
    home = tmp_path / "new"
    rows = restore_into(settings, home, None, ["clickhouse", "airflow"]).rows
    placed = msgspec.structs.replace(settings, home=str(home), lake=str(home / "lake"))
    with RedisServer(home) as server, server.client() as client:
        placed = msgspec.structs.replace(placed, redis_url=server.url)
        assert client.xlen("firehose:likes:queue") > world.client.xlen("firehose:likes:queue")
        again = World(placed, server)
        again.to_lake(batch)  # Airflow's copy is older still, so it runs the batch again
        assert redis_content(client) == redis_content(world.client)
    report = verify_lake(LocalLake(home / "lake"))
    assert report.ok, report.problems
    assert report.types["likes"].rows == rows == verify_lake(LocalLake(world.lake)).types["likes"].rows


def test_only_what_changed_is_sent_and_a_verified_set_says_what_it_covers(loaded: World, tmp_path: Path) -> None:
    world = loaded
    settings = world.with_backup(tmp_path / "kept")
    backup(settings, skip=["airflow"])
    still = backup(settings, skip=["airflow"])
    assert (still.sent, still.read) == (0, 0)
    batch, objects = world.publish_another(), len(list((tmp_path / "kept/objects").glob("*/*")))
    more = backup(settings, skip=["airflow"])
    # An hour file and its record, a raw file and its manifest, the ledger's entry, the validation's result.
    assert more.read == 6
    assert more.sent == len(list((tmp_path / "kept/objects").glob("*/*"))) - objects
    folder = manifests.folder_of(world.settings.lake_path, batch)
    digest = (folder / manifests.NAME).sha256()
    assert coverage(settings) is None, "nothing counts before it was verified"
    whole = verify(settings)
    assert whole.damaged == []
    found = coverage(settings)
    assert found is not None and found.name == more.name
    assert found.holds_batch(batch.id, digest) and not found.holds_batch(batch.id, "0" * 64)
    hour = next(world.lake.glob("year=*/month=*/day=*/hour=*/likes.parquet"))
    key = str(hour.relative_to(world.lake))
    assert found.holds_file(key, LocalLake(hour).sha256()) and not found.holds_file("none", digest)
    world.publish_another()
    backup(settings, skip=["airflow"])
    assert 0 < verify(settings, share_days=1000).objects < whole.objects
    assert json.loads((tmp_path / "kept/backup.json").read_text())["salt"] == ""
