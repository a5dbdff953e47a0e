"""Steps on a lake in an object store that die between upload, copy, record and removal, again and again."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

import redis

from firehose.batch.drain import drain
from firehose.lake import layout
from firehose.lake.check import check
from firehose.lake.publish import publish
from firehose.lake.verify import verify
from firehose.schema import LIKES
from firehose.settings import Settings
from firehose.store import ObjectLake
from firehose.store.objects import locks
from ingester.contract import crash, wire
from ingester.contract.crash import Point
from jetstream_simulator import generate
from tests.support import frames
from tests.support.frames import minutes
from tests.support.object_store import ObjectStore, fence_all
from tests.support.staging import stage

_FORK: Final = multiprocessing.get_context("fork")
_START_US: Final = 1_780_002_000_000_000
_LIKES: Final = [
    line
    for line in generate.events(200, seed=11, start_us=_START_US, rate=2.5)
    if b"app.bsky.feed.like" in line and b'"commit"' in line
]
#: In the order in which a run that goes on from the one before comes to them.
_DRAIN: Final = (Point.RAW_SYNCED, Point.RAW_RENAMED, Point.MANIFEST_SYNCED, Point.MANIFEST_RENAMED)
_PUBLISH: Final = (
    *(Point.RECORD_SYNCED, Point.RECORD_RENAMED, Point.HOUR_SYNCED, Point.HOUR_RENAMED, Point.RECORD_SETTLED),
    *(Point.LEDGER_SYNCED, Point.LEDGER_RENAMED, Point.STAGED_REMOVED),
)


def test_steps_that_die_at_every_boundary_lose_and_double_nothing(
    redis_url: str, redis_client: redis.Redis, bucket_store: ObjectStore, tmp_path: Path
) -> None:
    settings = Settings(home=str(tmp_path), lake=bucket_store.uri("crashes"), redis_url=redis_url)
    lake = settings.lake_path
    assert isinstance(lake, ObjectLake)
    batch = minutes(1)[0]
    frames.fill(redis_client, _LIKES, batch)
    for point in _DRAIN:
        _die(lambda: drain(settings, batch), point, tmp_path, lake)
    assert drain(settings, batch).events == len(_LIKES)
    assert not sum(redis_client.xlen(wire.stream_key(queue)) for queue in wire.QUEUES)

    hour = _START_US // 3_600_000_000
    stage(lake, batch, LIKES, [hour])
    for point in _PUBLISH:
        _die(lambda: publish(settings, batch), point, tmp_path, lake)
    assert publish(settings, batch).stored == len(_LIKES)
    report = verify(lake)
    assert report.ok and report.batches == 1, report.problems
    assert not check(lake, days=1).differences
    assert layout.hour_files(lake, LIKES) == [layout.hour_file(lake, LIKES, hour)]
    assert not [path for path in lake.find("_hours/*/*/*.json") if path.name.endswith(".next.json")]


def _die(step: Callable[[], object], point: Point, folder: Path, lake: ObjectLake) -> None:
    proof = folder / "proof"

    def run() -> None:
        crash.arm({crash.AT: point, crash.PROOF: str(proof)})
        step()

    locks.end_sessions()  # so that the child's is its own, and not a part of this process's
    child = _FORK.Process(target=run)
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL and proof.read_text() == f"{point} {child.pid}\n", point
    fence_all(lake)
