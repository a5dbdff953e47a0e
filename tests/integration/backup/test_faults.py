"""Deaths, damage, wrong keys, and the clearing up: a backup is whole or no set, and says so."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from devstack.embedded.ownership import own_home
from devstack.embedded.redis import RedisServer
from devstack.restore import restore_into
from firehose import files
from firehose.backup.prune import prune, to_keep
from firehose.backup.run import backup
from firehose.backup.sets import Backup
from firehose.backup.target import FolderTarget
from firehose.backup.verify import verify
from firehose.batch.drain import drain
from firehose.errors import FirehoseError, RestoreUnfinished
from firehose.settings import Settings
from tests.integration.backup.conftest import World, lake_files, redis_content
from tests.support.frames import minutes

ONLY_LAKE: Final = ("redis", "clickhouse", "airflow")
_FORK: Final = multiprocessing.get_context("fork")
KEY: Final = "correct horse battery staple"


def dies(owner: Any, name: str, nth: int, run: Callable[[], object]) -> bool:
    """Run it in a process that kills itself before the ``nth`` call of a function; whether it did."""

    def child() -> None:
        real, left = getattr(owner, name), [nth]

        def counted(*args: Any, **named: Any) -> Any:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **named)

        setattr(owner, name, counted)
        run()

    process = _FORK.Process(target=child)
    process.start()
    process.join()
    return process.exitcode == -signal.SIGKILL


def objects(place: Path) -> set[str]:
    return {path.name for path in (place / "objects").glob("*/*")}


def test_a_backup_killed_anywhere_is_completed_and_sends_nothing_again(world: World, tmp_path: Path) -> None:
    chance = random.Random(11)
    whole = backup(world.with_backup(tmp_path / "whole"), skip=["clickhouse"])
    place = tmp_path / "kept"
    settings = world.with_backup(place)
    for nth in chance.choices(range(1, 5), k=4):  # of what is missing still
        assert dies(FolderTarget, "write", nth, lambda: backup(settings, skip=["clickhouse"]))
        assert not (place / "sets").exists()
    before = objects(place)
    done = backup(settings, skip=["clickhouse"])
    assert 0 < done.sent == len(objects(place) - before) < whole.sent
    assert verify(settings).damaged == []


def test_a_restore_killed_anywhere_is_completed_with_the_same_end(world: World, tmp_path: Path) -> None:
    settings, home = world.with_backup(tmp_path / "kept"), tmp_path / "new"
    made = backup(settings, skip=["clickhouse"])
    for nth in (3, *random.Random(12).sample(range(10, made.files), 2)):
        assert dies(os, "fsync", nth, lambda: restore_into(settings, home, None, ["clickhouse"]))
        with pytest.raises(FirehoseError, match="unfinished restore: repeat that firehose restore"):
            own_home(home, "firehose demo")
    backup(settings, skip=["clickhouse"])  # a later set changes nothing: the one that was begun is completed
    done = restore_into(settings, home, None, ["clickhouse"])
    assert (done.name, done.verdict) == (made.name, "sound")
    assert lake_files(home / "lake") == lake_files(world.lake)
    with RedisServer(home) as server, server.client() as client:
        assert redis_content(client) == redis_content(world.client)
    own_home(home, "firehose demo").close()


def test_nothing_builds_on_a_lake_that_is_half_restored(world: World, tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake/_restoring.json").write_text("{}")
    settings = Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=world.settings.redis_url)
    with pytest.raises(RestoreUnfinished, match="repeat firehose restore"):
        drain(settings, minutes(1)[0])


@pytest.mark.parametrize("key", ["", KEY], ids=["plain", "encrypted"])
@pytest.mark.parametrize("damage", ["a flipped bit", "a missing object"])
def test_damage_is_found_without_a_restore_and_repaired_from_the_lake(
    world: World, tmp_path: Path, key: str, damage: str
) -> None:
    settings = world.with_backup(tmp_path / "kept", backup_key=key)
    backup(settings, skip=ONLY_LAKE)
    assert verify(settings).damaged == []
    path = random.Random(damage).choice(sorted((tmp_path / "kept/objects").glob("*/*")))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content) if damage == "a flipped bit" else path.unlink()
    (said,) = verify(settings).damaged
    assert path.name in said and ("not what was written" in said or "is missing" in said)
    if damage == "a flipped bit":
        with pytest.raises(FirehoseError):
            restore_into(settings, tmp_path / "new", None, ONLY_LAKE)
    assert backup(settings, skip=ONLY_LAKE, whole=True).sent == 1
    assert verify(settings).damaged == []


def test_an_encrypted_backup_shows_nothing_and_needs_its_key(world: World, tmp_path: Path) -> None:
    place, key_file = tmp_path / "kept", tmp_path / "key"
    key_file.write_text(f"{KEY}\n")
    settings = world.with_backup(place, backup_key_file=str(key_file))
    backup(settings, skip=["clickhouse"])
    stored = {path.name: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    outside = b"".join(stored.values())
    assert b"PAR1" not in outside and b"likes" not in outside and KEY.encode() not in outside
    digests = {files.sha256(path) for path in world.lake.rglob("*.parquet")}
    assert not digests & stored.keys(), "a name does not tell that a known file is there"
    for wrong, said in (({}, "is encrypted"), ({"backup_key": "another key, as long"}, "is not the key")):
        with pytest.raises(FirehoseError, match=said) as refused:
            verify(world.with_backup(place, **wrong))
        assert "\n" not in str(refused.value) and "another key" not in str(refused.value)
    home = tmp_path / "new"
    assert restore_into(settings, home, None, ["clickhouse"]).verdict == "sound"
    assert lake_files(home / "lake") == lake_files(world.lake)
    assert KEY not in (home / "firehose.env").read_text()


def test_a_file_damaged_on_the_disk_takes_no_good_copys_place(world: World, tmp_path: Path) -> None:
    settings = world.with_backup(tmp_path / "kept")
    backup(settings, skip=ONLY_LAKE)
    hour = next(world.lake.glob("year=*/month=*/day=*/hour=*/likes.parquet"))
    good = hour.read_bytes()
    flipped = bytearray(good)
    flipped[100] ^= 1
    try:
        files.write_bytes(hour, bytes(flipped))
        again = [backup(settings, skip=ONLY_LAKE).problems for _ in range(2)]
        assert [len(said) for said in again] == [1, 1], (
            "it is said each time, also if the file did not change since"
        )
        home = tmp_path / "new"
        restore_into(settings, home, None, ONLY_LAKE)
        assert (home / "lake" / hour.relative_to(world.lake)).read_bytes() == good
    finally:
        files.write_bytes(hour, good)
    assert backup(settings, skip=ONLY_LAKE).problems == []


def test_pruning_leaves_what_a_kept_set_needs_and_nothing_else(world: World, tmp_path: Path) -> None:
    place = tmp_path / "kept"
    settings = world.with_backup(place, backup_keep_days=1, backup_keep_weeks=0)
    backup(settings, skip=ONLY_LAKE)
    world.publish_another()
    last = backup(settings, skip=ONLY_LAKE)
    needed = {path.name for path in (place / "objects").glob("*/*")}
    left = place / "objects/aa" / ("a" * 64)
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"of a killed backup")
    (place / "objects/aa/_part.part").write_bytes(b"")
    gone = prune(settings)
    assert len(gone.sets) == 1 and gone.objects > 2
    assert objects(place) < needed and not left.exists()
    assert Backup(settings).names() == [last.name]
    assert verify(settings).damaged == [] and prune(settings).objects == 0


def test_a_place_in_the_lake_is_refused(world: World) -> None:
    with pytest.raises(FirehoseError, match="lies in the lake"):
        backup(world.with_backup(world.lake / "kept"))
    bucket = msgspec.structs.replace(world.settings, lake="s3://lakes/bluesky?region=us-east-1")
    for place in ("s3://lakes/bluesky", "s3://lakes/bluesky/kept?region=us-east-1"):
        with pytest.raises(FirehoseError, match="lies in the lake s3://lakes/bluesky, whose"):
            Backup(msgspec.structs.replace(bucket, backup=place))


def test_which_sets_are_kept() -> None:
    start = datetime(2026, 11, 1, 3, tzinfo=UTC)
    names = [f"{start + timedelta(hours=12 * number):%Y%m%dT%H%M%S.%fZ}" for number in range(60)]
    kept = sorted(to_keep(names, days=3, weeks=3))
    assert [name[:11] for name in kept] == ["20261122T15", "20261128T15", "20261129T15", "20261130T15"]
    assert to_keep(names, days=1, weeks=0) == {names[-1]}


def test_postgres_is_dumped_without_its_password_on_a_command_line(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin/pg_dump"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/said\necho "dumped by $PGUSER with $PGPASSWORD"\n')
    program.chmod(0o755)
    settings = world.with_backup(
        tmp_path / "kept", airflow_database_url="postgresql+psycopg2://airflow:p%40ss@db:5433/airflow"
    )
    monkeypatch.setenv("PATH", "/nowhere")
    (note, *_) = backup(settings, skip=["redis", "clickhouse"]).notes
    assert "there is no pg_dump on PATH" in note
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    assert backup(settings, skip=["redis", "clickhouse"]).notes == ["left out: clickhouse", "left out: redis"]
    assert "--dbname airflow --host db --port 5433" in (tmp_path / "said").read_text()
    assert "p@ss" not in (tmp_path / "said").read_text()
    restore_into(settings, tmp_path / "new", None, ["redis", "clickhouse"])
    assert (tmp_path / "new/airflow/airflow.pgdump").read_text() == "dumped by airflow with p@ss\n"
    program.write_text("#!/bin/sh\necho 'no such database' >&2\nexit 1\n")
    with pytest.raises(FirehoseError, match=r"pg_dump of Airflow's database failed \(no such database\)"):
        backup(settings, skip=["redis", "clickhouse"])
