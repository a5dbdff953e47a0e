"""Every alert of the closed list: the test in which it fires from a real cause, and the one in which it clears.

The proof is by the code of these tests, so that it costs nothing. A new alert needs a line here, and tests that
receive "firing NAME" and "cleared NAME".
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from firehose.alerts.catalogue import ALERTS
from firehose.monitor.conditions import CONDITIONS
from tests.integration.monitoring.test_rules import CASES

ROOT = Path(__file__).parents[3] / "tests"
_LOOKS = "integration/monitor/test_conditions.py::"
_CAUSES = "integration/monitor/test_one_cause.py::"
_OBJECTIVES = "integration/monitor/test_objectives.py::"
_FLOOD = "dags/test_flood.py::test_a_flood_raises_an_alert_at_once_and_is_let_through_on_demand"


class Proof(NamedTuple):
    """The tests in which an alert fires and clears, as pytest names them below tests/.

    ``rule``: the rule of Prometheus about the same, for when Airflow is down; empty: there is none.
    """

    fires: str
    clears: str
    rule: str = ""


def _both(test: str, rule: str = "") -> Proof:
    return Proof(test, test, rule)


PROOFS = {
    "redis_away": _both(f"{_LOOKS}test_redis_away", "FirehoseRedisDown"),
    "redis_cannot_write": _both(f"{_LOOKS}test_redis_cannot_write", "FirehoseRedisCannotWrite"),
    "buffer_fills_up": _both(f"{_LOOKS}test_buffer_fills_up", "FirehoseBufferFillsUp"),
    "ingester_down": _both(f"{_LOOKS}test_ingester_down", "FirehoseIngesterSilent"),
    "no_data": _both(f"{_LOOKS}test_no_data", "FirehoseNoData"),
    "lag": _both(f"{_LOOKS}test_lag", "FirehoseIngesterLags"),
    "gap": _both(f"{_LOOKS}test_gap", "FirehoseGapOpen"),
    "retention_near": _both(f"{_LOOKS}test_retention_near"),
    "archive_quota": _both(f"{_LOOKS}test_archive_quota"),
    "foreign_data": _both(f"{_LOOKS}test_foreign_data", "FirehoseForeignData"),
    "task_failed": _both(_FLOOD, "FirehoseBatchesUnpublished"),
    "batch_late": _both(f"{_LOOKS}test_batch_late", "FirehoseNoBatch"),
    "batch_slow": _both(f"{_LOOKS}test_batch_slow", "FirehoseBatchSlow"),
    "batches_missing": _both(f"{_LOOKS}test_batches_missing", "FirehoseBatchesMissing"),
    "bad_data": Proof(_FLOOD, f"{_LOOKS}test_bad_data", "FirehoseBadData"),
    "legacy_differs": _both(f"{_LOOKS}test_legacy_differs"),
    "clickhouse_away": _both(f"{_LOOKS}test_clickhouse_away", "FirehoseClickHouseDown"),
    "summaries_behind": _both(f"{_LOOKS}test_summaries_behind", "FirehoseSummariesBehind"),
    "disk_fills_up": _both(f"{_LOOKS}test_disk_fills_up", "FirehoseDiskFillsUp"),
    "unverified": _both(f"{_LOOKS}test_unverified", "FirehoseRawUnverified"),
    "kept_although_over": _both(f"{_LOOKS}test_kept_although_over"),
    "backup_old": _both(f"{_LOOKS}test_backup_old", "FirehoseBackupOld"),
    "certificate_ends": _both(f"{_LOOKS}test_certificate_ends"),
    "dag_paused": _both(f"{_LOOKS}test_dag_paused"),
    "scheduler_down": _both(f"{_LOOKS}test_scheduler_down", "FirehoseSchedulerDown"),
    "airflow_away": _both(
        f"{_CAUSES}test_without_airflow_the_one_outside_watches_and_tells_nothing_twice", "FirehoseAirflowDown"
    ),
    "monitor_silent": _both(f"{_CAUSES}test_a_monitor_that_is_paused_is_told_from_outside"),
    "not_observable": _both(f"{_LOOKS}test_not_observable"),
    "freshness_burns": _both(f"{_OBJECTIVES}test_freshness_burns", "FirehoseObjectiveBurnsFast"),
    "coverage_burns": _both(f"{_OBJECTIVES}test_coverage_burns", "FirehoseObjectiveBurns"),
    "queries_burn": _both(f"{_OBJECTIVES}test_queries_burn", "FirehoseObjectiveBurnsFast"),
    "burns_slowly": _both(f"{_OBJECTIVES}test_burns_slowly_for_coverage", "FirehoseObjectiveBurnsSlowly"),
}


@cache
def code_of(file: str) -> dict[str, str]:
    """The tests of a file with their code."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name: ast.unparse(node) for node in tree.body if isinstance(node, ast.FunctionDef)}


def shows(test: str, state: str, alert: str) -> bool:
    """Tell whether a test says that it saw this message, in one text, or as the pair of state and key."""
    file, _, name = test.partition("::")
    code = code_of(file)[name]
    return (
        f"{state} {alert}" in code
        or f"('{state}', '{alert}" in code
        or (f"{state} {{key}}" in code and alert in code)
    )


def test_the_table_is_the_list() -> None:
    assert set(PROOFS) == {alert.name for alert in ALERTS}
    assert len({condition.alert for condition in CONDITIONS}) == len(CONDITIONS)
    assert {proof.rule for proof in PROOFS.values()} - {""} <= set(CASES)


@pytest.mark.parametrize("name", PROOFS)
def test_it_fires_in_one_test_and_clears_in_one(name: str) -> None:
    assert shows(PROOFS[name].fires, "firing", name)
    assert shows(PROOFS[name].clears, "cleared", name)


def test_a_test_that_shows_nothing_is_told() -> None:
    """Otherwise the test above would show nothing."""
    assert not shows(PROOFS["lag"].fires, "firing", "no_data")
    assert not shows(PROOFS["bad_data"].fires, "cleared", "bad_data")
