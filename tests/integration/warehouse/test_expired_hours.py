"""Hour files expire where a backup holds them, and all that counts rows goes on as if nothing were missing."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
import redis
from clickhouse_connect.driver.client import Client

from firehose import schema
from firehose.backup import expired
from firehose.backup.prune import prune
from firehose.backup.run import backup
from firehose.backup.sets import Backup
from firehose.backup.verify import verify as verify_backup
from firehose.batch.drain import drain
from firehose.lake import layout, users
from firehose.lake.check import check
from firehose.lake.publish import publish
from firehose.lake.verify import verify
from firehose.maintenance.backups import verified_backup
from firehose.settings import Settings
from firehose.store import LocalLake
from firehose.warehouse.summaries import refresh
from tests.support.frames import fill, minutes
from tests.support.logins import PASSWORDS
from tests.support.maintained import HOUR, LIKES, Holding, maintenance, proven, published
from tests.support.staging import stage


@pytest.fixture
def kept(settings: Settings, redis_url: str) -> Settings:
    """Hours are kept for 30 days, so those of the lake are over. The first one is flat, the second one by user."""
    users.restore(settings.lake_path, schema.LIKES, HOUR, [json.loads(LIKES[199])["did"]])
    return msgspec.structs.replace(settings, redis_url=redis_url, redis_passwords=PASSWORDS, keep_hours_days=30)


def _counts(client: Client) -> dict[str, int]:
    """What the tables say of likes: as events, and in summaries."""
    queries = {
        "ops.events": "count() FROM ops.events",
        "firehose.events_by_minute": "sum(events) FROM firehose.events_by_minute",
        "firehose.most_liked_posts_by_hour": "sum(likes) FROM firehose.most_liked_posts_by_hour",
    }
    return {table: int(str(client.command(f"SELECT {query}"))) for table, query in queries.items()}


def test_an_expired_hour_is_missed_by_nothing_and_a_late_batch_begins_it_again(
    kept: Settings, client: Client, redis_client: redis.Redis
) -> None:
    lake, (one, two, late) = kept.lake_path, minutes(3)
    published(kept, redis_client, {one: LIKES[:400], two: LIKES[300:500]})
    refresh(kept)
    before = _counts(client)
    assert before["ops.events"] == 500
    files = layout.hour_files(lake, schema.LIKES)
    assert client.query("SELECT count(), sum(rows) FROM ops.hours FINAL").result_rows == [(2, 500)]
    alone = proven(maintenance(kept))
    assert {kept.why for kept in alone.plan().kept} == {f"raw files of batch {one.id} are still there"}
    assert alone.expire().removed == {"raw": 2}
    assert {kept.why for kept in alone.plan().kept} == {"no backup is set, and nothing else holds it"}

    backed = maintenance(kept, backup=Holding())
    assert backed.expire().removed == {"hours": 3}
    assert not any(path.exists() for path in files)
    report = verify(lake)
    assert report.ok and report.hour_files_expired == 3, report.problems
    assert not check(lake, 1).differences
    assert client.query("SELECT sum(rows) FROM ops.hours FINAL").result_rows == [(0,)]
    assert not backed.plan().removals

    fill(redis_client, LIKES[500:], late)
    drain(kept, late)
    stage(lake, late, schema.LIKES, [HOUR])
    assert publish(kept, late).stored == len(LIKES) - 500
    assert refresh(kept).batches == (late.id,)
    after = _counts(client)
    assert after.pop("ops.events") == len(LIKES), "the late batch's rows are added to those of files that are gone"
    assert after == {table: count for table, count in before.items() if table in after}
    client.command("TRUNCATE TABLE ops.batches")  # as a migration does
    assert len(refresh(kept).batches) == 3
    assert _counts(client) == after | {"ops.events": len(LIKES)}, "neither lost, nor there twice"
    report = verify(lake)
    assert report.ok and report.types[schema.LIKES].rows == len(LIKES) - 500, report.problems
    assert not check(lake, 1).differences
    assert publish(kept, one).stored == 400, "the ledger still answers for what has expired"

    again = proven(backed).expire().removed
    assert again == {"raw": 1}, "its raw files first"
    assert backed.expire().removed == {"hours": 1}
    report = verify(lake)
    assert report.ok and report.hour_files_expired == 3, report.problems


def test_what_has_expired_stays_in_every_further_set_and_can_be_had_from_there(
    kept: Settings, client: Client, redis_client: redis.Redis, tmp_path: Path
) -> None:
    settings = msgspec.structs.replace(
        kept, backup=str(tmp_path / "kept"), backup_keep_days=1, backup_keep_weeks=0
    )
    (one,) = minutes(1)
    published(settings, redis_client, {one: LIKES[:400]})
    proven(maintenance(settings))
    digests = {path.sha256() for path in layout.hour_files(settings.lake_path, schema.LIKES)}

    def copied(*, whole: bool = False) -> None:
        """A further set, and no other one."""
        backup(settings, skip=("redis", "clickhouse", "airflow"), whole=whole)
        assert verify_backup(settings).damaged == []
        prune(settings)
        assert len(Backup(settings).names()) == 1

    copied()
    assert maintenance(settings, backup=verified_backup(settings)).expire().removed == {"raw": 1}
    assert maintenance(settings, backup=verified_backup(settings)).expire().removed == {"hours": 3}
    for number, whole in enumerate([False, True, False]):
        copied(whole=whole)
        place = Backup(settings)
        last, folder = place.latest(), tmp_path / str(number)
        assert last and expired.write(place, last, folder) == 3
        assert {LocalLake(path).sha256() for path in folder.rglob("*.parquet")} == digests
