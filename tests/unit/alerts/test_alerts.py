"""What tasks raise and lower: failures, bad data, what maintenance keeps."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from firehose import alerts
from firehose.alerts import delivery
from firehose.alerts.alert import Kind, Notice
from firehose.alerts.sinks import SendMail
from firehose.errors import CorruptLake, NotListening
from firehose.settings import Settings, load

Sent = list[Notice]


def no_mail(message: EmailMessage) -> None:
    """What would send a mail."""
    raise AssertionError(message)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A validation's result."""

    good: int = 990
    quarantined: int = 10
    error_rate: float = 0.01
    suite_success: bool = True
    failed_expectations: list[str] = []
    docs: str = "/docs/index.html"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sent:
    """What was handed to the sinks, of a pipeline with its lake in ``tmp_path``."""
    found: Sent = []

    def keep(_settings: Settings, notice: Notice, _send_mail: SendMail, _to: Iterable[str]) -> dict[str, str]:
        found.append(notice)
        return {}

    monkeypatch.setattr(delivery, "deliver", keep)
    monkeypatch.setenv("FIREHOSE_LAKE", str(tmp_path))
    return found


def context(
    *, dag_id: str = "firehose_batch", run_id: str = "scheduled__1", minute: int = 40, **changes: Any
) -> dict[str, Any]:
    """What Airflow hands to a callback."""
    ti = SimpleNamespace(dag_id=dag_id, task_id="drain", run_id=run_id, try_number=6, log_url="http://x/log")
    start, end = datetime(2026, 11, 23, 20, minute, tzinfo=UTC), datetime(2026, 11, 23, 20, 45, tzinfo=UTC)
    run = SimpleNamespace(data_interval_start=start, data_interval_end=end)
    return {"ti": ti, "dag_run": run, "exception": OSError("redis://user:pw@host is away")} | changes


def test_a_failed_task_is_named_with_its_run_interval_try_and_log(sent: Sent) -> None:
    alerts.task_failed(context(), no_mail)
    (notice,) = sent
    assert notice.title == "firehose_batch.drain failed"
    assert notice.text == "OSError: redis://***@host is away"
    assert notice.details == {
        "dag": "firehose_batch",
        "task": "drain",
        "run": "scheduled__1",
        "interval": "2026-11-23T20:40:00Z to 2026-11-23T20:45:00Z",
        "try": "6",
        "log": "http://x/log",
    }


@pytest.mark.parametrize("missing", [{"exception": None}, {"exception": "killed"}, {"dag_run": None}])
def test_a_context_without_its_usual_parts_still_alerts(sent: Sent, missing: dict[str, Any]) -> None:
    # The DAG processor calls back for a task whose process is gone, and knows less.
    alerts.task_failed(context(**missing), no_mail)
    assert len(sent) == 1


def test_wrong_settings_do_not_hide_the_failure(
    sent: Sent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("FIREHOSE_NO_SUCH_SETTING", "1")
    alerts.task_failed(context(), no_mail)
    assert sent == []
    assert 'event="alert not sent" dag=firehose_batch task=drain reason="FIREHOSE_NO_SUCH_SETTING' in caplog.text


def test_a_failure_is_told_once_and_is_over_when_its_run_has_succeeded(sent: Sent) -> None:
    for minute in (1, 2, 1):
        alerts.task_failed(context(minute=minute), no_mail)
    alerts.task_succeeded(context(minute=3), no_mail)
    alerts.task_succeeded(context(minute=1, run_id="made anew"), no_mail)
    assert [notice.kind for notice in sent] == [Kind.FIRING]
    alerts.task_succeeded(context(minute=2), no_mail)
    alerts.task_succeeded(context(minute=2), no_mail)
    assert [notice.kind for notice in sent] == [Kind.FIRING, Kind.CLEARED]
    assert sent[1].thread == sent[0].thread


def test_any_later_run_will_do_where_runs_are_not_intervals(sent: Sent) -> None:
    alerts.task_failed(context(dag_id="firehose_summaries"), no_mail)
    alerts.task_succeeded(context(dag_id="firehose_summaries", run_id="another"), no_mail)
    assert [notice.kind for notice in sent] == [Kind.FIRING, Kind.CLEARED]


def test_a_check_that_fails_each_hour_is_one_mail_until_it_succeeds(sent: Sent) -> None:
    for minute in (1, 2, 3):
        unsound = context(
            dag_id="firehose_maintenance", minute=minute, exception=CorruptLake("an hour is not sound")
        )
        alerts.task_failed(unsound, no_mail)
    assert [notice.kind for notice in sent] == [Kind.FIRING]
    alerts.task_succeeded(context(dag_id="firehose_maintenance", minute=4), no_mail)
    assert [notice.kind for notice in sent] == [Kind.FIRING, Kind.CLEARED]
    assert sent[1].thread == sent[0].thread


def test_that_nothing_listened_is_not_the_tasks_failure(sent: Sent) -> None:
    alerts.task_failed(context(exception=NotListening("b")), no_mail)
    assert sent == []


@pytest.mark.parametrize(
    ("result", "alerted"),
    [
        (Result(), False),
        (Result(suite_success=False, failed_expectations=["likes.did"]), True),
        (Result(error_rate=0.011), True),
    ],
)
def test_bad_data_alerts_and_good_data_does_not(sent: Sent, result: Result, alerted: bool) -> None:
    assert alerts.report_quality(load(max_error_rate=0.01), "20261123T204000Z", result, no_mail) is alerted
    assert len(sent) == alerted
    if alerted:
        assert sent[0].details["data docs"] == "/docs/index.html"
        assert all(expectation in sent[0].text for expectation in result.failed_expectations)


def test_what_maintenance_keeps_is_told_until_it_keeps_nothing(sent: Sent) -> None:
    for kept in ([], ["a is damaged"], ["a is damaged", "b too"], []):
        assert alerts.report_kept(load(), kept, no_mail) is bool(kept)
    firing, cleared = sent
    assert (firing.kind, cleared.kind) == (Kind.FIRING, Kind.CLEARED)
    assert firing.details == {"item 1": "a is damaged"} and "a is damaged" in firing.text
    assert cleared.details == {"item 1": "a is damaged", "item 2": "b too"}
