"""A drain dies before its manifest, then Redis is lost: the events come again, and verify names what is left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import redis
from filelock import FileLock

from devstack.embedded.ingester import ingester_process
from firehose.areas import Area
from firehose.batch.coverage import read_gaps
from firehose.batch.interval import Batch
from firehose.batch.lock import lock_path
from firehose.lake.verify import verify
from firehose.settings import Settings
from firehose.store import LocalLake
from ingester.contract import crash, wire
from ingester.contract.gap import Reason
from jetstream_simulator import process as simulator
from tests.support.pipeline import expected_rows, next_second, now_s, rows, taken, to_the_lake
from tests.support.waiting import until

EVENTS = 4000
DRAIN = """
import msgspec, sys
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.settings import Settings
from ingester.contract import crash
import os
crash.arm(os.environ)
drain(msgspec.json.decode(sys.argv[1], type=Settings), msgspec.json.decode(sys.argv[2], type=Batch))
"""


def test_the_events_come_again_and_verify_names_the_files(
    tmp_path: Path, redis_url: str, redis_client: redis.Redis
) -> None:
    sent, lake = tmp_path / "sent.jsonl", tmp_path / "lake"
    start_s = now_s(redis_client)
    options = [f"--events={EVENTS}", "--rate=1000", "--seed=5", f"--record={sent}"]
    with simulator.start(options) as source:
        settings = Settings(
            home=str(tmp_path), lake=str(lake), redis_url=redis_url, jetstream_url=source.url, start_cursor=1
        )
        with ingester_process(settings):
            until(lambda: taken(redis_client) >= 1000)
        to_the_lake(settings, redis_client, start_s)
        died = next_second(redis_client)
        with ingester_process(settings):
            until(lambda: taken(redis_client) >= 2500)
        batch = Batch.of(_utc(died), _utc(now_s(redis_client) + 1))
        _die_before_the_manifest(settings, batch)
        redis_client.flushall()
        after = next_second(redis_client)
        with ingester_process(settings):
            until(lambda: source.health()["done"] and _cursor(redis_client) >= _last_us(sent), pause_s=0.05)
        to_the_lake(settings, redis_client, after)

    assert rows(lake) == expected_rows(sent.read_bytes().splitlines())
    assert Reason.REDIS_LOST in {gap.reason for gap in read_gaps(LocalLake(lake))}
    report = verify(LocalLake(lake))
    [problem] = report.problems
    assert problem.startswith(f"_raw/date={batch.start:%Y-%m-%d}/batch={batch.id}: ")
    assert "files and no manifest, so its drain died" in problem and "\n" not in problem
    with FileLock(lock_path(LocalLake(lake), batch.id)):
        assert verify(LocalLake(lake)).ok, "a batch may be drained meanwhile"
    shutil.rmtree(batch.folder(lake, Area.RAW))
    assert verify(LocalLake(lake)).ok


def test_what_a_manifest_does_not_name_shows(tmp_path: Path) -> None:
    batch = Batch.of(_utc(0), _utc(300))
    folder = batch.folder(tmp_path, Area.RAW)
    folder.mkdir(parents=True)
    assert verify(LocalLake(tmp_path)).ok
    (folder / "_posts.jsonl.zst.part").touch()
    (tmp_path / "_coverage" / "date=2026-01-01").mkdir(parents=True)
    (tmp_path / "_coverage" / "date=2026-01-01" / "batch=x.json").write_bytes(b"\xff")
    first, second = verify(LocalLake(tmp_path)).problems
    assert "1 files and no manifest" in first
    assert "no list of gaps" in second


def _die_before_the_manifest(settings: Settings, batch: Batch) -> None:
    proof = settings.home_path / "proof"
    environ = os.environ | {crash.AT: crash.Point.MANIFEST_SYNCED, crash.PROOF: str(proof)}
    given = [msgspec.json.encode(value).decode() for value in (settings, batch)]
    done = subprocess.run([sys.executable, "-c", DRAIN, *given], env=environ, check=False)
    assert (done.returncode, proof.is_file()) == (-signal.SIGKILL, True)


def _cursor(client: redis.Redis) -> int:
    return int(client.hget(wire.METADATA_KEY, wire.META_CURSOR) or 0)


def _last_us(sent: Path) -> int:
    return int(msgspec.json.decode(sent.read_bytes().splitlines()[-1])["time_us"])


def _utc(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
