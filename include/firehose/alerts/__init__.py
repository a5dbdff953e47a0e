"""What tasks raise and lower themselves: failures, bad data, foreign data, what maintenance keeps.

All else is found by the monitor (:mod:`firehose.monitor`), by looking. Both go through the same states
(delivery.py). Lives here: the details of these. Must not: their words (catalogue.py); know Airflow, whose context
comes in as a mapping, and whose mail hook as ``send_mail``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from firehose.alerts import catalogue
from firehose.alerts.alert import Alert
from firehose.alerts.delivery import Alerting
from firehose.alerts.sinks import SendMail
from firehose.alerts.state import Finding
from firehose.errors import NotListening, ServiceUnavailable
from firehose.settings import Settings, SettingsError, load, redacted
from ingester.contract.logs import get_logger

__all__ = [
    "SendMail",
    "found",
    "report_foreign",
    "report_kept",
    "report_legacy",
    "report_quality",
    "send",
    "task_failed",
    "task_succeeded",
]

log = get_logger(__name__)

#: At most this many items are listed one by one.
_LISTED: Final = 20
#: The services whose absence explains a failure because of an absent service.
_SERVICES: Final = ("redis_away", "redis_cannot_write", "clickhouse_away")
#: Each of its runs is an interval of its own: one over another interval that succeeds mends nothing.
_BY_INTERVAL: Final = ("firehose_batch", "firehose_backfill")


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


def found(
    alert: Alert, details: Mapping[str, str], *, about: str = "", since: datetime | None = None, **values: object
) -> Finding:
    """That an alert's condition is there, ``since`` then; ``values`` go into its words."""
    title, text = alert.words(values)
    return Finding(alert=alert, title=title, text=text, details=dict(details), about=about, since=since)


def send(
    settings: Settings,
    alert: Alert,
    details: Mapping[str, str],
    send_mail: SendMail,
    *,
    item: str = "",
    **values: Any,
) -> None:
    """Raise an alert of the catalogue from a task; see :meth:`firehose.alerts.delivery.Alerting.raise_`."""
    Alerting(settings, send_mail).raise_(found(alert, details, about="", since=None, **values), item)


def task_failed(context: Mapping[str, Any], send_mail: SendMail) -> None:
    """Report a failed task, from the context that Airflow hands to a callback. Never raises for a sink.

    That nothing listened is not a task's fault: the monitor sees the ingester itself, and intervals that stay
    without a batch.
    """
    ti, run = context["ti"], context.get("dag_run")
    error = context.get("exception")
    reason = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(error or "unknown")
    if isinstance(error, NotListening):
        log.warning("nothing listened; the monitor says so", dag=ti.dag_id, task=ti.task_id, run=ti.run_id)
        return
    details = {
        "dag": ti.dag_id,
        "task": ti.task_id,
        "run": ti.run_id,
        "interval": f"{_instant(run, 'data_interval_start')} to {_instant(run, 'data_interval_end')}",
        "try": str(ti.try_number),
        "log": str(getattr(ti, "log_url", "") or "see Airflow"),
    }
    if (settings := _settings(ti)) is None:
        return
    about, said = f"{ti.dag_id}.{ti.task_id}", redacted(reason)
    finding = found(catalogue.TASK_FAILED, details, about=about, dag=ti.dag_id, task=ti.task_id, reason=said)
    causes = _SERVICES if isinstance(error, ServiceUnavailable) else ()
    Alerting(settings, send_mail).raise_(finding, _item(context), causes)


def task_succeeded(context: Mapping[str, Any], send_mail: SendMail) -> None:
    """Lower what :func:`task_failed` has raised: for this interval, or for all where any run will do."""
    ti = context["ti"]
    if settings := _settings(ti):
        item = _item(context) if ti.dag_id in _BY_INTERVAL else ""
        Alerting(settings, send_mail).lower(catalogue.TASK_FAILED, f"{ti.dag_id}.{ti.task_id}", item)


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
    words: dict[str, Any] = {"batch": batch_id, "error_rate": result.error_rate, "failed": failed}
    send(settings, catalogue.BAD_DATA, details, send_mail, item=batch_id, **words)
    return True


def report_foreign(settings: Settings, batch_id: str, send_mail: SendMail, said: str) -> None:
    """Alert on what another program has put into Redis, and what the drain has done about it: ``said``."""
    log.error("foreign data in Redis", batch=batch_id, found=said)
    details = {"batch": batch_id}
    send(settings, catalogue.FOREIGN_DATA, details, send_mail, item=batch_id, batch=batch_id, found=said)


def report_kept(settings: Settings, kept: Sequence[str], send_mail: SendMail) -> bool:
    """Alert on what maintenance keeps because something about it is wrong; or say that nothing is any more."""
    if not kept:
        Alerting(settings, send_mail).lower(catalogue.KEPT)
        return False
    for line in kept:
        log.warning("kept although its time is over", kept=line)
    details = {f"item {n}": line for n, line in enumerate(kept[:_LISTED], 1)}
    send(settings, catalogue.KEPT, details, send_mail, count=len(kept), said=kept[0])
    return True


def report_legacy(settings: Settings, day: str, problems: Sequence[str], send_mail: SendMail) -> bool:
    """Alert on what a day's comparison with the old system found; or say that a later day passed."""
    if not problems:
        Alerting(settings, send_mail).lower(catalogue.LEGACY_DIFFERS)
        return False
    details = {f"item {n}": line for n, line in enumerate(problems[:_LISTED], 1)}
    send(settings, catalogue.LEGACY_DIFFERS, details, send_mail, day=day, said="; ".join(problems[:3]))
    return True


def _item(context: Mapping[str, Any]) -> str:
    """The interval of a run; a run that is made anew over it is about the same."""
    start = _instant(context.get("dag_run"), "data_interval_start")
    return str(context["ti"].run_id) if start == "?" else start


def _settings(ti: Any) -> Settings | None:
    try:
        return load()
    except SettingsError as problem:
        log.error("alert not sent", dag=ti.dag_id, task=ti.task_id, reason=problem)
        return None


def _instant(run: object, name: str) -> str:
    moment = getattr(run, name, None)
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else "?"
