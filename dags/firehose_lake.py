"""### Is the lake what its records say?

Once a day every hour file is compared with its record in the lake's `_hours/`: is it there, has it the recorded
size and the recorded footer? That finds a file that is missing, cut off, older, or another one. Days that a
listing shows as they were when nothing differed are not compared again. A share of all files is read in full as
well, so that each one is read once in `FIREHOSE_LAKE_CHECK_DAYS` days: that finds changed bytes. The ledger is
compared, too: that finds a file and its record that are older than a batch that wrote there.

All differences come in one alert, and the run fails. Nothing is changed: `firehose rebuild` makes an hour again
from the raw batches (docs/operations.md, "An hour file is not what its record says"). After days without a run
the next run reads more files. Clearing or triggering a run is always safe.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, dag
from firehose_steps import step
from firehose_wiring import CHECK_AT, DEFAULT_ARGS, start_date


@dag(
    dag_id="firehose_lake",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable(CHECK_AT, timezone="UTC"),
    start_date=start_date(),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS | {"execution_timeout": timedelta(hours=1)},
    tags=["firehose", "lake"],
)
def firehose_lake() -> None:
    """Wire the task."""

    @step
    def check() -> dict[str, Any]:
        """Every hour file against its record. Holds a few bytes of a file at a time."""
        from firehose_hooks import count

        from firehose.lake.check import check
        from firehose.lake.watch import changed
        from firehose.settings import load

        settings = load()
        report = check(settings.lake_path, settings.lake_check_days)
        count(settings, report)
        if report.differences:
            raise changed(report.differences, f"{len(report.differences)} of {report.files} hour files differ")
        return {"files": report.files, "read": report.read, "read_bytes": report.read_bytes}

    check()


firehose_lake()
