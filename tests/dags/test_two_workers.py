"""The DAGs' tasks on two workers that share a bucket and Redis only, under Airflow's own task runner.

Each worker has a home of its own, which is emptied after every task: as another machine, or a new pod each time.
"""

from __future__ import annotations

import shutil
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from firehose import schema
from firehose.batch.interval import Batch
from firehose.events.rows import decode_rows, to_table
from firehose.lake import layout
from firehose.lake.ledger import LedgerCounts, read_ledger
from firehose.lake.rowgroups import read_groups
from firehose.lake.verify import verify
from firehose.settings import Settings
from firehose.store import LakePath, ObjectLake
from firehose.store.objects import fencing
from firehose.store.objects.client import Bucket
from ingester.contract import crash, wire
from ingester.contract.crash import Point
from jetstream_simulator import generate
from tests.support.frames import fill
from tests.support.object_store import ENVIRONMENT, ObjectStore
from tests.support.warm import Warm

EVENTS = [
    # Of one type: each has files of its own, and each file takes a dozen requests.
    *(
        line
        for line in generate.events(400, seed=7, start_us=1_780_002_000_000_000, rate=2.5)
        if b'"collection":"app.bsky.feed.like"' in line
    ),
    b'{"did":"no account","time_us":1780002000000000,"kind":"commit"}',
]
FIVE = timedelta(minutes=5)


class Worker:
    """A worker whose home is a folder that no other one has."""

    def __init__(self, warm: Warm, home: Path, lake: str, **variables: str) -> None:
        self.home = home
        self._warm, self._variables = warm, variables | {"FIREHOSE_HOME": str(home), "FIREHOSE_LAKE": lake}

    def run(self, task: str, logical_date: datetime, *, dies_at: Point | None = None) -> None:
        """One task; it must succeed, or die at that point."""
        dag, _, name = task.partition(".")
        proof = self.home.with_name("proof")
        dying = {crash.AT: str(dies_at), crash.PROOF: str(proof)} if dies_at else {}
        done = self._warm.airflow(
            "tasks", "test", dag, name, f"{logical_date:%Y-%m-%dT%H:%M:%SZ}", **self._variables, **dying
        )
        left = {path.name for path in self.home.glob("*")}
        assert left <= {"spool"}, f"{task} leaves {left} in its home"
        shutil.rmtree(self.home, ignore_errors=True)
        if dies_at:
            assert done.returncode == -signal.SIGKILL, done.stdout[-3000:]
            assert proof.read_text().startswith(f"{dies_at} ")
        else:
            assert done.returncode == 0 and "new_state=success" in done.stdout, done.stdout[-5000:]


@pytest.mark.timeout(600)
def test_tasks_on_two_workers_share_nothing_but_the_bucket_and_redis(
    warm_airflow: Warm,
    redis_client: redis.Redis,
    redis_url: str,
    bucket_store: ObjectStore,
    tmp_path: Path,
) -> None:
    end = datetime.fromtimestamp(int(datetime.now(UTC).timestamp()) // 300 * 300 - 300, UTC)
    batch = Batch.of(end - FIVE, end)
    shared = ENVIRONMENT | {"FIREHOSE_REDIS_URL": redis_url}
    place = bucket_store.uri("two-workers")
    one = Worker(warm_airflow, tmp_path / "one", place, **shared)
    two = Worker(warm_airflow, tmp_path / "two", place, **shared)

    lake = Settings(home=str(tmp_path), lake=place).lake_path
    fill(redis_client, EVENTS, batch)
    one.run("firehose_batch.drain", end, dies_at=Point.MANIFEST_RENAMED)
    assert redis_client.xlen(wire.stream_key(wire.LIKES)), "it died before it deleted"
    two.run("firehose_batch.drain", end)
    assert not redis_client.xlen(wire.stream_key(wire.LIKES))
    one.run("firehose_batch.validate", end)
    two.run("firehose_batch.publish", end, dies_at=Point.HOUR_RENAMED)
    one.run("firehose_batch.publish", end)
    stored = everything(lake)
    rows, _, failed = decode_rows(schema.LIKES, EVENTS)
    expected = to_table(schema.LIKES, rows, batch.start).to_pylist()
    assert len(failed) == 1, "one event is quarantined"
    assert stored[0] == {kind: [] for kind in schema.TYPES} | {schema.LIKES: sorted(map(str, expected))}
    assert stored[1][batch.id][schema.LIKES].stored == len(expected)

    # Cleared, and run again the other way round.
    two.run("firehose_batch.validate", end)
    one.run("firehose_batch.publish", end)
    assert everything(lake) == stored and verify(lake).ok
    assert isinstance(lake, ObjectLake)
    assert not Bucket(lake.place).page(f"{fencing.FOLDER}/").keys, "no process has left anything"


def everything(lake: LakePath) -> tuple[dict[str, list[str]], dict[str, dict[str, LedgerCounts]]]:
    """Every row by type, sorted, and the ledger's counts."""
    rows = {}
    for record_type in schema.TYPES:
        found: list[dict[str, Any]] = []
        for path in layout.hour_files(lake, record_type):
            for group in read_groups(path, record_type):
                found += group.to_pylist()
        rows[record_type] = sorted(map(str, found))
    return rows, {entry.batch: entry.counts for entry in read_ledger(lake)}
