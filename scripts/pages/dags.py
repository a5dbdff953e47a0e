"""``python -m scripts.pages.dags``: prints docs/dags.md from the DAG files; ``--json``: for the policy tests.

Lives here: reading DAGs in an Airflow without a database. Must not: run them.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
START = "2026-01-01T00:00:00Z"
_OF_SETTINGS = {
    "firehose_batch": "; the cron expression of `FIREHOSE_BATCH_MINUTES`",
    "firehose_backup": "; none where `FIREHOSE_BACKUP` is empty",
    "firehose_backfill": "; none where `FIREHOSE_LEGACY` or `FIREHOSE_LEGACY_FROM` is empty",
    "firehose_legacy_compare": "; none where `FIREHOSE_LEGACY` is empty",
}
HEAVY = (
    "pandas",
    "pyarrow",
    "great_expectations",
    "clickhouse_connect",
    "chdb",
    "firehose.batch",
    "firehose.lake",
)


def collect(dags: Path) -> dict[str, Any]:
    """Every DAG of a folder by id, the import errors, the CPU seconds of parsing, the heavy modules it loads."""
    # Airflow costs seconds to import and is configured by the environment alone, so not at the top.
    from airflow.dag_processing.dagbag import DagBag

    before = {name for name in HEAVY if name in sys.modules}
    began = time.process_time()
    bag = DagBag(dag_folder=str(dags))
    return {
        "cpu_seconds": time.process_time() - began,
        "errors": bag.import_errors,
        "heavy": sorted({name for name in HEAVY if name in sys.modules} - before),
        "dags": {dag_id: _dag(dag) for dag_id, dag in sorted(bag.dags.items())},
    }


def markdown(found: dict[str, Any]) -> str:
    """The page for people."""
    lines = [
        "# DAGs",
        "",
        "Made by `make docs` from the DAG files; do not edit.",
    ]
    for dag_id, dag in found["dags"].items():
        lines += ["", f"## `{dag_id}`", "", dag["doc"].strip(), ""]
        lines += [f"- Schedule: {dag['schedule']}; catch-up {'on' if dag['catchup'] else 'off'}"]
        lines += [f"- Active runs: at most {dag['max_active_runs']}; tags: {', '.join(dag['tags'])}", ""]
        lines += [
            "| task | after | pool | tries | first wait | time limit | updates |",
            "|---|---|---|---|---|---|---|",
        ]
        for name, task in dag["tasks"].items():
            cells = (
                f"`{name}`",
                ", ".join(f"`{up}`" for up in task["upstream"]) or "none",
                f"`{task['pool']}`",
                str(task["retries"] + 1),
                f"{task['retry_delay_s']:.0f} s",
                f"{task['timeout_s'] / 60:.0f} min",
                ", ".join(f"`{outlet}`" for outlet in task["outlets"]) or "none",
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _dag(dag: Any) -> dict[str, Any]:
    return {
        "doc": dag.doc_md or "",
        "schedule": _schedule(dag),
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "tags": sorted(dag.tags),
        "tasks": {task.task_id: _task(task) for task in dag.topological_sort()},
    }


def _schedule(dag: Any) -> str:
    # Timetables of the scheduler, as the batches' is, call it their summary.
    expression = getattr(dag.timetable, "expression", "") or getattr(dag.timetable, "_expression", "")
    if expression:
        return f"`{expression}` (UTC{_OF_SETTINGS.get(dag.dag_id, '')})"
    if not dag.timetable.asset_condition:
        return "none"
    return "updates of " + ", ".join(f"`{asset.name}`" for asset in dag.timetable.asset_condition.objects)


def _task(task: Any) -> dict[str, Any]:
    timeout: timedelta | None = task.execution_timeout
    callbacks: list[Callable[..., object]] = list(task.on_failure_callback)
    over = {*task.on_success_callback, *task.on_skipped_callback}
    return {
        "upstream": sorted(task.upstream_task_ids),
        "pool": task.pool,
        "retries": task.retries,
        "retry_delay_s": task.retry_delay.total_seconds(),
        "backoff": float(task.retry_exponential_backoff),
        "timeout_s": timeout.total_seconds() if timeout else 0,
        "outlets": [outlet.name for outlet in task.outlets],
        "callbacks": [callback.__name__ for callback in callbacks],
        "over": [callback.__name__ for callback in over],
    }


def _stand_alone(home: str) -> None:
    """Settings that give the same page on every machine."""
    for name in [name for name in os.environ if name.startswith(("AIRFLOW_", "FIREHOSE_"))]:
        del os.environ[name]
    os.environ |= {
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "FIREHOSE_HOME": home,
        "FIREHOSE_START_DATE": START,
        "FIREHOSE_BACKUP": str(Path(home) / "backup"),
        "FIREHOSE_LEGACY": str(Path(home) / "old"),
        "FIREHOSE_LEGACY_FROM": "2024-09-29",
    }


if __name__ == "__main__":
    if "--json" in sys.argv:
        # As the environment says: the tests set what they want to see fail.
        json.dump(collect(ROOT / "dags"), sys.stdout)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            _stand_alone(scratch)
            sys.stdout.write(markdown(collect(ROOT / "dags")))
