"""A task is killed under a real scheduler: it runs the task again; nothing is lost or doubled."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from devstack.embedded import airflow
from devstack.embedded.redis import free_port
from firehose.batch.interval import Batch
from firehose.batch.lock import lock_path
from firehose.batch.manifest import folder_of
from firehose.lake.ledger import entry_path, read_entry
from firehose.lake.verify import verify
from firehose.store import LocalLake
from ingester.contract import wire
from jetstream_simulator.generate import events
from tests.dags.conftest import begin_with
from tests.support.frames import add_frames
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]
EVENTS = 20_000
HOUR = timedelta(hours=1)
_RUN = """\
SELECT content, user_id, extra FROM dag_run
LEFT JOIN dag_run_note ON dag_run_note.dag_run_id = dag_run.id
LEFT JOIN asset_event ON source_dag_id = dag_id AND source_run_id = run_id
WHERE run_id = ? AND dag_run.state = ?"""
_LINKS = """\
SELECT key, value FROM xcom
WHERE key LIKE '_link_%' AND dag_id = 'firehose_batch' AND task_id = ? AND run_id = ?"""
_STATE = """\
SELECT state, try_number FROM task_instance
WHERE dag_id = 'firehose_batch' AND task_id = ? ORDER BY run_id DESC"""


@pytest.fixture
def hour() -> Batch:
    """The last full hour."""
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return Batch.of(end - timedelta(hours=1), end)


@pytest.fixture
def database(tmp_path: Path, redis_url: str, hour: Batch, migrated: Path) -> Iterator[Path]:
    """The database of an Airflow that has just been started, with the hour as its third and last interval."""
    environ = os.environ | {
        "FIREHOSE_HOME": str(tmp_path),
        "FIREHOSE_LAKE": str(tmp_path / "lake"),
        "FIREHOSE_REDIS_URL": redis_url,
        "FIREHOSE_BATCH_MINUTES": "60",
        "FIREHOSE_START_DATE": (hour.start - timedelta(hours=2)).isoformat(),
    }
    home = tmp_path / "airflow"
    begin_with(migrated, home)
    environ = airflow.prepare_airflow_home(home, ROOT / "dags", ROOT / "plugins", environ, port=free_port())
    # A minute in production: how long a supervisor may be silent before its task is given to another one.
    environ["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"] = "10"
    services = []
    for name, command in airflow.commands().items():
        with (tmp_path / f"{name}.log").open("wb") as log:
            services.append(
                subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            )
    yield home / "airflow.db"
    parents = [psutil.Process(service.pid) for service in services]
    for process in [child for parent in parents for child in parent.children(recursive=True)] + parents:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    for service in services:
        service.wait()


@pytest.mark.timeout(1500)
def test_killed_tasks_are_run_again(
    database: Path, redis_client: redis.Redis, hour: Batch, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    before, damaged = (Batch.of(hour.start - ago, hour.end - ago) for ago in (2 * HOUR, HOUR))
    redis_client.hset(wire.METADATA_KEY, wire.META_FIRST_START_MS, damaged.start_ms)
    damage = folder_of(LocalLake(lake), damaged) / "manifest.json"
    damage.write(b"{")
    fill(redis_client, hour)
    # The task alone, which its supervisor notices.
    until(lambda: task_at_work(database, "validate", lake, hour), 400).send_signal(signal.SIGKILL)
    begun, _, _ = run(database, hour, "running")
    assert begun == f"Batch {hour.id}: {hour.start:%Y-%m-%d %H:%M} to {hour.end:%H:%M} UTC"
    # The supervisor alone: only the scheduler can notice, and the task works on without it.
    supervisor = until(lambda: task_at_work(database, "publish", lake, hour), 400).parent()
    assert supervisor is not None
    supervisor.send_signal(signal.SIGKILL)
    until(lambda: state(database, "publish")["state"] == "success", 400)

    assert {name: state(database, name)["try_number"] for name in ("drain", "validate", "publish")} == {
        "drain": 1,
        "validate": 2,
        "publish": 2,
    }
    entry = read_entry(LocalLake(entry_path(lake, hour)))
    assert entry is not None
    accounted = [one.stored + one.quarantined + one.duplicates for one in entry.counts.values()]
    assert sum(accounted) == sum(one.received for one in entry.counts.values()) == EVENTS
    (problem,) = verify(LocalLake(lake)).problems
    assert problem.startswith(f"{damage}: not a manifest")
    note, author, told = run(database, hour, "success")
    assert author == "firehose"
    stored = sum(one.stored for one in entry.counts.values())
    assert note.startswith(f"Batch {hour.id}: {hour.start:%Y-%m-%d %H:%M} to {hour.end:%H:%M} UTC")
    assert f"{EVENTS:,} events received" in note and f"{stored:,} stored in" in note
    assert json.loads(told) | {"batch": hour.id, "stored": stored} == json.loads(told)
    page = "/plugin/firehose/firehose"
    assert {key: json.loads(link) for key, link in rows(database, _LINKS, "publish", f"scheduled__{hour.id}")} == {
        "_link_BatchLink": f"{page}/batches/{hour.id}#ledger",
        "_link_QualityLink": f"{page}/batches/{hour.id}#quality",
        "_link_RunbookLink": f"{page}/runbook#a-task-failed",
    }
    assert "drain: skipped: " in (note := run(database, before, "success")[0])
    assert "before the ingester was first started" in note
    assert f"drain: CorruptBatch: {damage}: not a manifest" in run(database, damaged, "failed")[0]
    assert not [*lake.glob("**/*.part"), *lake.glob("_staged/**/*.parquet")]


def fill(client: redis.Redis, batch: Batch) -> None:
    """Events as the ingester leaves them, witnessed and received within the batch."""
    made = list(events(EVENTS, seed=1, start_us=batch.start_ms * 1000, rate=EVENTS / 3000))
    add_frames(client, wire.OTHER, made, batch)


def task_at_work(database: Path, task_id: str, lake: Path, batch: Batch) -> psutil.Process | None:
    """The process of a running task, once it holds the lock of its batch."""
    if state(database, task_id).get("state") != "running":
        return None
    # Airflow hides its processes' open files from all but root, so the kernel's list of locks has to do.
    inode = str(lock_path(LocalLake(lake), batch.id).stat().st_ino)
    for line in Path("/proc/locks").read_text().splitlines():
        _, kind, _, _, pid, file, *_ = line.split()
        if kind == "FLOCK" and file.rpartition(":")[2] == inode:
            with contextlib.suppress(psutil.NoSuchProcess):
                return psutil.Process(int(pid))
    return None


def state(database: Path, task_id: str) -> dict[str, Any]:
    """What Airflow has of the task in the first run; empty if it has no run yet."""
    found = rows(database, _STATE, task_id)
    return dict(zip(("state", "try_number"), found[0], strict=True)) if found else {}


def run(database: Path, batch: Batch, state: str) -> Any:
    """The note of a batch's run, who wrote it, what the event of the asset says, once the run has that state."""
    return until(lambda: rows(database, _RUN, f"scheduled__{batch.id}", state), 60)[0]


def rows(database: Path, query: str, *values: str) -> list[Any]:
    """The answer of Airflow's database."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
        return connection.execute(query, values).fetchall()
