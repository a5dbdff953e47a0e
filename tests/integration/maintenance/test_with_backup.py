"""Raw files go once a real backup that was read back holds them, whatever their age, and not while one looks."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import redis

from firehose.backup import airflow, clickhouse
from firehose.backup.run import backup
from firehose.backup.verify import verify
from firehose.batch.lock import at_rest
from firehose.errors import FirehoseError
from firehose.lake.verify import verify as verify_lake
from firehose.maintenance.backups import verified_backup
from firehose.settings import Settings
from tests.support.frames import minutes
from tests.support.maintained import LIKES, maintenance, proven, published, raw_files


@pytest.fixture(params=["folder", "bucket"])
def settings(request: pytest.FixtureRequest, tmp_path: Path, redis_url: str) -> Settings:
    lake = str(tmp_path / "lake")
    if request.param == "bucket":
        lake = request.getfixturevalue("bucket_store").uri(lake.strip("/"))
    return Settings(home=str(tmp_path), lake=lake, redis_url=redis_url, backup=str(tmp_path / "kept"))


def copied(settings: Settings) -> None:
    backup(settings, skip=(airflow.PART, clickhouse.PART))


def removed(settings: Settings) -> tuple[dict[str, int], dict[str, int]]:
    """What maintenance removes and keeps in six hours, when no raw file is old enough to go without a backup."""
    done = proven(maintenance(settings, 0.25, verified_backup(settings))).expire()
    return done.removed, done.kept


def test_raw_goes_once_a_backup_that_was_read_back_holds_it(settings: Settings, redis_client: redis.Redis) -> None:
    one, two = minutes(2)
    published(settings, redis_client, {one: LIKES[:100], two: LIKES[80:200]})
    without = msgspec.structs.replace(settings, backup="")
    assert verified_backup(without) is None and removed(without) == ({}, {})
    assert removed(settings) == ({}, {"raw": 2}), "no set yet"
    copied(settings)
    assert removed(settings) == ({}, {"raw": 2}), "it was not read back"
    verify(settings)
    with at_rest(settings.lake_path, 10):
        assert removed(settings) == ({}, {"raw": 2}), "a backup looks at the lake"
    assert removed(settings) == ({"raw": 2}, {})
    assert not raw_files(settings, one) and not raw_files(settings, two)
    report = verify_lake(settings.lake_path)
    assert report.ok and report.batches_expired == 2, report.problems

    # The next set has no raw files any more, and a place that cannot be used is no reason to remove anything.
    copied(settings)
    verify(settings)
    assert removed(settings) == ({}, {})
    nowhere = msgspec.structs.replace(settings, backup="s3://no-bucket/x?endpoint_override=http://127.0.0.1:9")
    with pytest.raises(FirehoseError):
        verified_backup(nowhere)
