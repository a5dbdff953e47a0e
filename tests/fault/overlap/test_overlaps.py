"""Two steps that would change the same files overlap, because one of them stands still: each waits for the other.

Every test forces the overlap and looks at the result: with any of these locks left out, rows or frames are lost or
there twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import redis

from firehose import schema
from firehose.batch import manifest as manifests
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.batch.raw import read_chunks
from firehose.lake import layout
from firehose.settings import Settings
from firehose.store import LocalLake
from ingester.contract import wire
from ingester.contract.crash import Point
from tests.fault.overlap.running import Running
from tests.support.copies import (
    BATCHES,
    EDGE,
    HOUR,
    Copy,
    after,
    assert_sound,
    before,
    run,
    stage,
    stored,
    wanted,
)
from tests.support.frames import frame

ONE, TWO, THREE = BATCHES[:3]
MIDDLE = EDGE + layout.HOUR_US // 2


@contextmanager
def standing_still(step: Callable[[], object], folder: Path, at: str) -> Iterator[None]:
    """In the block a step stands still; afterwards it goes on to a good end."""
    held = Running(step, folder, stops_at=at)
    try:
        yield
    finally:
        held.go_on()
        assert held.end() == 0


def hour_lock(hour: int) -> str:
    """The lock of an hour's likes."""
    return f"{schema.LIKES}-{layout.hour_name(hour)}.lock"


def in_the_middle(*events: int) -> list[Copy]:
    """Events far from any edge."""
    return [Copy(event, MIDDLE + event) for event in events]


def overlap(lake: Path, given: dict[Batch, list[Copy]], slow: Batch, at: str, quick: Batch) -> str:
    """Publish ``quick`` while ``slow`` stands still. Returns the lock that it had to wait for."""
    for batch, copies in given.items():
        stage(lake, batch, copies)
    for batch in given.keys() - {slow, quick}:
        run(lake, batch)
    with standing_still(partial(run, lake, slow), lake, at):
        other = Running(partial(run, lake, quick), lake)
        waited = other.waits_for()
    assert other.end() == 0
    return waited


def test_writers_of_one_hour_wait_for_each_other(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    given = {ONE: in_the_middle(1, 2), TWO: in_the_middle(2, 3)}
    waited = overlap(lake, given, ONE, Point.HOUR_SYNCED, TWO)
    assert stored(lake) == wanted(given)
    assert_sound(lake)
    assert waited == hour_lock(HOUR)


def test_a_writer_waits_for_one_that_changes_its_hour_as_a_neighbour(tmp_path: Path) -> None:
    # The first batch takes the second one's copy of event 1 out of the later hour, and stands still before it has
    # replaced that hour's file; the third one has other rows for it.
    lake = tmp_path / "lake"
    given = {ONE: [before(1)], TWO: [after(1), after(2)], THREE: in_the_middle(3)}
    waited = overlap(lake, given, ONE, f"{Point.HOUR_SYNCED}:2", THREE)
    assert stored(lake) == wanted(given)
    assert_sound(lake)
    assert waited == hour_lock(HOUR)


def test_writers_of_both_sides_of_an_edge_wait_for_each_other(tmp_path: Path) -> None:
    # Neither would see the other's copy of event 1.
    lake = tmp_path / "lake"
    given = {ONE: [after(1)], TWO: [before(1)]}
    waited = overlap(lake, given, TWO, Point.HOUR_SYNCED, ONE)
    assert stored(lake) == wanted(given)
    assert_sound(lake)
    assert waited == hour_lock(HOUR - 1)


def test_two_publications_of_one_batch_wait_for_each_other(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    given = {ONE: in_the_middle(1, 2)}
    stage(lake, ONE, given[ONE])
    with standing_still(partial(run, lake, ONE), lake, Point.LEDGER_SYNCED):
        other = Running(partial(run, lake, ONE), lake)
        waited = other.waits_for()
        other.kill()  # it would validate again, and nothing was drained here
    assert waited == f"batch-{ONE.id}.lock"
    assert stored(lake) == wanted(given)
    assert_sound(lake)


# Drains.


def frames(client: redis.Redis, batch: Batch, numbers: range) -> None:
    """Write frames of one event each, whose ids lie in a batch's interval."""
    for number in numbers:
        client.xadd(
            wire.stream_key(wire.LIKES), frame([b'{"n":%d}' % number]), id=f"{batch.start_ms}-{number + 1}"
        )


def copied(lake: Path) -> Counter[bytes]:
    """Every event in a raw file that a manifest describes, and how often."""
    found = Counter[bytes]()
    for path in lake.glob(f"_raw/date=*/batch=*/{manifests.NAME}"):
        manifest = manifests.read(LocalLake(path.parent))
        assert manifest is not None
        manifests.check(LocalLake(path.parent), manifest)
        for queue in manifest.queues.values():
            found.update(line for lines in read_chunks(LocalLake(path.parent / queue.name), 99) for line in lines)
    return found


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    return Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=redis_url)


def test_two_drains_of_one_batch_wait_for_each_other(
    settings: Settings, redis_client: redis.Redis, tmp_path: Path
) -> None:
    frames(redis_client, ONE, range(5))
    drained = partial(drain, settings, ONE)
    with standing_still(drained, tmp_path, Point.RAW_SYNCED):
        other = Running(drained, tmp_path)
        waited = other.waits_for()
    assert other.end() == 0
    assert copied(settings.local_lake) == Counter(b'{"n":%d}' % number for number in range(5))
    assert not redis_client.xlen(wire.stream_key(wire.LIKES))
    assert waited == f"batch-{ONE.id}.lock"


def test_late_frames_that_a_drain_is_copying_are_taken_by_no_other(
    settings: Settings, redis_client: redis.Redis, tmp_path: Path
) -> None:
    redis_client.zadd(wire.HEARTBEATS_KEY, {batch.id: batch.start_ms for batch in BATCHES})
    drain(settings, ONE)
    frames(redis_client, ONE, range(5))  # the clock went back
    with standing_still(partial(drain, settings, TWO), tmp_path, f"{Point.RAW_SYNCED}:2"):
        drain(settings, THREE)
    assert copied(settings.local_lake) == Counter(b'{"n":%d}' % number for number in range(5))
    assert not redis_client.xlen(wire.stream_key(wire.LIKES))
