"""After an outage the newest interval's tasks get the free slots, and none of the missed ones is left out."""

from __future__ import annotations

import json
from typing import Any

from tests.support.warm import Warm

# What the scheduler has: the DAG as it is stored in the database, and a task instance that is just being made.
_WEIGHTS = """
import json
from datetime import UTC, datetime, timedelta
from airflow.dag_processing.dagbag import DagBag
from airflow.models import DagRun, TaskInstance
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.types import DagRunType

dag = DagBag(dag_folder="dags").dags["firehose_batch"]
stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
first = datetime(2026, 11, 23, 20, tzinfo=UTC)
moments = [first + timedelta(minutes=5 * number) for number in range(100)]
runs = [
    DagRun.generate_run_id(run_type=kind, logical_date=moment, run_after=moment)
    for kind in (DagRunType.SCHEDULED, DagRunType.MANUAL)
    for moment in moments
]
print(json.dumps({
    name: [task.weight_rule.get_weight(TaskInstance(task=task, run_id=run, dag_version_id=None)) for run in runs]
    for name, task in stored.task_dict.items()
}))
"""


def test_the_newest_interval_goes_first(warm_airflow: Warm) -> None:
    done = warm_airflow.python("-c", _WEIGHTS)
    assert done.returncode == 0, done.stdout[-2000:]
    weights: dict[str, list[int]] = json.loads(done.stdout.splitlines()[-1])
    assert set(weights) == {"drain", "validate", "publish"}
    for name, of_runs in weights.items():
        scheduled, manual = of_runs[:100], of_runs[100:]
        assert scheduled == sorted(set(scheduled)), f"{name}: a later interval has a greater weight"
        assert scheduled == manual, "a cleared or triggered run is no different"
        assert max(of_runs) < 2**31, "the database's column is no wider"


def test_all_missed_intervals_are_there_to_choose_from(described: dict[str, Any]) -> None:
    # Runs are made oldest first: with fewer at a time, the newest one would wait for the others to end.
    assert described["dags"]["firehose_batch"]["max_active_runs"] * 5 >= 24 * 60
