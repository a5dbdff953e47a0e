"""### One interval of the firehose, from Redis to the lake

Runs every `FIREHOSE_BATCH_MINUTES` minutes, from `FIREHOSE_START_DATE` on. Missed intervals are caught up, and the
newest one goes first: live data does not wait for a backlog.

1. **drain** copies what Redis received in the interval to `_raw/`, and only then deletes it there. Skips the run
   if the ingester had not been started yet, or was away and has come back since (the gap is recorded in
   `_coverage/`); fails if the ingester was not running then and has not run since, or if the disk has less room
   than `FIREHOSE_DISK_RESERVE_MIB`: Redis keeps the events. Alerts on data of other programs in Redis, which is
   moved away and kept.
2. **validate** splits the rows into good ones and `_quarantine/`, runs the Great Expectations suites and builds
   Data Docs. A failed suite alerts; its good rows are published all the same. A flood of bad events
   (`FIREHOSE_MAX_QUARANTINE_RATE`) fails the run at once. A killed run goes on where it was.
3. **publish** merges the good rows into the hour files and enters the batch in the ledger.

A run's id ends with its batch, the start of its interval; only runs made by a backfill are named by its end. Its
note says the batch from the start on, and later what came of it, or why it was skipped.

Clearing a run is always safe: a rerun writes the same files from the raw copy; once that has expired
(`FIREHOSE_KEEP_RAW_HOURS`), validate says so. To run many again, or those that are missing, use the tab Backfills
or `firehose batches rerun`. Every interval has a run: one more by hand answers 409; clear the one that is there.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import chain, dag, get_current_context
from airflow.sdk.exceptions import AirflowSkipException
from firehose_steps import step
from firehose_wiring import (
    BATCHES,
    DEFAULT_ARGS,
    MAX_BATCH_RUNS,
    MEMORY_POOL,
    NEWEST_FIRST,
    batch_timetable,
    current_batch,
    start_date,
)


@step
def drain() -> dict[str, Any]:
    """Redis to raw files. It streams, so it needs no slot of the pool, and Redis is emptied first of all."""
    from functools import partial

    import msgspec
    from firehose_hooks import redis_client, send_mail

    from firehose import metrics
    from firehose.alerts import report_foreign
    from firehose.batch.coverage import gaps_of
    from firehose.batch.drain import drain
    from firehose.errors import BeforeFirstStart, MissedInterval
    from firehose.settings import load

    settings, batch = load(), current_batch()
    try:
        tell = partial(report_foreign, settings, batch.id, send_mail)
        result = drain(settings, batch, tell=tell, connect=redis_client)
    except (BeforeFirstStart, MissedInterval) as error:
        raise AirflowSkipException(str(error)) from error
    open_gaps = gaps_of(settings, batch, redis_client)
    return {**msgspec.to_builtins(result), metrics.OPEN_GAPS.field: len(open_gaps)}


@step(pool=MEMORY_POOL)
def validate() -> dict[str, Any]:
    """Raw files to good and quarantined rows."""
    import msgspec
    from firehose_hooks import send_mail

    from firehose.alerts import report_quality
    from firehose.quality.validate import validate
    from firehose.settings import load

    settings, batch = load(), current_batch()
    result = validate(settings, batch)
    report_quality(settings, batch.id, result, send_mail)
    return dict(msgspec.to_builtins(result))


@step(pool=MEMORY_POOL, outlets=[BATCHES])
def publish() -> dict[str, Any]:
    """Good rows to hour files. The event of the asset says which batch it is, and what it stored."""
    import msgspec

    from firehose.lake.publish import publish
    from firehose.settings import load

    done = publish(load(), batch := current_batch())
    told = {"batch": batch.id, "start": batch.start.isoformat(), "end": batch.end.isoformat()}
    get_current_context()["outlet_events"][BATCHES].extra = told | {"stored": done.stored}
    return dict(msgspec.to_builtins(done))


@dag(
    dag_id="firehose_batch",
    doc_md=__doc__,
    schedule=batch_timetable(),
    start_date=start_date(),
    catchup=True,
    max_active_runs=MAX_BATCH_RUNS,
    default_args=DEFAULT_ARGS | {"weight_rule": NEWEST_FIRST},
    tags=["firehose", "batch"],
)
def firehose_batch() -> None:
    """Wire the tasks."""
    chain(drain(), validate(), publish())


firehose_batch()
