"""The alerts of the whole project: a closed list.

Lives here: each alert's name, severity, words, likely causes, patience, what explains it, and its section of
docs/operations.md. Must not: decide when there is one. A new alert is an entry here, the condition that finds it
(``firehose.monitor.conditions``) or the task that raises it, its section, and its tests
(tests/unit/alerts/test_every_alert.py).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from firehose.alerts.alert import Alert, Severity

_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)


#: Why batches have nothing to take.
_UPSTREAM: Final = ("redis_away", "redis_cannot_write", "ingester_down", "no_data")
#: Why no DAG runs.
_AIRFLOW: Final = ("airflow_away", "scheduler_down", "monitor_silent")
#: From this number on, outages are told as one that goes on.
_OFTEN: Final = 3


def _stops(dag: str) -> tuple[str, ...]:
    """Why one DAG does not do its work, by the beginnings of keys."""
    return f"dag_paused/{dag}", f"task_failed/{dag}."


# Where events come from.
REDIS_AWAY: Final = Alert(
    "redis_away",
    Severity.ERROR,
    "Redis does not answer",
    "{reason}. The ingester waits, and the source keeps the events for about a day.",
    "redis-does-not-answer",
    causes=("Redis was stopped or killed (memory, disk)", "its password or address has changed", "the network"),
    wait=_MINUTE,
)
REDIS_DISK: Final = Alert(
    "redis_cannot_write",
    Severity.ERROR,
    "Redis cannot write its append-only file",
    "The last write of the append-only file failed; Redis refuses writes until it succeeds.",
    "redis-cannot-write",
    causes=("its disk is full", "its disk fails"),
)
BUFFER: Final = Alert(
    "buffer_fills_up",
    Severity.ERROR,
    "Redis is {share:.0%} full",
    "{frames} frames wait to be drained, the oldest since {oldest}. When it is full the ingester stops reading.",
    "redis-fills-up",
    causes=("batches are not drained: Airflow is down, paused or fails", "maxmemory is too small for the stream"),
    setting="alert_buffer_percent",
)
INGESTER_DOWN: Final = Alert(
    "ingester_down",
    Severity.ERROR,
    "the ingester does not run",
    "Nothing has been written to Redis {span}, not even an empty flush. The source keeps events for about a day.",
    "the-ingester-does-not-run",
    causes=("the service was stopped, or ends at once: see its log", "it waits for Redis", "its machine is down"),
    explained_by=("redis_away", "redis_cannot_write"),
    wait=_MINUTE,
)
NO_DATA: Final = Alert(
    "no_data",
    Severity.ERROR,
    "no data from the source",
    "The ingester runs, and has not been connected to {host} for {minutes:.0f} minutes.",
    "no-data-from-the-source",
    causes=("the network", "the host is down, and no other one is set", "the host refuses what it is asked for"),
    explained_by=("redis_away", "redis_cannot_write", "ingester_down", "buffer_fills_up"),
    wait=_MINUTE,
    setting="alert_no_data_minutes",
)
LAG: Final = Alert(
    "lag",
    Severity.WARNING,
    "the ingester is {minutes:.0f} minutes behind the source",
    "The last event in Redis is that old. Nothing is lost while the host still has what comes next.",
    "the-ingester-lags",
    causes=("it catches up after an outage", "its machine or network is too slow", "the host itself lags"),
    explained_by=("redis_away", "redis_cannot_write", "ingester_down", "no_data", "buffer_fills_up"),
    wait=5 * _MINUTE,
    setting="alert_lag_minutes",
)
GAP: Final = Alert(
    "gap",
    Severity.WARNING,
    "{gaps} in coverage",
    "Events of this time are missing, and no replay has filled it. `firehose coverage --open` says what is open.",
    "a-gap-in-coverage",
    causes=("an outage that was longer than the host keeps events", "a host that left something out"),
    explained_by=("redis_away", "ingester_down", "no_data", "lag"),
    setting="alert_gap_minutes",
)
RETENTION: Final = Alert(
    "retention_near",
    Severity.ERROR,
    "the source is about to forget what is missing",
    "A gap is open whose events the hosts keep until about {until} only. Fetch them: `firehose backfill`.",
    "the-source-is-about-to-forget",
    causes=("a gap that no replay has filled",),
    setting="source_keeps_hours",
)
ARCHIVE_QUOTA: Final = Alert(
    "archive_quota",
    Severity.WARNING,
    "backfills have used {share:.0%} of today's archive quota",
    "{used} of {limit} MiB are used. At the limit no further gap is filled until tomorrow (UTC).",
    "the-archive-quota-is-nearly-used",
    causes=("long gaps", "FIREHOSE_ARCHIVE_DAY_MIB is low"),
    setting="alert_archive_percent",
)
FOREIGN_DATA: Final = Alert(
    "foreign_data",
    Severity.WARNING,
    "foreign data in Redis, batch {batch}",
    "{found}.",
    "foreign-data-in-redis",
    causes=("another program writes to this Redis", "someone has a password of it"),
    lasts=_HOUR,
)

# Batches.
TASK_FAILED: Final = Alert(
    "task_failed",
    Severity.ERROR,
    "{dag}.{task} failed",
    "{reason}",
    "a-task-failed",
    causes=("the error names its cause",),
    lasts=timedelta(days=7),
)
BATCH_LATE: Final = Alert(
    "batch_late",
    Severity.ERROR,
    "no batch for {minutes:.0f} minutes",
    "The last published batch is {newest}; the next one should have been published long ago.",
    "no-batch-is-published",
    causes=("a task fails: see its alert or Airflow", "Airflow's scheduler is down, or the DAG is paused"),
    explained_by=(*_UPSTREAM, *_AIRFLOW, *_stops("firehose_batch")),
    setting="alert_fresh_minutes",
)
BATCH_SLOW: Final = Alert(
    "batch_slow",
    Severity.WARNING,
    "batch {batch} takes more than {percent}% of its length",
    "It was drained {minutes:.0f} minutes ago, and {state}; expected are at most {expected:.0f} minutes.",
    "a-batch-is-slow",
    causes=("it holds what an outage has piled up", "the machine does other work", "its disk or store is slow"),
    explained_by=(*_AIRFLOW, *_stops("firehose_batch")),
    setting="alert_batch_percent",
)
MISSING: Final = Alert(
    "batches_missing",
    Severity.WARNING,
    "{count} intervals have no batch",
    "{first} to {last}: neither drained nor a recorded gap. Clear the failed runs in Airflow; Redis keeps events.",
    "intervals-without-a-batch",
    causes=("runs failed and were not cleared", "the DAG was paused and did not catch up"),
    explained_by=(*_UPSTREAM, *_AIRFLOW, *_stops("firehose_batch"), "batch_late"),
    wait=10 * _MINUTE,
)
BAD_DATA: Final = Alert(
    "bad_data",
    Severity.WARNING,
    "data quality of batch {batch}",
    "{error_rate:.2%} of the events are quarantined; failed expectations: {failed}. The good rows are published.",
    "a-suite-failed",
    causes=("the network has a new form of a record", "a client or host sends rubbish"),
    lasts=30 * _MINUTE,
    setting="max_error_rate",
)
LEGACY_DIFFERS: Final = Alert(
    "legacy_differs",
    Severity.WARNING,
    "the old system has what the lake has not, or otherwise: {day}",
    "{said}. Compare the day again with examples: `firehose legacy compare PATH --from {day}`.",
    "the-old-system-and-the-lake-differ",
    causes=("a loss that no gap explains", "records are in quarantine", "the old store was changed by hand"),
)

# What becomes of them.
CLICKHOUSE_AWAY: Final = Alert(
    "clickhouse_away",
    Severity.ERROR,
    "ClickHouse does not answer",
    "{reason}. Nobody can ask; the lake goes on.",
    "clickhouse-does-not-answer",
    causes=("the server or the endpoint was stopped or killed", "its password or address has changed"),
    wait=3 * _MINUTE,
)
SUMMARIES: Final = Alert(
    "summaries_behind",
    Severity.WARNING,
    "ClickHouse is {count} batches behind",
    "The oldest of them, {oldest}, was published {minutes:.0f} minutes ago. Views of the lake are not affected.",
    "summaries-are-behind",
    causes=("firehose_summaries fails or is paused", "a load after a migration or an outage takes its time"),
    explained_by=("clickhouse_away", *_AIRFLOW, *_stops("firehose_summaries")),
    setting="alert_summaries_minutes",
)
DISK: Final = Alert(
    "disk_fills_up",
    Severity.WARNING,
    "the disk of the {name} fills up",
    "{said}.",
    "the-lakes-disk-fills-up",
    causes=("the lake grows", "something stays although its time is over", "logs, or other programs"),
    setting="disk_warn_percent",
)
UNVERIFIED: Final = Alert(
    "unverified",
    Severity.WARNING,
    "raw files stay longer: {count} batches are not verified",
    "Their time is over at {expires}, and an hour file that they went into is not verified, so they will stay.",
    "raw-files-are-not-verified-in-time",
    causes=("firehose_maintenance fails or is paused", "it closes and verifies more slowly than hours come"),
    explained_by=(*_AIRFLOW, *_stops("firehose_maintenance")),
    wait=_HOUR,
    setting="keep_raw_hours",
)
KEPT: Final = Alert(
    "kept_although_over",
    Severity.WARNING,
    "{count} items stay although their time is over",
    "Maintenance does not remove what may be the only copy of something: {said}.",
    "something-stays-although-its-time-is-over",
    causes=("a damaged hour file", "counts that disagree"),
)
BACKUP_OLD: Final = Alert(
    "backup_old",
    Severity.WARNING,
    "no recent backup",
    "{said}; the limit is {hours} hours. See why firehose_backup does not run or fails.",
    "a-backup-is-too-old",
    causes=("firehose_backup fails or is paused", "its place is full or away"),
    setting="backup_alert_hours",
)
CERTIFICATE: Final = Alert(
    "certificate_ends",
    Severity.WARNING,
    "the certificate of {place} ends in {days:.0f} days",
    "It is valid until {until}. Afterwards connections fail.",
    "a-certificate-ends",
    causes=("its renewal does not run", "the service was not reloaded after a renewal"),
    setting="alert_certificate_days",
)

# Airflow, and the watch itself.
DAG_PAUSED: Final = Alert(
    "dag_paused",
    Severity.WARNING,
    "{dag} is paused in Airflow",
    "Nothing of what this DAG does happens until it is unpaused. Batches are caught up then.",
    "a-dag-is-paused",
    causes=("an operator has paused it, and forgotten it",),
    wait=10 * _MINUTE,
)
SCHEDULER: Final = Alert(
    "scheduler_down",
    Severity.ERROR,
    "Airflow's scheduler has no heartbeat",
    "{said}. No batch is drained; Redis keeps the events.",
    "airflow-does-not-work",
    causes=("the scheduler was stopped or killed", "Airflow's database is away or full"),
    explained_by=("airflow_away",),
    wait=2 * _MINUTE,
)
AIRFLOW_AWAY: Final = Alert(
    "airflow_away",
    Severity.ERROR,
    "Airflow does not answer",
    "{reason}. If its scheduler is down too, no batch is drained; Redis keeps the events.",
    "airflow-does-not-work",
    causes=("Airflow was stopped or killed", "FIREHOSE_AIRFLOW_URL is wrong"),
    wait=2 * _MINUTE,
)
MONITOR_SILENT: Final = Alert(
    "monitor_silent",
    Severity.ERROR,
    "the monitor does not run",
    "The DAG firehose_monitor last ran {span}; until it does, `firehose deadman` watches in its place.",
    "the-monitor-does-not-run",
    causes=("the DAG is paused", "Airflow is down", "no slot is free for it"),
    explained_by=("airflow_away", "scheduler_down"),
    setting="alert_monitor_minutes",
)
BLIND: Final = Alert(
    "not_observable",
    Severity.WARNING,
    "the monitor cannot see {parts}",
    "Alerts about these cannot fire until it can: {reason}",
    "the-monitor-cannot-see",
    causes=("a file of the lake cannot be read", "the lake's disk or store is away"),
    explained_by=("redis_away", "clickhouse_away", "airflow_away"),
    wait=5 * _MINUTE,
)

# Objectives. Each waits for as long as its short window remembers a single outage. Answers are counted by five
# minutes, and a window has the whole count that it begins in.
_COUNTED: Final = 5 * _MINUTE
FRESHNESS: Final = Alert(
    "freshness_burns",
    Severity.ERROR,
    "data is late too often",
    "{said}: at this rate the month's budget of {budget:.2g}% is used up {burn:.0f} times.",
    "an-objective-is-missed",
    causes=("batches come late again and again: see `delay_max_s` in `firehose status --json`",),
    explained_by=(*_UPSTREAM, *_AIRFLOW, *_stops("firehose_batch"), "batch_late", "batch_slow"),
    wait=30 * _MINUTE,
    recurs=_OFTEN,
    setting="slo_percent",
)
COVERAGE: Final = Alert(
    "coverage_burns",
    Severity.ERROR,
    "time is missing too often",
    "{said}: at this rate the month's budget of {budget:.2g}% is used up {burn:.0f} times.",
    "an-objective-is-missed",
    causes=("gaps that nothing fills: `firehose coverage --open`",),
    # Not by a gap, which is a warning: what nothing has filled for half an hour, and is this much, is lost.
    explained_by=("redis_away", "redis_cannot_write", "ingester_down", "no_data", "lag"),
    wait=30 * _MINUTE,
    recurs=_OFTEN,
    setting="slo_percent",
)
QUERIES: Final = Alert(
    "queries_burn",
    Severity.WARNING,
    "questions are answered late too often",
    "{said}: at this rate the month's budget of {budget:.2g}% is used up {burn:.0f} times.",
    "an-objective-is-missed",
    causes=("analysts' queries take the machine", "the lake's disk or store is slow"),
    explained_by=("clickhouse_away",),
    wait=30 * _MINUTE + _COUNTED,
    recurs=_OFTEN,
    setting="alert_query_seconds",
)
SLOWLY: Final = Alert(
    "burns_slowly",
    Severity.WARNING,
    "the objective {objective} is missed a little, for days",
    "{said}: at this rate the month's budget of {budget:.2g}% is used up {burn:.1f} times.",
    "an-objective-is-missed",
    causes=("short outages that come again and again", "a machine that is just too slow"),
    explained_by=(
        *("freshness_burns", "coverage_burns", "queries_burn", "batch_late", "clickhouse_away"),
        *(*_UPSTREAM, *_AIRFLOW, *_stops("firehose_batch")),
    ),
    # The short one of its windows: an outage that was told by itself has left it when this is told.
    wait=6 * _HOUR + _COUNTED,
    hold=_HOUR,
    recurs=_OFTEN,
    setting="slo_percent",
)

#: Every alert of the project.
ALERTS: Final = tuple(value for value in list(vars().values()) if isinstance(value, Alert))
BY_NAME: Final = {alert.name: alert for alert in ALERTS}
