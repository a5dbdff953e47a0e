"""### The old system's data into the lake, a day a run

Brings over what `FIREHOSE_LEGACY` holds, from `FIREHOSE_LEGACY_FROM` on, the oldest day first, up to
`FIREHOSE_LEGACY_UNTIL` (or day by day, while both systems run). Without the first two there is no schedule.
A run by hand imports the day that is its logical date; it is skipped if `FIREHOSE_LEGACY` is empty.

1. **scan** reads the files that are new or have changed, whatever their days; what broken files say is in its
   result. A shape that the old system never wrote fails it with path and reason. What a killed scan has read
   is kept.
2. **collect** makes a batch of what was read of this day and is in no batch yet; a day without any skips the run.
3. **validate** and **publish** are those of `firehose_batch`, for each batch of imports of the day.

The note of a run says which days its scan found something of. Where such a day's run is over, clear it, or use
`firehose legacy import`, which does the same for all days. Clearing a run is always safe, and gives the same rows:
raw files that have expired are written again from `_imports/`. Nothing of the old system is changed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import chain, dag, get_current_context
from airflow.sdk.exceptions import AirflowSkipException
from firehose_steps import step
from firehose_wiring import (
    BATCHES,
    DEFAULT_ARGS,
    MEMORY_POOL,
    backfill_span,
    backfill_timetable,
    current_day,
    require_legacy,
)


@step
def scan() -> dict[str, Any]:
    """Old files to frames of lines by day. It streams, so it needs no slot of the pool."""
    from pathlib import Path

    from firehose.legacy.imports.scan import scan
    from firehose.settings import load

    settings = load()
    require_legacy(settings)
    done = scan(settings.lake_path, Path(settings.legacy))
    counts = {"files": done.files, "records": done.records, "refused": len(done.refused)}
    # All that was refused is in quarantine, with its reason, once its day has run.
    return counts | {"days": [str(day) for day in done.days], "first_refused": done.refused[:20]}


@step
def collect() -> dict[str, Any]:
    """Frames of the day to raw files."""
    from firehose.legacy.imports.collect import collect
    from firehose.settings import load

    day = current_day()
    made = collect(load(), day)
    if not made:
        raise AirflowSkipException(f"the old system has nothing of {day}")
    return {"batches": [batch.id for batch in made]}


@step(pool=MEMORY_POOL)
def validate() -> dict[str, Any]:
    """Raw files to good and quarantined rows."""
    from functools import partial

    import msgspec
    from firehose_hooks import send_mail

    from firehose.alerts import report_quality
    from firehose.legacy.imports.steps import validate_day
    from firehose.settings import load

    settings = load()
    tell = partial(report_quality, settings, send_mail=send_mail)
    return dict(msgspec.to_builtins(validate_day(settings, current_day(), tell)))


@step(pool=MEMORY_POOL, outlets=[BATCHES])
def publish() -> dict[str, Any]:
    """Good rows to hour files. The old queue's commits are events too, so the summaries wake up."""
    import msgspec

    from firehose.legacy.imports.steps import publish_day
    from firehose.settings import load

    done = publish_day(load(), day := current_day())
    get_current_context()["outlet_events"][BATCHES].extra = {"imported": str(day), "stored": done.stored}
    return dict(msgspec.to_builtins(done))


FIRST, LAST = backfill_span()


@dag(
    dag_id="firehose_backfill",
    doc_md=__doc__,
    schedule=backfill_timetable(),
    start_date=FIRST,
    end_date=LAST,
    catchup=True,
    max_active_runs=1,
    default_args=DEFAULT_ARGS | {"execution_timeout": timedelta(hours=1)},
    tags=["firehose", "legacy"],
)
def firehose_backfill() -> None:
    """Wire the tasks."""
    chain(scan(), collect(), validate(), publish())


firehose_backfill()
