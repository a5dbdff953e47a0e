"""Rules that every DAG keeps, also those that are still to be written."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.warm import Warm

ROOT = Path(__file__).resolve().parents[2]
DAG_FILES = sorted((ROOT / "dags").glob("*.py"))
POOLS = json.loads((ROOT / "include/firehose/airflow/pools.json").read_text())


def test_all_dags_import_without_errors(described: dict[str, Any]) -> None:
    assert described["errors"] == {}
    assert set(described["dags"]) == {path.stem for path in DAG_FILES}


def test_parsing_is_quick_and_imports_nothing_heavy(described: dict[str, Any]) -> None:
    assert described["heavy"] == []
    assert described["cpu_seconds"] < 3, "the DAG processor parses these files every 30 s"


def test_every_dag_says_what_it_is(described: dict[str, Any]) -> None:
    for dag_id, dag in described["dags"].items():
        assert len(dag["doc"]) > 200, dag_id
        assert "firehose" in dag["tags"], dag_id
        assert dag["max_active_runs"] <= 288, dag_id


def test_every_task_retries_with_backoff_ends_and_alerts(described: dict[str, Any]) -> None:
    for dag_id, dag in described["dags"].items():
        for name, task in dag["tasks"].items():
            where = f"{dag_id}.{name}"
            assert task["retries"] >= 3, where
            assert task["backoff"] > 1, f"{where}: True is 1.0, and that is no backoff"
            assert 0 < task["timeout_s"] <= 3600, where
            assert task["callbacks"] == ["alert"], where
            assert task["over"] == ["lower"], f"{where}: nobody would hear that its failure is over"


def test_every_pool_exists(described: dict[str, Any]) -> None:
    used = {task["pool"] for dag in described["dags"].values() for task in dag["tasks"].values()}
    assert used - {"default_pool"} == set(POOLS)


def test_tasks_that_hold_a_batch_take_a_slot(described: dict[str, Any]) -> None:
    tasks = described["dags"]["firehose_batch"]["tasks"]
    assert {name for name, task in tasks.items() if task["pool"] == "firehose_memory"} == {"validate", "publish"}


def test_batches_are_caught_up_in_order(described: dict[str, Any]) -> None:
    batch = described["dags"]["firehose_batch"]
    assert batch["catchup"]
    assert [task["upstream"] for task in batch["tasks"].values()] == [[], ["drain"], ["validate"]]


def test_publishing_wakes_the_summaries(described: dict[str, Any]) -> None:
    (asset,) = described["dags"]["firehose_batch"]["tasks"]["publish"]["outlets"]
    assert asset in described["dags"]["firehose_summaries"]["schedule"]


@pytest.mark.parametrize("path", DAG_FILES, ids=lambda path: path.name)
def test_a_dag_file_is_wiring(path: Path) -> None:
    source = path.read_text()
    assert len(source.splitlines()) <= 110
    # Only what parsing needs is imported at the top; the rest, and all of firehose, in task bodies.
    imported = {
        name
        for node in ast.parse(source).body
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    allowed = {"__future__", "typing", "datetime", "airflow.sdk", "airflow.sdk.exceptions", "firehose_wiring"}
    assert imported <= allowed


def test_the_page_of_dags_is_current(tmp_path: Path) -> None:
    # In an environment of the caller's, with a setting that must not change the page.
    environment = os.environ | {"FIREHOSE_BATCH_MINUTES": "30", "HOME": str(tmp_path)}
    page = subprocess.run(
        [sys.executable, "-m", "scripts.pages.dags"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert (ROOT / "docs/dags.md").read_text() == page.stdout, "run: make docs"


WRONG = {
    "FIREHOSE_START_DATE=": "FIREHOSE_START_DATE is not set: set it to when the ingester was first started",
    "FIREHOSE_START_DATE=2026-11-23": "FIREHOSE_START_DATE='2026-11-23': must be a date and time with a zone",
    "FIREHOSE_BATCH_MINUTES=7": "FIREHOSE_BATCH_MINUTES=7: must divide 60",
    "FIREHOSE_BATCH_MINUTE=5": "FIREHOSE_BATCH_MINUTE is not a setting of this project",
    "AIRFLOW__CORE__EXECUTOR=CeleryExecutor": "FIREHOSE_LAKE must be s3://BUCKET/PREFIX: CeleryExecutor runs",
}


def test_a_wrong_setting_is_a_clear_import_error(warm_airflow: Warm) -> None:
    done = warm_airflow.python("-c", _IMPORT, *WRONG)
    assert done.returncode == 0, done.stdout
    said = done.stdout.splitlines()[-len(WRONG) :]
    assert [line[: len(wanted)] for line, wanted in zip(said, WRONG.values(), strict=True)] == list(WRONG.values())


_IMPORT = """
import os, sys
sys.path[:0] = ["dags", "plugins"]
from firehose.settings import SettingsError
before = dict(os.environ)
for setting in sys.argv[1:]:
    name, _, value = setting.partition("=")
    os.environ[name] = value
    try:
        import firehose_batch
    except SettingsError as error:
        print(error)
    os.environ.clear()
    os.environ.update(before)
"""
