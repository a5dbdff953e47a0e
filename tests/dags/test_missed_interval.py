"""The drain's task over an interval without events: which is skipped, which fails."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from firehose.batch.coverage import read_gaps
from firehose.batch.interval import Batch
from firehose.store import LocalLake
from ingester.contract import wire
from ingester.contract.gap import Reason
from tests.support.sinks import Webhook
from tests.support.warm import Warm

# The task's own function.
_SCRIPT = """
import json, sys
from datetime import datetime
from types import SimpleNamespace
sys.path[:0] = ["dags", "plugins"]
import firehose_batch, firehose_wiring
drain = firehose_batch.firehose_batch().get_task("drain").python_callable
outcomes = []
for start, end in json.loads(sys.argv[1]):
    start, end = datetime.fromisoformat(start), datetime.fromisoformat(end)
    run = SimpleNamespace(run_id="r", run_type="scheduled", data_interval_start=start, data_interval_end=end)
    firehose_wiring.get_current_context = lambda: {"dag_run": run}
    try:
        outcomes.append(["returned", drain()])
    except Exception as error:
        outcomes.append([type(error).__name__, str(error)])
print(json.dumps(outcomes))
"""


@pytest.fixture
def batches() -> list[Batch]:
    """Four times five minutes that are over, in order."""
    end = datetime.fromtimestamp(int(time.time()) // 300 * 300, UTC)
    starts = [end - timedelta(minutes=5 * number) for number in (4, 3, 2, 1)]
    return [Batch.of(start, start + timedelta(minutes=5)) for start in starts]


def test_what_becomes_of_an_interval_without_events(
    warm_airflow: Warm,
    webhook: Webhook,
    redis_client: redis.Redis,
    redis_url: str,
    batches: list[Batch],
    tmp_path: Path,
) -> None:
    early, missed, heard, _not_yet = batches
    redis_client.hset(wire.METADATA_KEY, wire.META_FIRST_START_MS, early.end_ms)
    redis_client.zadd(wire.HEARTBEATS_KEY, {"x": heard.start_ms})
    done = warm_airflow.python(
        *("-c", _SCRIPT, json.dumps([[one.start.isoformat(), one.end.isoformat()] for one in batches])),
        FIREHOSE_LAKE=str(tmp_path),
        FIREHOSE_REDIS_URL=redis_url,
        FIREHOSE_ALERT_WEBHOOK_URL=webhook.url(),
    )
    assert done.returncode == 0, done.stdout
    outcomes: list[Any] = json.loads(done.stdout.splitlines()[-1])
    (first, why), (second, because), (third, result), (fourth, problem) = outcomes
    assert first == second == "AirflowSkipException", "nothing to process: the run is skipped"
    assert "before the ingester was first started" in why
    assert "the gap is in" in because
    assert (third, result["events"], result["open_gaps"]) == ("returned", 0, 0)
    assert fourth == "NotListening", "it may still run for all that is known: the task fails"
    assert "see whether the ingester runs" in problem
    (gap,) = read_gaps(LocalLake(tmp_path))
    assert (gap.reason, gap.from_us) == (Reason.NOT_LISTENING, missed.start_ms * 1000)
    assert webhook.bodies == [], "the monitor tells of the ingester, and of a gap that stays"
