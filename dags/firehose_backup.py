"""### A copy of everything, elsewhere

Once a day, if `FIREHOSE_BACKUP` names a place; otherwise there is no schedule, and a run by hand is skipped.

1. **copy** takes along what has changed since the set before: Airflow's database, Redis, ClickHouse's tables, the
   settings without secrets, then the lake. A step of a batch waits a moment while the last look is taken.
2. **verify** reads every object that was not read before, and of the others a share, so that each is read once in
   `FIREHOSE_LAKE_CHECK_DAYS` days. Damage fails the run: `firehose backup --whole` sends again what the lake has.
3. **prune** removes the sets that `FIREHOSE_BACKUP_KEEP_DAYS` and `…_WEEKS` do not keep, and what no set needs.

How to restore: docs/operations.md, "Backup and restore". Clearing or triggering a run is always safe. The daily
check of the lake says in an alert when the last set is too old, whatever the reason is.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import chain, dag
from firehose_steps import step
from firehose_wiring import DEFAULT_ARGS, backup_timetable, require_backup, start_date


@step
def copy() -> dict[str, Any]:
    """Everything that has changed, to the backup. Holds some 16 MiB of it at a time."""
    import msgspec
    from firehose_hooks import clickhouse_settings, redis_client

    from firehose.backup.run import backup

    settings = clickhouse_settings()
    require_backup(settings)
    return dict(msgspec.to_builtins(backup(settings, redis_client)))


@step
def verify() -> dict[str, Any]:
    """What was sent is there as it was."""
    import msgspec

    from firehose.backup.verify import verify
    from firehose.errors import CorruptBackup
    from firehose.settings import load

    settings = load()
    found = verify(settings, share_days=settings.lake_check_days)
    if found.damaged:
        raise CorruptBackup(
            f"{found.name}: {len(found.damaged)} objects; {found.damaged[0]}: firehose backup --whole"
        )
    return dict(msgspec.to_builtins(found))


@step
def prune() -> dict[str, Any]:
    """Sets that are not kept, and what no set needs."""
    import msgspec

    from firehose.backup.prune import prune
    from firehose.settings import load

    return dict(msgspec.to_builtins(prune(load())))


@dag(
    dag_id="firehose_backup",
    doc_md=__doc__,
    schedule=backup_timetable(),
    start_date=start_date(),
    catchup=False,
    max_active_runs=1,
    # The first backup of a large lake may take longer: a retry sends what is missing.
    default_args=DEFAULT_ARGS | {"execution_timeout": timedelta(hours=1)},
    tags=["firehose", "backup"],
)
def firehose_backup() -> None:
    """Wire the tasks."""
    chain(copy(), verify(), prune())


firehose_backup()
