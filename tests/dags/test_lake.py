"""A lake file is gone, in a real Airflow: the batch and the daily check each fail with one alert.

Made whole again, the lake is maintained.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from firehose import schema
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.lake import layout, verification
from firehose.lake.ledger import read_ledger
from firehose.lake.publish import publish
from firehose.lake.rebuild import rebuild
from firehose.lake.verify import verify
from firehose.settings import Settings
from firehose.store import LocalLake
from jetstream_simulator import generate
from tests.support.frames import fill
from tests.support.sinks import Webhook
from tests.support.staging import stage
from tests.support.warm import Warm

HOUR = 494_452
LIKES = [
    line
    for line in generate.events(600, seed=9, start_us=HOUR * layout.HOUR_US, rate=5)
    if b'"collection":"app.bsky.feed.like"' in line
]
NAME = f"{layout.hour_name(HOUR)} likes"


@pytest.mark.timeout(600)
def test_a_file_that_is_gone_stops_its_batch_and_fails_the_daily_check(
    warm_airflow: Warm, webhook: Webhook, redis_client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    end = datetime.fromtimestamp(int(datetime.now(UTC).timestamp()) // 300 * 300 - 300, UTC)
    five = timedelta(minutes=5)
    first, second = Batch.of(end - 2 * five, end - five), Batch.of(end - five, end)
    fill(redis_client, LIKES[:100], first)
    fill(redis_client, LIKES[80:], second)
    settings = Settings(home=str(tmp_path), lake=str(tmp_path), redis_url=redis_url)
    drain(settings, first)
    stage(LocalLake(tmp_path), first, schema.LIKES, [HOUR])
    publish(settings, first)

    def run(dag: str, **variables: str) -> bool:
        """`airflow dags test`; whether it succeeded."""
        done = warm_airflow.airflow(
            *("dags", "test", dag, f"{end:%Y-%m-%dT%H:%M:%SZ}"),
            FIREHOSE_LAKE=str(tmp_path),
            FIREHOSE_REDIS_URL=redis_url,
            FIREHOSE_ALERT_WEBHOOK_URL=webhook.url(),
            **variables,
        )
        return done.returncode == 0

    path = layout.hour_file(tmp_path, schema.LIKES, HOUR)
    path.rename(tmp_path / "moved.parquet")

    assert not run("firehose_batch")
    assert not path.exists() and [entry.batch for entry in read_ledger(LocalLake(tmp_path))] == [first.id]
    assert not run("firehose_lake")
    assert [body["title"] for body in webhook.bodies] == [
        "firehose_batch.publish failed",
        "firehose_lake.check failed",
    ]
    for body in webhook.bodies:
        assert f"LakeChanged: {NAME}: its record says 100 rows" in body["reason"]
        assert "the file is missing" in body["reason"] and "firehose rebuild" in body["reason"]
        assert "\n" not in body["reason"]

    rebuild(LocalLake(tmp_path), schema.LIKES, [HOUR], reason="moved away")
    publish(settings, second)
    assert run("firehose_lake")
    assert [(body["state"], body["key"]) for body in webhook.bodies[2:]] == [
        ("cleared", "task_failed/firehose_lake.check")
    ]
    assert run("firehose_monitor", FIREHOSE_BACKUP=str(tmp_path.with_name("kept")))
    assert [body["title"] for body in webhook.bodies[3:]] == ["no recent backup"], "and no other alert"
    assert "There is none" in webhook.bodies[3]["reason"]
    report = verify(LocalLake(tmp_path))
    assert report.ok, report.problems
    assert report.types[schema.LIKES].rows == len(LIKES)

    # The hour is proven; the raw files stay until their time is over.
    assert run("firehose_maintenance")
    proof = verification.read(LocalLake(path))
    assert proof and proof.rows == len(LIKES)
    assert len(webhook.bodies) == 4 and len(list(tmp_path.glob("_raw/*/*/*.zst"))) == 2
