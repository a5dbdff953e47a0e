"""Iceberg tables follow the closed hours: what they name is there as it was, whatever happens to the hours."""

from __future__ import annotations

import multiprocessing
import shutil
import signal
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import pytest
from pyiceberg.table import StaticTable

from devstack.embedded import redis as embedded
from firehose.areas import Area
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.iceberg.share import Shared
from firehose.lake import layout, recorded, records
from firehose.lake.closing import close
from firehose.lake.expiry import Expiry
from firehose.lake.layout import HourFile
from firehose.lake.publish import publish
from firehose.schema import LIKES as TYPE
from firehose.settings import Settings
from firehose.store import LocalLake
from ingester.contract import crash
from ingester.contract.crash import Point
from tests.support.frames import fill, minutes
from tests.support.iceberg import assert_right, events, events_of_lake, files, open_table
from tests.support.logins import copy_passwords
from tests.support.maintained import HOUR, LIKES, maintenance
from tests.support.object_store import ObjectStore
from tests.support.staging import stage

_FORK: Final = multiprocessing.get_context("fork")
EDGE_US: Final = 5_000_000
AT_THE_EDGE: Final = [
    line for line in LIKES if 0 <= msgspec.json.decode(line)["time_us"] - HOUR * layout.HOUR_US < EDGE_US
]


@pytest.fixture(scope="module")
def states(redis_server: embedded.RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of two hours as it was: `early`, closed; then `opened` by a late batch; then `late`, closed again.

    The late batch is the first one. It has copies of events that the others brought: some of them lie in the
    neighbouring hour, since another host has stamped them, and leave that.
    """
    folder = tmp_path_factory.mktemp("states")
    copy_passwords(redis_server, folder)
    settings = Settings(home=str(folder), lake=str(folder / "lake"), redis_url=redis_server.url)
    one, *others = minutes(3)
    with redis_server.client() as client:
        client.flushall()
        fill(client, [*LIKES[:120], *map(_stamped_earlier, AT_THE_EDGE)], one)
        fill(client, LIKES[80:200], others[0])
        fill(client, LIKES[160:], others[1])
        for batch in reversed(others):
            _published(settings, batch)
        _close(settings)
        shutil.copytree(settings.local_lake, folder / "early")
        _published(settings, one)
    shutil.copytree(settings.local_lake, folder / "opened")
    _close(settings)
    shutil.copytree(settings.local_lake, folder / "late")
    return folder


def _stamped_earlier(line: bytes) -> bytes:
    event = msgspec.json.decode(line)
    return msgspec.json.encode(event | {"time_us": event["time_us"] - EDGE_US})


def _published(settings: Settings, batch: Batch) -> None:
    drain(settings, batch)
    stage(settings.lake_path, batch, TYPE, [HOUR - 1, HOUR])
    publish(settings, batch)


def _close(settings: Settings) -> None:
    assert not maintenance(settings, 0).close(60).problems


@pytest.fixture
def settings(tmp_path: Path, states: Path) -> Settings:
    """A home whose lake is as it was early, with tables."""
    settings = Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), iceberg=True)
    become(settings, states / "early")
    assert share(settings) == Shared(shared=2, taken=2, behind=0)
    return settings


def become(settings: Settings, state: Path) -> None:
    """Let the lake be as it was, with files of its own, as every writer makes them; tables stay as they are."""
    lake = settings.local_lake
    for name in ("year=2026", Area.HOURS):
        shutil.rmtree(lake / name, ignore_errors=True)
    shutil.copytree(state, lake, dirs_exist_ok=True)


def share(settings: Settings, days: float = 0) -> Shared:
    done = maintenance(settings, days).share()
    assert done
    return done


def test_off_by_default_and_a_plan_writes_nothing(settings: Settings, states: Path) -> None:
    lake = settings.local_lake
    shutil.rmtree(Area.ICEBERG.of(lake))
    assert maintenance(msgspec.structs.replace(settings, iceberg=Settings().iceberg), 0).share() is None
    assert maintenance(settings, 0).plan().shares == {TYPE: 2}
    assert not Area.ICEBERG.of(lake).exists()


def test_a_late_batch_changes_a_table_once_its_hours_are_closed_again(settings: Settings, states: Path) -> None:
    lake = settings.local_lake
    before = events(open_table(lake, TYPE))
    assert before == events_of_lake(lake, TYPE)
    become(settings, states / "opened")
    between = events_of_lake(lake, TYPE)
    assert between.total() == len(LIKES) > before.total()
    assert share(settings) == Shared(shared=2, taken=0, behind=2)
    assert_right(lake, TYPE)
    assert events(open_table(lake, TYPE)) == before, "a table lags, and has what it had"
    _close(settings)
    assert share(settings) == Shared(shared=2, taken=2, behind=0)
    table = open_table(lake, TYPE)
    assert events(table) == between
    first, second = table.snapshots()
    assert share(settings).taken == 0
    assert events(open_table(lake, TYPE), first.snapshot_id) == before, "who has begun to read goes on"
    assert_right(lake, TYPE)
    assert share(settings, days=2) == Shared(shared=2, taken=0, behind=0)
    assert [snapshot.snapshot_id for snapshot in open_table(lake, TYPE).snapshots()] == [second.snapshot_id]
    assert len([name for name in files(lake, TYPE) if name.startswith("data/")]) == 2
    assert events(open_table(lake, TYPE)) == between
    for path in layout.hour_files(lake, TYPE):
        assert path.stat().st_nlink == 2, "a table takes no room beside the lake's"


def test_an_hour_waits_while_its_neighbour_is_open(settings: Settings, states: Path) -> None:
    """An event that moved to another hour with the late batch is in the table once, or not yet."""
    lake = settings.local_lake
    before = events(open_table(lake, TYPE))
    become(settings, states / "opened")
    close(lake, HourFile(HOUR, TYPE))
    assert share(settings) == Shared(shared=2, taken=0, behind=2)
    assert events(open_table(lake, TYPE)) == before
    close(lake, HourFile(HOUR - 1, TYPE))
    assert share(settings).taken == 2
    assert max(events(open_table(lake, TYPE)).values()) == 1


def test_an_hour_whose_file_is_not_the_recorded_one_is_not_taken(settings: Settings, states: Path) -> None:
    lake = settings.local_lake
    before = events(open_table(lake, TYPE))
    become(settings, states / "late")
    path = layout.hour_file(lake, TYPE, HOUR)
    whole = path.read_bytes()
    path.write(whole[:-9])
    assert share(settings).taken == 0
    assert_right(lake, TYPE)
    assert events(open_table(lake, TYPE)) == before
    path.write(whole)
    assert share(settings) == Shared(shared=2, taken=2, behind=0)
    assert events(open_table(lake, TYPE)) == events_of_lake(lake, TYPE)


def test_an_hour_that_has_expired_leaves_the_table(settings: Settings, states: Path) -> None:
    lake = settings.local_lake
    path = layout.hour_file(lake, TYPE, HOUR - 1)
    record = records.read(path).now
    assert record
    gone = Expiry(at=datetime.now(UTC), sha256=record.sha256, audit="", batches={})
    recorded.record_path(path).write(msgspec.json.encode(msgspec.structs.replace(record, expired=gone)))
    path.discard()
    assert share(settings) == Shared(shared=1, taken=1, behind=0)
    assert events(open_table(lake, TYPE)) == events_of_lake(lake, TYPE)


def test_killed_anywhere_a_table_is_right_and_the_next_run_ends_it(
    settings: Settings, states: Path, tmp_path: Path
) -> None:
    """A run that takes two hours again, and one that removes what nobody reads; from the same lake each time."""
    lake, kept = settings.local_lake, tmp_path / "kept"
    before = events(open_table(lake, TYPE))
    become(settings, states / "late")
    after = events_of_lake(lake, TYPE)
    shutil.copytree(lake, kept)
    _twice(settings)
    ends = files(lake, TYPE)
    deaths: Counter[Point] = Counter()
    # A death before a file has its name leaves what one after the file before leaves, and a part: two are enough.
    for point, most in ((Point.ICEBERG_RENAMED, 99), (Point.ICEBERG_SWEPT, 3), (Point.ICEBERG_SYNCED, 2)):
        while deaths[point] < most:
            shutil.rmtree(lake)
            shutil.copytree(kept, lake)
            code = _die(settings, f"{point}:{deaths[point] + 1}", tmp_path / "proof")
            assert_right(lake, TYPE)
            assert events(open_table(lake, TYPE)) in (before, after)
            if code == 0:
                break
            assert code == -signal.SIGKILL
            deaths[point] += 1
            _twice(settings)
            assert_right(lake, TYPE)
            assert events(open_table(lake, TYPE)) == after
            assert files(lake, TYPE) == ends, "nothing is left behind"
    # Two names; two manifests, their list, a version, its hint; the days that are followed.
    assert deaths[Point.ICEBERG_RENAMED] >= 8 and deaths[Point.ICEBERG_SWEPT] == 3, deaths


def _twice(settings: Settings) -> None:
    """The second run removes what no reader can be at any more, two days later."""
    share(settings, days=2)
    share(settings, days=2)


def _die(settings: Settings, at: str, proof: Path) -> int:
    def run() -> None:
        crash.arm({crash.AT: at, crash.PROOF: str(proof)})
        _twice(settings)

    child = _FORK.Process(target=run)
    child.start()
    child.join()
    return int(child.exitcode or 0)


@pytest.mark.parametrize(
    ("damaged", "how"),
    [
        ("metadata/v*.json", "cut"),
        ("metadata/*-m0.avro", "gone"),
        ("metadata/snap-*", "other"),
        ("data/*", "gone"),
    ],
)
def test_a_damaged_table_is_made_again(settings: Settings, states: Path, damaged: str, how: str) -> None:
    lake = settings.local_lake
    path = LocalLake(next(Area.ICEBERG.of(lake).glob(f"{TYPE}/{damaged}")))
    content = path.read_bytes()
    path.unlink()
    if how != "gone":
        path.write_bytes(content[: len(content) // 2] if how == "cut" else b"other" * 100)
    assert share(settings).shared == 2
    assert_right(lake, TYPE)
    assert events(open_table(lake, TYPE)) == events_of_lake(lake, TYPE)


def test_a_lake_that_was_moved_has_its_tables_anew(settings: Settings, states: Path) -> None:
    lake = settings.local_lake
    moved = LocalLake(lake.rename(lake.parent / "elsewhere"))
    assert share(msgspec.structs.replace(settings, lake=str(moved))) == Shared(shared=2, taken=2, behind=0)
    assert_right(moved, TYPE)
    assert events(open_table(moved, TYPE)) == events_of_lake(moved, TYPE)
    assert len(files(moved, TYPE)) == 2 + 5


def test_tables_of_a_bucket_keep_their_files_when_an_hour_is_replaced(
    settings: Settings, states: Path, bucket_store: ObjectStore
) -> None:
    local = settings.local_lake
    before = events(open_table(local, TYPE))
    there = msgspec.structs.replace(settings, lake=bucket_store.uri("iceberg"))
    _upload(local, there)
    assert share(there) == Shared(shared=2, taken=2, behind=0)
    opened = {"s3.endpoint": bucket_store.url, "s3.region": "us-east-1"}
    table = StaticTable.from_metadata("s3://lakes/iceberg/_iceberg/likes", opened)
    assert events(table) == before
    become(settings, states / "late")
    _upload(local, there)
    assert events(table) == before, "who has begun to read goes on"
    assert share(there).taken == 2
    again = StaticTable.from_metadata("s3://lakes/iceberg/_iceberg/likes", opened)
    assert events(again) == events_of_lake(local, TYPE)
    assert share(there, days=2).behind == 0
    assert len(there.lake_path.find(f"{Area.ICEBERG}/{TYPE}/data/*")) == 2


def _upload(local: LocalLake, settings: Settings) -> None:
    for path in (*local.find("year=*/*/*/*/*.parquet"), *local.find(f"{Area.HOURS}/*/*/*.json")):
        (settings.lake_path / path.key_in(local)).write(path.read_bytes())
