"""### The lake's maintenance: close hours, verify them, remove what is kept no longer, share the rest

Each hour, so that at no time of the day raw files and open hours pile up, which take more room than closed ones.

1. **close** writes the files of hours that have been over for `FIREHOSE_CLOSE_AFTER_HOURS` in closed form.
2. **check** verifies the hour files that raw files still wait for: every row is read, every CID recomputed. The
   proof is kept beside the file's record. After 40 minutes each of the two ends with the file at hand; the next
   run goes on. `FIREHOSE_MAINTENANCE_PROCESSES` files are done side by side.
3. **expire** removes what the settings `FIREHOSE_KEEP_…` keep no longer: raw files of batches whose every event
   is provably in the lake, quarantine, quality pages, files set aside, days of tables, logs. `_audit/` says so.
4. **share** lets the Iceberg tables in `_iceberg/` follow, if `FIREHOSE_ICEBERG` is set (docs/other-tools.md).

An hour that is not sound fails its task, and keeps its raw files. An alert says once a day that something stays
although its time is over (docs/operations.md, "What is kept, and for how long"). `firehose maintenance` shows what
would be done. Clearing or triggering a run is always safe; during `firehose maintenance --do` it has to wait.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, chain, dag, get_current_context
from firehose_steps import step
from firehose_wiring import DEFAULT_ARGS, MAINTAIN_AT, MEMORY_POOL, start_date

#: After so long no further file is closed, or verified; the task's limit leaves 20 minutes for those at hand.
SECONDS = 2400


@step(pool=MEMORY_POOL)
def close() -> dict[str, Any]:
    """Hour files in open form. Holds a part of an hour at a time."""
    import msgspec

    from firehose.errors import CorruptLake
    from firehose.maintenance.run import Maintenance
    from firehose.settings import load

    done = Maintenance(load(), f"firehose_maintenance {get_current_context()['run_id']}").close(SECONDS)
    if done.problems:
        raise CorruptLake(f"{len(done.problems)} hours cannot be closed: {'; '.join(done.problems[:10])}")
    return dict(msgspec.to_builtins(done))


@step(pool=MEMORY_POOL, trigger_rule="all_done")
def check() -> dict[str, Any]:
    """Hour files, row by row, also if one could not be closed. Holds a row group at a time."""
    import msgspec

    from firehose.errors import CorruptLake
    from firehose.maintenance.run import Maintenance
    from firehose.settings import load

    found = Maintenance(load(), f"firehose_maintenance {get_current_context()['run_id']}").check(SECONDS)
    if found.problems:
        raise CorruptLake(f"{len(found.problems)} hour files are not sound: {'; '.join(found.problems[:10])}")
    return dict(msgspec.to_builtins(found))


@step(trigger_rule="all_done")
def expire() -> dict[str, Any]:
    """Remove, also if an hour was not sound: then what needs it stays."""
    from pathlib import Path

    import msgspec
    from airflow.sdk.configuration import conf
    from firehose_hooks import clickhouse_settings, send_mail

    from firehose.alerts import report_kept
    from firehose.maintenance.backups import verified_backup
    from firehose.maintenance.run import Maintenance
    from firehose.maintenance.told import news

    settings, run = clickhouse_settings(), get_current_context()["run_id"]
    logs = (Path(conf.get("logging", "base_log_folder")), settings.home_path / "logs")
    held = verified_backup(settings)
    done = Maintenance(settings, f"firehose_maintenance {run}", logs=logs, backup=held).expire()
    with news(settings.lake_path, "kept", done.alarming) as untold:
        if untold:
            report_kept(settings, done.alarming, send_mail)
    return dict(msgspec.to_builtins(done))


@step(trigger_rule="all_done")
def share() -> dict[str, Any]:
    """Iceberg tables over closed hours, for other tools. Holds the metadata of a table at a time."""
    from firehose.maintenance.run import Maintenance
    from firehose.settings import load

    done = Maintenance(load(), f"firehose_maintenance {get_current_context()['run_id']}").share()
    return {"shared": done.shared, "taken": done.taken, "behind": done.behind} if done else {}


@dag(
    dag_id="firehose_maintenance",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable(MAINTAIN_AT, timezone="UTC"),
    start_date=start_date(),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS | {"execution_timeout": timedelta(hours=1)},
    tags=["firehose", "lake"],
)
def firehose_maintenance() -> None:
    """Wire the tasks."""
    chain(close(), check(), expire(), share())


firehose_maintenance()
