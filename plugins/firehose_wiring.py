"""Shared by the DAG files: the asset between them, their defaults, schedule, retries and alerts.

Lives here: glue between Airflow and ``firehose``. Must not: pipeline logic, or a heavy import, since every
parse of a DAG file runs this.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import (
    Asset,
    CronDataIntervalTimetable,
    get_current_context,
)
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowSkipException
from airflow.task.priority_strategy import PriorityWeightStrategy
from firehose_failures import RETRIES, PipelineRetries, RefusedRun, alert, lower
from firehose_timetable import BatchTimetable

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.models import TaskInstance

    from firehose.batch.interval import Batch
    from firehose.settings import Settings

#: Published batches: ``firehose_batch`` updates it, ``firehose_summaries`` wakes up on it.
BATCHES: Final = Asset("firehose_batches", uri="firehose://lake/batches")
#: When the lake is checked each day, in UTC: any time will do that is not on the full hour.
CHECK_AT: Final = "20 4 * * *"
#: When the lake is maintained: each hour, since raw files and open hours take more room than closed ones.
MAINTAIN_AT: Final = "50 * * * *"
#: When the monitor looks: each minute.
MONITOR_AT: Final = "* * * * *"
#: The DAGs that must not stay paused. The monitor's own is watched from outside; those without a schedule may be.
WATCHED: Final = tuple(
    f"firehose_{name}"
    for name in ("batch", "summaries", "maintenance", "lake", "backup", "legacy_compare", "backfill")
)
#: When a backup is made each day, before the lake is checked.
BACKUP_AT: Final = "40 2 * * *"
#: When the old system's data of the day before is compared with the lake's, while both run.
COMPARE_AT: Final = "10 6 * * *"
#: The intervals of the backfill: a day of the old data each.
DAYS: Final = "0 0 * * *"
#: Tasks that hold a whole batch in memory take a slot of ``include/firehose/airflow/pools.json``.
MEMORY_POOL: Final = "firehose_memory"
#: One day of batches of five minutes. After an outage a run for each missed interval is made at once, so that the
#: newest one is among those to choose from; what runs at a time is limited by the executor and by the pool.
MAX_BATCH_RUNS: Final = 288


class NewestFirst(PriorityWeightStrategy):
    """Gives a free slot to the task of the newest interval: live data does not wait for a backlog."""

    def get_weight(self, ti: TaskInstance) -> int:
        """Minutes since the epoch of the run, by its id: a task instance has nothing else when it is made."""
        found = _MOMENT.search(ti.run_id)
        return int(datetime.fromisoformat(found[0]).replace(tzinfo=UTC).timestamp()) // 60 if found else 1


#: The name that operators (Airflow's) refer to it by; the plugin registers the class.
NEWEST_FIRST: Final = f"{NewestFirst.__module__}.{NewestFirst.__qualname__}"
#: A batch's id, or the time that Airflow itself puts into run ids.
_MOMENT: Final = re.compile(r"\d{8}T\d{6}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


DEFAULT_ARGS: Final[dict[str, Any]] = {
    "owner": "firehose",
    "retries": RETRIES,
    # 10, 20, 40, 80, 160 s: Redis or ClickHouse may be away for five minutes before there is an alert.
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=5),
    "retry_policy": PipelineRetries(),
    "on_failure_callback": alert,
    "on_success_callback": lower,
    "on_skipped_callback": lower,
    "execution_timeout": timedelta(minutes=15),
}


def batch_timetable() -> BatchTimetable:
    """Batches of ``FIREHOSE_BATCH_MINUTES`` minutes, which divide an hour.

    Raises:
        SettingsError: a wrong setting.
    """
    minutes = _settings().batch_minutes
    return BatchTimetable("0 * * * *" if minutes == 60 else f"*/{minutes} * * * *", timezone="UTC")


def backup_timetable() -> CronDataIntervalTimetable | None:
    """Once a day, if there is a place for backups.

    Raises:
        SettingsError: a wrong setting.
    """
    return CronDataIntervalTimetable(BACKUP_AT, timezone="UTC") if _settings().backup else None


def legacy_timetable() -> CronDataIntervalTimetable | None:
    """Once a day, if there is an old system.

    Raises:
        SettingsError: a wrong setting.
    """
    return CronDataIntervalTimetable(COMPARE_AT, timezone="UTC") if _settings().legacy else None


def require_legacy(settings: Settings) -> None:
    """See that there is an old system.

    Raises:
        AirflowSkipException: there is none.
    """
    if not settings.legacy:
        raise AirflowSkipException("FIREHOSE_LEGACY is not set: there is no old system")


def backfill_timetable() -> CronDataIntervalTimetable | None:
    """Each day of the old data, if the settings say what the first one is.

    Raises:
        SettingsError: a wrong setting.
    """
    settings = _settings()
    return CronDataIntervalTimetable(DAYS, timezone="UTC") if settings.legacy and settings.legacy_from else None


def backfill_span() -> tuple[datetime | None, datetime | None]:
    """The first day of the old data and the last one; None: there is no limit.

    Raises:
        SettingsError: a wrong setting.
    """
    settings = _settings()
    first, last = (
        datetime.fromisoformat(day).replace(tzinfo=UTC) if day else None
        for day in (settings.legacy_from, settings.legacy_until)
    )
    return first, last


def current_day() -> date:
    """The day of the old data that the run is for: its logical date, however it was made.

    Raises:
        RefusedRun: it has none.
    """
    run = get_current_context()["dag_run"]
    if run.logical_date is None:
        raise RefusedRun(f"run {run.run_id} has no logical date: trigger it with the day that is to be imported")
    return run.logical_date.astimezone(UTC).date()


def require_backup(settings: Settings) -> None:
    """See that there is a place for backups.

    Raises:
        AirflowSkipException: there is none.
    """
    if not settings.backup:
        raise AirflowSkipException("FIREHOSE_BACKUP is not set: there are no backups")


def start_date() -> datetime:
    """The first batch's start.

    Raises:
        SettingsError: ``FIREHOSE_START_DATE`` is not set. Without one, catching up would make a run for each
            interval since some date of Airflow's.
    """
    from firehose.settings import SettingsError

    text = _settings().start_date
    if not text:
        raise SettingsError(
            "FIREHOSE_START_DATE is not set: set it to when the ingester was first started, "
            "such as 2026-11-23T20:40:00Z, for the DAG processor, the scheduler and the workers"
        )
    return datetime.fromisoformat(text).astimezone(UTC)


def monitor_task_context() -> tuple[Settings, Callable[[], list[str]]]:
    """The settings for a look from within a task, and what tells which DAGs are paused.

    Raises:
        AirflowSkipException: the lake is being restored: there is nothing to watch yet.
    """
    import msgspec

    from firehose.areas import require_whole
    from firehose.errors import RestoreUnfinished

    settings = _settings()
    try:
        require_whole(settings.lake_path)
    except RestoreUnfinished as error:
        raise AirflowSkipException(str(error)) from error
    # The address by which tasks reach Airflow works from here, whatever is the one for people.
    here = conf.get("core", "execution_api_server_url", fallback="").removesuffix("/").removesuffix("/execution")
    get_dag = get_current_context()["ti"].get_dag

    def paused() -> list[str]:
        idle = {
            "firehose_backup": not settings.backup,
            "firehose_legacy_compare": not settings.legacy,
            "firehose_backfill": not (settings.legacy and settings.legacy_from),
        }
        return [name for name in WATCHED if not idle.get(name) and get_dag(name).is_paused]

    return (msgspec.structs.replace(settings, airflow_url=here) if here else settings), paused


def current_batch() -> Batch:
    """The batch of the run that this task belongs to.

    Raises:
        RefusedRun: a manual run over an interval that is not one of the schedule's: its events would
            be split between two batches.
    """
    from firehose.batch.interval import Batch

    run = get_current_context()["dag_run"]
    start, end = run.data_interval_start, run.data_interval_end
    length = timedelta(minutes=_settings().batch_minutes)
    if start is None or end is None:
        raise RefusedRun(f"run {run.run_id} has no data interval: trigger it with a logical date")
    # Other runs' intervals come from the timetable, perhaps from before the length was changed.
    if run.run_type == "manual" and (end - start != length or start.timestamp() % length.total_seconds()):
        raise RefusedRun(
            f"run {run.run_id} covers {start:%FT%TZ} to {end:%FT%TZ}, which is not a batch of {length}: "
            "trigger it with the logical date only, or with the start and end of one batch"
        )
    return Batch.of(start, end)


def _settings() -> Settings:
    # One reader for every setting, so that a DAG and its tasks cannot disagree. It imports nothing heavy.
    from firehose.settings import load

    settings = load()
    _require_shared(settings)
    return settings


def _require_shared(settings: Settings) -> None:
    """See that what a task leaves is found by the next one, which may run on another machine.

    Raises:
        SettingsError: an executor runs tasks elsewhere, and the lake or the backups are in a folder. Its locks
            hold on one machine only, also where the folder is on a network file system.
    """
    from firehose.settings import SettingsError

    elsewhere = sorted(set(re.findall(r"\w+Executor", conf.get("core", "executor"))) - {"LocalExecutor"})
    folders = [
        name
        for name, place in (("FIREHOSE_LAKE", settings.lake), ("FIREHOSE_BACKUP", settings.backup))
        if place and "://" not in place
    ]
    if elsewhere and folders:
        raise SettingsError(
            f"{' and '.join(folders)} must be s3://BUCKET/PREFIX: {elsewhere[0]} runs tasks on several machines, "
            "which do not share a folder and its locks; see docs/operations.md, Several machines"
        )
