"""Retries, and which runs are refused: the wiring's own functions, in a process that has Airflow."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.warm import Warm

_SCRIPT = """
import inspect, json, sys
from datetime import datetime, timedelta
from types import SimpleNamespace
sys.path.insert(0, "plugins")
import firehose_failures as failures
import firehose_wiring as wiring
from airflow.sdk.exceptions import AirflowFailException
from firehose import errors
from firehose.settings import SettingsError

def decide(error, try_number, max_tries):
    decision = failures.PipelineRetries().evaluate(error, try_number, max_tries)
    return [decision.action.value, decision.retry_delay and decision.retry_delay.total_seconds()]

def batch(run_type, start, end):
    moments = [moment and datetime.fromisoformat("2026-11-23T" + moment) for moment in (start, end)]
    run = SimpleNamespace(
        run_id="r", run_type=run_type, data_interval_start=moments[0], data_interval_end=moments[1]
    )
    wiring.get_current_context = lambda: {"dag_run": run}
    try:
        return wiring.current_batch().id
    except AirflowFailException as error:
        return str(error)

classes = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, errors.FirehoseError)]
json.dump({
    "classes": {one.__name__: decide(one.__new__(one), 1, 5)[0] for one in classes},
    "away": decide(errors.ServiceUnavailable(""), 1, 5),
    "unforeseen": decide(MemoryError(), 1, 5),
    "corrupt": decide(errors.CorruptBatch(""), 1, 5),
    "settings": decide(SettingsError(""), 1, 5),
    "silent": [decide(errors.NotListening(""), number, 5) for number in range(1, 7)],
    "silent after clearing": decide(errors.NotListening(""), 3, 7),
    "scheduled": batch("scheduled", "20:40:00Z", "20:45:00Z"),
    "scheduled when batches were shorter": batch("scheduled", "20:41:00Z", "20:42:00Z"),
    "manual": batch("manual", "20:40:00Z", "20:45:00Z"),
    "manual, too long": batch("manual", "20:40:00Z", "20:50:00Z"),
    "manual, beside the grid": batch("manual", "20:41:00Z", "20:46:00Z"),
    "manual, no interval": batch("manual", None, None),
}, sys.stdout)
"""


@pytest.fixture(scope="module")
def outcome(warm_airflow: Warm) -> dict[str, Any]:
    done = warm_airflow.python("-c", _SCRIPT)
    assert done.returncode == 0, done.stdout
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


#: Every error of the project, and what Airflow does when a task raises it for the first time.
DECISIONS = {
    "FirehoseError": "default",
    "ServiceUnavailable": "default",
    "StoreAway": "default",
    "StoreRefused": "default",  # credentials are renewed by others, and rights take a while to hold everywhere
    "LockLost": "default",
    "LockTaken": "default",
    "Throttled": "default",
    "NotListening": "retry",
    "BeforeFirstStart": "default",  # the task makes a skipped run of it
    "MissedInterval": "default",  # the same
    "CorruptBatch": "fail",
    "NotStaged": "fail",
    "RawExpired": "fail",
    "DiskLow": "default",
    "CorruptLake": "fail",
    "LakeChanged": "fail",
    "LakeOutdated": "fail",
    "RestoreUnfinished": "fail",
    "NoBackup": "default",
    "CorruptBackup": "fail",
    "UnknownShape": "fail",  # of an old system's file
    "CorruptArchive": "default",  # no task reads an archive
    "BudgetSpent": "default",  # the same
    "BufferFull": "default",
    "PoisonFlood": "fail",
    "DiskFailed": "default",
    "NoSecondNames": "default",
    "WorkerLost": "default",
    "PagesNotWritten": "default",
}


def test_it_is_decided_for_every_error_whether_a_retry_helps(outcome: dict[str, Any]) -> None:
    assert outcome["classes"] == DECISIONS


def test_what_time_may_heal_is_retried_with_the_usual_backoff(outcome: dict[str, Any]) -> None:
    assert outcome["away"] == outcome["unforeseen"] == ["default", None]


def test_what_fails_again_fails_at_once(outcome: dict[str, Any]) -> None:
    assert outcome["corrupt"] == outcome["settings"] == ["fail", None]


def test_an_interval_that_nobody_listened_to_waits_for_a_quarter_of_an_hour(outcome: dict[str, Any]) -> None:
    *waits, last = outcome["silent"]
    assert waits == [["retry", seconds] for seconds in (20, 60, 120, 240, 480)]
    assert sum(seconds for _, seconds in waits) > 900 and last == ["fail", None]
    assert outcome["silent after clearing"] == ["retry", 20]


def test_a_run_of_the_schedule_is_its_interval(outcome: dict[str, Any]) -> None:
    assert outcome["scheduled"] == outcome["manual"] == "20261123T204000Z"
    assert outcome["scheduled when batches were shorter"] == "20261123T204100Z"


@pytest.mark.parametrize("case", ["too long", "beside the grid"])
def test_a_manual_run_over_something_else_is_refused(outcome: dict[str, Any], case: str) -> None:
    assert "which is not a batch of 0:05:00: trigger it with the logical date" in outcome[f"manual, {case}"]


def test_a_manual_run_without_an_interval_is_refused(outcome: dict[str, Any]) -> None:
    assert "has no data interval: trigger it with a logical date" in outcome["manual, no interval"]
