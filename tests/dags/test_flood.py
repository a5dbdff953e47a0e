"""A flood of bad events in a real Airflow: one alert, nothing published, and the documented way out of it."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import redis

from firehose.batch import manifest as manifests
from firehose.batch import raw
from firehose.batch.interval import Batch
from firehose.lake.verify import verify
from firehose.quality.quarantine import SAMPLE_ROWS, quarantine_path, sample_path
from firehose.store import LocalLake
from ingester.contract import wire
from jetstream_simulator import generate
from tests.support.frames import add_frames, queue_of
from tests.support.sinks import Webhook
from tests.support.warm import Warm

GOOD = list(generate.events(2000, seed=9, start_us=1_780_002_000_000_000, rate=50))
LIKE = next(line for line in GOOD if b'"create"' in line and b'"collection":"app.bsky.feed.like"' in line)
BAD = [LIKE.replace(b'"did":"did:', b'"did":"nobody%d:' % number, 1) for number in range(6000)]
CLEAR = ["tasks", "clear", "firehose_batch", "--task-regex", "validate", "--downstream", "--only-failed", "--yes"]
_TASKS = """\
SELECT task_id, task_instance.state, try_number FROM task_instance JOIN dag_run USING (dag_id, run_id)
WHERE dag_id = 'firehose_batch' AND data_interval_start LIKE ?"""


@pytest.fixture
def batch() -> Batch:
    """Five minutes that are over."""
    now = int(datetime.now(UTC).timestamp()) // 300 * 300
    end = datetime.fromtimestamp(now - 300, UTC)
    return Batch.of(end - timedelta(minutes=5), end)


def test_a_flood_raises_an_alert_at_once_and_is_let_through_on_demand(
    warm_airflow: Warm,
    airflow_home: dict[str, str],
    webhook: Webhook,
    redis_client: redis.Redis,
    redis_url: str,
    batch: Batch,
    tmp_path: Path,
) -> None:
    sent = fill(redis_client, batch)

    def airflow(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return warm_airflow.airflow(
            *arguments,
            FIREHOSE_LAKE=str(tmp_path),
            FIREHOSE_REDIS_URL=redis_url,
            FIREHOSE_ALERT_WEBHOOK_URL=webhook.url(),
            **variables,
        )

    run = ("dags", "test", "firehose_batch", f"{batch.end:%Y-%m-%dT%H:%M:%SZ}")
    done = airflow(*run)
    assert done.returncode != 0, done.stdout[-3000:]
    assert tasks(airflow_home, batch) == {
        "drain": ("success", 1),
        "validate": ("failed", 1),
        "publish": ("upstream_failed", 0),
    }
    (body,) = webhook.bodies
    assert (body["state"], body["key"]) == ("firing", "task_failed/firehose_batch.validate")
    assert body["title"] == "firehose_batch.validate failed"
    for word in (
        "PoisonFlood: batch",
        batch.id,
        "likes: at least 6000 of",
        "did: expected",
        "MAX_QUARANTINE_RATE",
    ):
        assert word in body["reason"], word
    assert "\n" not in body["reason"]
    assert body["details"]["interval"] == f"{batch.start:%Y-%m-%dT%H:%M:%SZ} to {batch.end:%Y-%m-%dT%H:%M:%SZ}"
    assert held(redis_client) == 0
    assert raw_events(tmp_path, batch) == sent
    assert published(tmp_path) == []
    assert len(pq.read_table(sample_path(tmp_path, batch), partitioning=None)) == SAMPLE_ROWS

    # docs/operations.md, "A flood of bad events": the command, and the setting.
    span = ("--start-date", batch.start.isoformat(), "--end-date", batch.end.isoformat())
    cleared = airflow(*CLEAR, *span)
    assert cleared.returncode == 0, cleared.stdout[-3000:]
    states = {name: state for name, (state, _) in tasks(airflow_home, batch).items()}
    assert states == {"drain": "success", "validate": None, "publish": None}
    done = airflow(*run, FIREHOSE_MAX_QUARANTINE_RATE="1")
    assert done.returncode == 0, done.stdout[-5000:]
    assert re.search(r"DagRun Finished.*state=success", done.stdout)
    told = [(one["state"], one["key"]) for one in webhook.bodies[1:]]
    assert told == [("firing", "bad_data"), ("cleared", "task_failed/firehose_batch.validate")]
    stored = sum(pq.read_metadata(path).num_rows for path in tmp_path.glob("year=*/**/*.parquet"))
    quarantined = pq.read_table(quarantine_path(tmp_path, batch), partitioning=None)["raw"].to_pylist()
    assert sorted(quarantined) == sorted(BAD)
    assert stored == len(GOOD)
    assert verify(LocalLake(tmp_path)).ok
    assert raw_events(tmp_path, batch) == sent
    assert not sample_path(tmp_path, batch).exists()


def fill(client: redis.Redis, batch: Batch) -> dict[str, list[bytes]]:
    """Frames as the ingester flushes them. Returns the events by queue."""
    queues: dict[str, list[bytes]] = {}
    for line in [*GOOD, *BAD]:
        queues.setdefault(queue_of(line), []).append(line)
    for queue, lines in queues.items():
        add_frames(client, queue, lines, batch)
    return queues


def held(client: redis.Redis) -> int:
    return sum(int(client.xlen(wire.stream_key(queue))) for queue in wire.QUEUES)


def tasks(airflow_home: dict[str, str], batch: Batch) -> dict[str, tuple[str, int]]:
    """State and number of tries of each task of the batch's run, as Airflow has them."""
    database = Path(airflow_home["AIRFLOW_HOME"]) / "airflow.db"
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute(_TASKS, (f"{batch.start:%Y-%m-%d %H:%M:%S}%",)).fetchall()
    return {name: (state, tries) for name, state, tries in rows}


def raw_events(lake: Path, batch: Batch) -> dict[str, list[bytes]]:
    """Every event of the raw copy, by queue, after a check of its manifest."""
    folder = manifests.folder_of(lake, batch)
    manifest = manifests.read(LocalLake(folder))
    assert manifest is not None
    manifests.check(LocalLake(folder), manifest)
    return {
        queue: [line for lines in raw.read_chunks(LocalLake(folder / described.name), 10_000) for line in lines]
        for queue, described in manifest.queues.items()
    }


def published(lake: Path) -> list[Path]:
    """Whatever a query could find, or a later step take up."""
    return [
        *lake.glob("year=*/**/*.parquet"),
        *lake.glob("_ledger/**/*.json"),
        *lake.glob("_staged/**/*.parquet"),
        *lake.glob("_quarantine/**/quarantine.parquet"),
    ]
