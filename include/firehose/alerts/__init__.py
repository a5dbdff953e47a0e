"""Alerts an operator: by mail, by webhook, or both, as the settings say.

Lives here: when there is an alert, and its details. Must not: its words (catalogue.py); send it (sinks.py); know
Airflow, whose context comes in as a mapping, and whose mail hook as ``send_mail``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from firehose.alerts import catalogue
from firehose.alerts.catalogue import Alert
from firehose.alerts.sinks import SendMail, notify
from firehose.settings import Settings, SettingsError, load, redacted
from ingester.contract.gap import Gap, Reason
from ingester.contract.logs import get_logger

__all__ = [
    "SendMail",
    "report_backup",
    "report_disk",
    "report_foreign",
    "report_gaps",
    "report_kept",
    "report_quality",
    "send",
    "task_failed",
]

log = get_logger(__name__)

#: What each reason means, for an operator who sees it for the first time.
_MEANING: Final[dict[Reason, str]] = {
    Reason.LATE: "the host began later than it was asked to",
    Reason.REFUSED: "the host no longer has what was asked for",
    Reason.STALL: "connected, but nothing came",
    Reason.PARTIAL: "the host sends far less of this type than usual",
    Reason.OVERSIZE: "a message that was too large to be read was skipped",
    Reason.OUTAGE: "the ingester was away",
    Reason.REDIS_LOST: "Redis lost what it held",
    Reason.NOT_LISTENING: "nothing listened",
}
#: At most this many gaps are listed one by one.
_LISTED: Final = 20


class Quality(Protocol):
    """The part of a validation's result that decides whether there is an alert."""

    @property
    def good(self) -> int: ...
    @property
    def quarantined(self) -> int: ...
    @property
    def error_rate(self) -> float: ...
    @property
    def suite_success(self) -> bool: ...
    @property
    def failed_expectations(self) -> list[str]: ...
    @property
    def docs(self) -> str: ...


def send(
    settings: Settings, alert: Alert, details: Mapping[str, str], send_mail: SendMail, **values: object
) -> None:
    """Send an alert of the catalogue to every sink; ``values`` go into its words. Never raises for a sink."""
    notify(settings, alert.notice(details, **values), send_mail)


def task_failed(context: Mapping[str, Any], send_mail: SendMail) -> None:
    """Report a failed task, from the context that Airflow hands to a callback. Never raises for a sink."""
    ti, run = context["ti"], context.get("dag_run")
    error = context.get("exception")
    reason = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(error or "unknown")
    details = {
        "dag": ti.dag_id,
        "task": ti.task_id,
        "run": ti.run_id,
        "interval": f"{_instant(run, 'data_interval_start')} to {_instant(run, 'data_interval_end')}",
        "try": str(ti.try_number),
        "log": str(getattr(ti, "log_url", "") or "see Airflow"),
    }
    try:
        settings = load()
    except SettingsError as problem:
        log.error("alert not sent", dag=ti.dag_id, task=ti.task_id, reason=problem)
        return
    values = {"dag": ti.dag_id, "task": ti.task_id, "reason": redacted(reason)}
    send(settings, catalogue.TASK_FAILED, details, send_mail, **values)


def report_quality(settings: Settings, batch_id: str, result: Quality, send_mail: SendMail) -> bool:
    """Alert if the suite failed or too many events were bad. Returns whether it was worth an alert."""
    too_many = result.error_rate > settings.max_error_rate
    if result.suite_success and not too_many:
        return False
    failed = ", ".join(result.failed_expectations) or "none"
    details = {
        "batch": batch_id,
        "good": str(result.good),
        "quarantined": str(result.quarantined),
        "error rate": f"{result.error_rate:.4%} (limit {settings.max_error_rate:.4%})",
        "failed expectations": failed,
        "data docs": result.docs,
    }
    values = {"batch": batch_id, "error_rate": result.error_rate, "failed": failed}
    send(settings, catalogue.BAD_DATA, details, send_mail, **values)
    return True


def report_gaps(settings: Settings, batch_id: str, gaps: Sequence[Gap], send_mail: SendMail) -> bool:
    """Alert if a batch brought gaps that nothing has filled. One message for all; each is logged as well."""
    if not gaps:
        return False
    lines = [_line(gap) for gap in gaps]
    for line in lines:
        log.warning("gap in coverage", batch=batch_id, gap=line)
    details = {"batch": batch_id} | {f"gap {n}": line for n, line in enumerate(lines[:_LISTED], 1)}
    if len(lines) > _LISTED:
        details["and"] = f"{len(lines) - _LISTED} more"
    number = "gap" if len(lines) == 1 else f"{len(lines)} gaps"
    send(settings, catalogue.GAP, details, send_mail, batch=batch_id, gaps=number)
    return True


def report_foreign(settings: Settings, batch_id: str, send_mail: SendMail, said: str) -> None:
    """Alert on what another program has put into Redis, and what the drain has done about it: ``said``."""
    log.error("foreign data in Redis", batch=batch_id, found=said)
    send(settings, catalogue.FOREIGN_DATA, {"batch": batch_id}, send_mail, batch=batch_id, found=said)


def report_disk(settings: Settings, said: str, send_mail: SendMail) -> bool:
    """Alert on what the disk budget says of the lake's disk, if anything."""
    if said:
        log.warning("disk fills up", found=said)
        send(settings, catalogue.DISK, {"lake": str(settings.lake_path)}, send_mail, said=said)
    return bool(said)


def report_kept(settings: Settings, kept: Sequence[str], send_mail: SendMail) -> bool:
    """Alert on what maintenance keeps because something about it is wrong."""
    if not kept:
        return False
    for line in kept:
        log.warning("kept although its time is over", kept=line)
    details = {f"item {n}": line for n, line in enumerate(kept[:_LISTED], 1)}
    send(settings, catalogue.KEPT, details, send_mail, count=len(kept), said=kept[0])
    return True


def report_backup(settings: Settings, last: str, age_hours: float, send_mail: SendMail) -> bool:
    """Alert if the last complete backup set is too old, or there is none (an age below 0)."""
    if 0 <= age_hours < settings.backup_alert_hours:
        return False
    said = f"The last complete backup is {age_hours:.0f} hours old" if last else "There is no complete backup"
    details = {"place": redacted(settings.backup.partition("?")[0]), "last set": last or "none"}
    send(settings, catalogue.BACKUP_OLD, details, send_mail, said=said, hours=settings.backup_alert_hours)
    return True


def _line(gap: Gap) -> str:
    span = f"{_moment(gap.from_us)} to {_moment(gap.to_us)}"
    where = f"{gap.host} ({gap.protocol})" if gap.host else "no host"
    return f"{span}, {gap.queue or 'all types'}, {where}: {gap.reason}, {_MEANING[gap.reason]}"


def _moment(moment_us: int) -> str:
    # Times of a source: what no calendar has is shown as it came.
    try:
        return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment_us):%Y-%m-%dT%H:%M:%S.%fZ}"
    except OverflowError:
        return f"{moment_us} µs"


def _instant(run: object, name: str) -> str:
    moment = getattr(run, name, None)
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else "?"
