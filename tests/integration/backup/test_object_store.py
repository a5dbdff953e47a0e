"""A backup in an object store: the same as in a folder, over a real server's interface."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstack.restore import restore_into
from firehose.backup.prune import prune
from firehose.backup.run import backup
from firehose.backup.sets import Backup
from firehose.backup.verify import verify
from firehose.errors import ServiceUnavailable
from tests.integration.backup.conftest import World, lake_files

pytest.importorskip("moto", reason="the test's object store is moto's server")


def test_a_backup_in_a_bucket_is_made_verified_pruned_and_restored(
    world: World, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    place = request.getfixturevalue("bucket_store").uri("backups/one")
    settings = world.with_backup(place, backup_key="correct horse battery staple", backup_keep_weeks=0)
    made = backup(settings, skip=["clickhouse"])
    assert made.sent > 10 and backup(settings, skip=["clickhouse"]).read == 0
    world.publish_another()
    last = backup(settings, skip=["clickhouse"])
    assert last.read == 6 and verify(settings).damaged == []
    kept = Backup(settings)
    kept.target.write("objects/aa/left", b"of a killed backup")
    assert prune(settings).objects >= 1 and Backup(settings).names()[-1] == last.name
    home = tmp_path / "new"
    assert restore_into(settings, home, None, ["clickhouse"]).verdict == "sound"
    assert lake_files(home / "lake") == lake_files(world.lake)


def test_a_store_that_is_away_is_one_line_without_its_login(world: World) -> None:
    place = "s3://key:s3cret@bucket/folder?scheme=http&endpoint_override=127.0.0.1:1&region=us-east-1"
    with pytest.raises(ServiceUnavailable, match="FIREHOSE_BACKUP: s3://") as refused:
        backup(world.with_backup(place), skip=["clickhouse"])
    assert "\n" not in str(refused.value) and "s3cret" not in str(refused.value)
