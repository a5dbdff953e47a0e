"""Tells somebody that something is wrong: by mail, by webhook, or both, as the settings say.

Lives here: what an alert says, and when there is one. Must not: send it (sinks.py), or know Airflow, whose context
comes in as a mapping.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Protocol

from firehose.alerts.sinks import notify
from firehose.settings import Settings, SettingsError, load, redacted

__all__ = ["notify", "report_quality", "task_failed"]

log = logging.getLogger(__name__)


class Quality(Protocol):
    """The part of a validation's result that decides whether somebody is told."""

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


def task_failed(context: Mapping[str, Any]) -> None:
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
        log.error("no alert sent for %s.%s: %s", ti.dag_id, ti.task_id, problem)
        return
    notify(settings, f"{ti.dag_id}.{ti.task_id} failed", redacted(reason), details)


def report_quality(settings: Settings, batch_id: str, result: Quality) -> bool:
    """Alert if the suite failed or too many events were bad. Returns whether it was worth an alert."""
    too_many = result.error_rate > settings.max_error_rate
    if result.suite_success and not too_many:
        return False
    failed = ", ".join(result.failed_expectations) or "none"
    notify(
        settings,
        f"data quality of batch {batch_id}",
        f"{result.error_rate:.2%} of the events are quarantined; failed expectations: {failed}. "
        "The good rows are published.",
        {
            "batch": batch_id,
            "good": str(result.good),
            "quarantined": str(result.quarantined),
            "error rate": f"{result.error_rate:.4%} (limit {settings.max_error_rate:.4%})",
            "failed expectations": failed,
            "data docs": result.docs,
        },
    )
    return True


def _instant(run: object, name: str) -> str:
    moment = getattr(run, name, None)
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else "?"
