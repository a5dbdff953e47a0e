"""The conditions of alerts: what in a snapshot is too much, too old or missing. Pure.

Lives here: one function for each alert that the monitor finds, and the list of them. Must not: I/O, wording
(the catalogue), how long something has to be so (the catalogue too).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Final, NamedTuple

from firehose.alerts import catalogue, found
from firehose.alerts.alert import Alert
from firehose.alerts.limits import Limits
from firehose.alerts.state import Finding
from firehose.alerts.wording import length
from firehose.monitor import of_batches, of_objectives, of_sources
from firehose.observe import Snapshot
from firehose.settings import Settings

_MIB: Final = 1024 * 1024
#: Parts whose absence is an alert of its own.
_OWN: Final = {
    "ingester": "redis_away",
    "buffer": "redis_away",
    "archive": "redis_away",
    "summaries": "clickhouse_away",
    "airflow": "airflow_away",
}
_Find = Callable[[Settings, Snapshot], Iterable[Finding]]


class Condition(NamedTuple):
    """How an alert is found. ``part`` of the snapshot has to be known for that; empty: it is about what is not.

    ``beside``: another part that has to be known.
    """

    alert: Alert
    part: str
    find: _Find
    beside: str = ""


def judge(settings: Settings, seen: Snapshot, looked_at: Iterable[str]) -> tuple[list[Finding], frozenset[str]]:
    """What is so in a snapshot of these parts, and the names of the alerts that it could decide upon."""
    known = {part for part in looked_at if part not in seen.unknown}
    decided = [condition for condition in CONDITIONS if {condition.part, condition.beside} - {""} <= known]
    findings = [finding for condition in decided for finding in condition.find(settings, seen)]
    return findings, frozenset(condition.alert.name for condition in decided)


def _redis_away(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    if reason := seen.unknown.get("ingester"):
        yield found(catalogue.REDIS_AWAY, {}, reason=_reason(reason))


def _clickhouse_away(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    if reason := seen.unknown.get("summaries"):
        yield found(catalogue.CLICKHOUSE_AWAY, {}, reason=_reason(reason))


def _airflow_away(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    if reason := seen.unknown.get("airflow"):
        yield found(catalogue.AIRFLOW_AWAY, {}, reason=_reason(reason))


def _blind(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    others = {part: reason for part, reason in seen.unknown.items() if part not in _OWN}
    others |= {each.place: each.error for each in seen.certificates or () if each.error}
    if others:
        reasons = list(dict.fromkeys(map(_reason, others.values())))
        details = {part: _reason(said) for part, said in others.items()}
        yield found(catalogue.BLIND, details, parts=", ".join(others), reason=reasons[0])


def _reason(said: str) -> str:
    return said.removeprefix("not known, because ").rstrip(".")


def _summaries(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    state = seen.summaries
    if state and state.behind_s > Limits.of(settings).summaries_seconds:
        since, minutes = seen.at - timedelta(seconds=state.behind_s), state.behind_s / 60
        yield found(catalogue.SUMMARIES, {}, since=since, count=state.behind, oldest=state.oldest, minutes=minutes)


def _disks(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    for disk in seen.disks or ():
        if disk.share > Limits.of(settings).disk_share:
            said = f"{disk.path}: {disk.share:.0%} of the disk is used, {disk.free_bytes // _MIB} MiB are free"
            more = f"warning above {settings.disk_warn_percent}%"
            if disk.name == "lake":
                more += f", drains stop below {settings.disk_reserve_mib} MiB free"
            yield found(catalogue.DISK, {}, about=disk.name, name=disk.name, said=f"{said}; {more}")


def _unverified(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    state = seen.retention
    if state and state.unverified and state.expires:
        details = {"batches": ", ".join(state.unverified[:10])}
        expires = f"{state.expires:%Y-%m-%d %H:%M} UTC"
        yield found(catalogue.UNVERIFIED, details, count=len(state.unverified), expires=expires)


def _backup_old(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    state = seen.backup
    if state is None or 0 <= state.age_hours * 3600 < Limits.of(settings).backup_seconds:
        return
    said = f"The last complete backup is {state.age_hours:.0f} hours old" if state.last else "There is none"
    details = {"last set": state.last or "none", "last verified": state.verified or "none"}
    yield found(catalogue.BACKUP_OLD, details, said=said, hours=settings.backup_alert_hours)


def _certificates(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    for each in seen.certificates or ():
        left_s = (each.until - seen.at).total_seconds() if each.until else None
        if each.until and left_s is not None and left_s < Limits.of(settings).certificate_seconds:
            days, until = left_s / 86_400, f"{each.until:%Y-%m-%d}"
            yield found(catalogue.CERTIFICATE, {}, about=each.place, place=each.place, days=days, until=until)


def _paused(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    for dag in seen.paused or ():
        yield found(catalogue.DAG_PAUSED, {}, about=dag, dag=dag)


def _scheduler(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    state = seen.airflow
    if state and state.scheduler != "healthy":
        silent = state.scheduler_silent_s
        said = f"Its last heartbeat is {length(timedelta(seconds=silent))} old" if silent else "It has had none"
        details = {"database": state.metadatabase, "dag processor": state.dag_processor}
        yield found(catalogue.SCHEDULER, details, said=said)


#: Every condition, in the order in which messages go out.
CONDITIONS: Final = (
    Condition(catalogue.REDIS_AWAY, "", _redis_away),
    Condition(catalogue.REDIS_DISK, "buffer", of_sources.redis_disk),
    Condition(catalogue.INGESTER_DOWN, "ingester", of_sources.ingester_down),
    Condition(catalogue.NO_DATA, "ingester", of_sources.no_data),
    Condition(catalogue.LAG, "ingester", of_sources.lag),
    Condition(catalogue.BUFFER, "buffer", of_sources.buffer),
    Condition(catalogue.RETENTION, "coverage", of_sources.retention),
    Condition(catalogue.GAP, "coverage", of_sources.gap),
    Condition(catalogue.ARCHIVE_QUOTA, "archive", of_sources.archive_quota),
    Condition(catalogue.AIRFLOW_AWAY, "", _airflow_away),
    Condition(catalogue.SCHEDULER, "airflow", _scheduler),
    Condition(catalogue.DAG_PAUSED, "paused", _paused),
    Condition(catalogue.CLICKHOUSE_AWAY, "", _clickhouse_away),
    Condition(catalogue.BATCH_LATE, "batches", of_batches.late),
    Condition(catalogue.BATCH_SLOW, "batches", of_batches.slow),
    Condition(catalogue.MISSING, "batches", of_batches.missing),
    Condition(catalogue.SUMMARIES, "summaries", _summaries),
    Condition(catalogue.DISK, "disks", _disks),
    Condition(catalogue.UNVERIFIED, "retention", _unverified),
    Condition(catalogue.BACKUP_OLD, "backup", _backup_old),
    Condition(catalogue.CERTIFICATE, "certificates", _certificates),
    Condition(catalogue.BLIND, "", _blind),
    Condition(catalogue.FRESHNESS, "objectives", of_objectives.freshness),
    Condition(catalogue.COVERAGE, "objectives", of_objectives.coverage),
    Condition(catalogue.QUERIES, "queries", of_objectives.queries),
    Condition(catalogue.SLOWLY, "trend", of_objectives.slowly, beside="queries"),
)
