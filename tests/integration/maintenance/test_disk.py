"""The disk budget on a real small disk: a warning first; then drains take nothing, and Redis keeps all."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from firehose import folders, schema
from firehose.batch import budget
from firehose.batch.drain import drain
from firehose.errors import DiskLow
from firehose.monitor.conditions import judge
from firehose.observe import PARTS, Observer
from firehose.settings import Settings
from tests.support.frames import fill, minutes
from tests.support.maintained import HOUR, LIKES, maintenance
from tests.support.object_store import ObjectStore
from tests.support.staging import stage

MIB = 1024 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "firehose-budget", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a file system")
    yield folder
    folders.forget()  # those of the disk are held open
    subprocess.run(["umount", str(folder)], check=True)


def disk_alerts(settings: Settings) -> list[str]:
    """What the monitor would say of the lake's disk."""
    seen = Observer(settings, without=frozenset(PARTS) - {"disks"}).look()
    return [found.text for found in judge(settings, seen, ["disks"])[0] if found.key == "disk_fills_up/lake"]


def test_a_disk_that_fills_up_is_told_of_and_then_nothing_leaves_redis(
    small_disk: Path, tmp_path: Path, redis_client: redis.Redis, redis_url: str
) -> None:
    settings = Settings(home=str(tmp_path), lake=str(small_disk / "lake"), redis_url=redis_url, disk_reserve_mib=2)
    lake, (one, two) = settings.local_lake, minutes(2)
    fill(redis_client, LIKES[:50], one)
    fill(redis_client, LIKES[50:90], two)
    drain(settings, one)
    assert disk_alerts(settings) == []

    (small_disk / "other").write_bytes(b"\0" * (7 * MIB + MIB // 2))
    (said,) = disk_alerts(settings)
    assert "of the disk is used" in said and "drains stop below 2 MiB free" in said
    before = redis_client.dump("firehose:likes:queue"), sorted(lake.glob("_*/**/*"))
    with pytest.raises(
        DiskLow, match=r"FIREHOSE_DISK_RESERVE_MIB=2 is to stay free: nothing was taken .*`firehose maintenance`"
    ):
        drain(settings, two)
    assert (redis_client.dump("firehose:likes:queue"), sorted(lake.glob("_*/**/*"))) == before
    assert drain(settings, one).events == 50, "what is drained already needs no room"
    stage(lake, one, schema.LIKES, [HOUR - 1, HOUR])
    assert maintenance(settings).plan().disk == f"{lake}: {budget.said(settings, lake.disk())}"

    (small_disk / "other").unlink()
    assert drain(settings, two).events == 40
    assert not redis_client.xlen("firehose:likes:queue")


def test_an_object_store_has_no_disk_that_fills_up(bucket_store: ObjectStore, tmp_path: Path) -> None:
    lake = bucket_store.lake(tmp_path / "lake")
    settings = Settings(disk_reserve_mib=2**24, disk_warn_percent=1)
    budget.require_room(settings, lake)
    with pytest.raises(DiskLow):
        budget.require_room(settings, settings.local_lake)


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 bytes"), (999, "999 bytes"), (2_500_000, "2.5 MB"), (3_140_000_000, "3.1 GB")]
)
def test_sizes_are_said_as_people_read_them(count: int, said: str) -> None:
    assert budget.size(count) == said
