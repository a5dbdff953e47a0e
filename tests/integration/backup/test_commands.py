"""`firehose backup` and `firehose restore` as a user runs them: one line for what is wrong, and what is there."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.backup.conftest import World
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
