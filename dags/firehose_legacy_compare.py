"""### The old system's data of a day beside the lake's

Once a day while both systems run, if `FIREHOSE_LEGACY` names the old one's folder; otherwise there is no schedule,
and a run by hand is skipped.

**compare** reads the old stores and the lake's hours of the run's day, matches by URI, and keeps the result with
its page in `_quality/legacy/`. A scheduled run is about the day before, a run by hand about its logical date's.
A record that only the old system has, or that differs, is an alert, and no failure: the lake goes on. So is a day
on which the lake did not listen. What one of the two could not have is explained by kind (docs/operations.md, "The
old system beside this one"). Clearing or triggering a run is always safe.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, get_current_context
from firehose_steps import step
from firehose_wiring import DEFAULT_ARGS, MEMORY_POOL, backfill_span, legacy_timetable, require_legacy


@step(pool=MEMORY_POOL)
def compare() -> dict[str, Any]:
    """A day. Holds a part of its records at a time."""
    from pathlib import Path

    import msgspec
    from firehose_hooks import send_mail

    from firehose.alerts import report_legacy
    from firehose.legacy.compare.run import compare
    from firehose.settings import load

    settings = load()
    require_legacy(settings)
    run = get_current_context()["dag_run"]
    day = run.run_after.date() - timedelta(days=1)  # today is not over
    if run.logical_date:  # the begin of a schedule's interval, or what a run by hand names
        day = min(day, run.logical_date.date())
    found = compare(settings, Path(settings.legacy), begin=day, end=day + timedelta(days=1))
    report_legacy(settings, str(day), found.problems, send_mail)
    return dict(msgspec.to_builtins(found))


@dag(
    dag_id="firehose_legacy_compare",
    doc_md=__doc__,
    schedule=legacy_timetable(),
    start_date=backfill_span()[0],  # Airflow leaves out the tasks of a run for a day before it
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS | {"execution_timeout": timedelta(hours=1)},
    tags=["firehose", "legacy"],
)
def firehose_legacy_compare() -> None:
    """Wire the task."""
    compare()


firehose_legacy_compare()
