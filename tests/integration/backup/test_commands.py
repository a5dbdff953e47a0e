"""`firehose backup` and `firehose restore` as a user runs them: one line for what is wrong, and what is there."""

from __future__ import annotations

import json
from pathlib import Path

from devstack.embedded.redis import RedisServer
from firehose.backup.run import backup
from tests.integration.backup.conftest import World, lake_files, redis_content
from tests.support.command import firehose

NOT_HERE = ("--skip", "clickhouse", "--skip", "redis", "--skip", "airflow")


def test_a_set_is_made_listed_and_restored_by_the_commands(world: World, tmp_path: Path) -> None:
    place, new = tmp_path / "kept", tmp_path / "new"
    given = {"lake": world.lake, "backup": place, "backup_key": "correct horse battery staple"}
    done = firehose("backup", *NOT_HERE, "--json", home=tmp_path, **given)
    assert done.returncode == 0, done.stderr
    name = json.loads(done.stdout)["name"]
    (new / "something").mkdir(parents=True)
    used = firehose("restore", "--into", new, *NOT_HERE, home=tmp_path, **given)
    assert (
        used.returncode == 1 and "is not empty (something is there): a restore needs a new folder" in used.stderr
    )
    (new / "something").rmdir()
    restored = firehose("restore", "--into", new, *NOT_HERE, home=tmp_path, **given)
    assert restored.returncode == 0, restored.stderr
    assert "sound" in restored.stdout and f"set {name}" in restored.stdout
    listed = json.loads(firehose("backup", "--list", "--json", home=tmp_path, **given).stdout)
    assert listed["sets"] == [{"name": name, "files": listed["sets"][0]["files"], "verified": False}]
    assert listed["restored"] == name


def test_a_set_is_restored_into_services_of_ones_own(world: World, tmp_path: Path) -> None:
    settings, home = world.with_backup(tmp_path / "kept"), tmp_path / "own"
    backup(settings, skip=["clickhouse"])
    with RedisServer(home) as server, server.client() as client:
        given = {"lake": tmp_path / "lake", "backup": tmp_path / "kept", "redis_url": server.url}
        (home / "firehose.env").write_text("FIREHOSE_BATCH_MINUTES=5\n")
        done = firehose("restore", "--skip", "clickhouse", home=home, **given)
        assert done.returncode == 0, done.stderr
        assert redis_content(client) == redis_content(world.client)
        assert lake_files(tmp_path / "lake") == lake_files(world.lake)
        assert (home / "firehose.env").read_text() == "FIREHOSE_BATCH_MINUTES=5\n", "what is in use is left alone"
        assert {path.name for path in (home / "restored").rglob("*.*")} == {"airflow.db", "firehose.env"}
        again = firehose("restore", "--skip", "clickhouse", home=home, **given)
        assert again.returncode == 1 and "is not empty: a restore needs a new lake" in again.stderr
