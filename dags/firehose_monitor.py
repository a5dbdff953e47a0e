"""### Is all well?

Looks each minute at the ingester, Redis, the batches, coverage, ClickHouse, disks, backups, certificates and
Airflow itself, and raises an alert when something is too much, too old or missing: by mail, Slack and webhook
(`FIREHOSE_ALERT_…`). An alert is sent once, once more if it lasts (`FIREHOSE_ALERT_ESCALATE_MINUTES`), then daily,
and when it is over. What follows from another one is told with it. docs/operations.md, "Alerts", has all of them.

A run takes about a second, one at a time, and none is made up for. `firehose deadman` watches this DAG from
outside of Airflow. Pausing, clearing or triggering it is always safe.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, dag, task
from firehose_wiring import DEFAULT_ARGS, MONITOR_AT, monitor_task_context, start_date


@task
def look() -> dict[str, Any]:
    """Look, judge, send. Holds the names and entries of some days."""
    from firehose_hooks import redis_client, send_mail

    from firehose.monitor.run import monitor

    settings, paused = monitor_task_context()
    book = monitor(settings, send_mail, connect=redis_client, paused=paused)
    return {state.key: str(state.phase) for state in book.states.values()}


@dag(
    dag_id="firehose_monitor",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable(MONITOR_AT, timezone="UTC"),
    start_date=start_date(),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=10),
    default_args=DEFAULT_ARGS | {"execution_timeout": timedelta(minutes=3)},
    tags=["firehose", "monitor"],
)
def firehose_monitor() -> None:
    """Wire the task."""
    look()


firehose_monitor()
