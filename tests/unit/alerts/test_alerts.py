"""What an alert says: of a failed task, and of bad data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from firehose import alerts
from firehose.alerts.catalogue import Notice
from firehose.alerts.sinks import SendMail
from firehose.settings import Settings
from ingester.contract.gap import Gap, Reason

Sent = list[tuple[str, str, Mapping[str, str]]]


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
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What was handed to the sinks."""
    found: Sent = []

    def keep(_settings: Settings, notice: Notice, _send_mail: SendMail) -> None:
        found.append((notice.title, notice.text, notice.details))

    monkeypatch.setattr(alerts, "notify", keep)
    return found


def context(**changes: Any) -> dict[str, Any]:
    """What Airflow hands to a callback."""
    ti = SimpleNamespace(
        dag_id="firehose_batch", task_id="drain", run_id="scheduled__1", try_number=6, log_url="http://x/log"
    )
    start, end = datetime(2026, 11, 23, 20, 40, tzinfo=UTC), datetime(2026, 11, 23, 20, 45, tzinfo=UTC)
    run = SimpleNamespace(data_interval_start=start, data_interval_end=end)
    return {"ti": ti, "dag_run": run, "exception": OSError("redis://user:pw@host is away")} | changes


def test_a_failed_task_is_named_with_its_run_interval_try_and_log(sent: Sent) -> None:
    alerts.task_failed(context(), no_mail)
    ((title, text, details),) = sent
    assert title == "firehose_batch.drain failed"
    assert text == "OSError: redis://***@host is away"
    assert details == {
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


@pytest.mark.parametrize(
    ("result", "alerted"),
    [
        (Result(), False),
        (Result(suite_success=False, failed_expectations=["likes.did"]), True),
        (Result(error_rate=0.011), True),
    ],
)
def test_bad_data_alerts_and_good_data_does_not(sent: Sent, result: Result, alerted: bool) -> None:
    assert alerts.report_quality(Settings(max_error_rate=0.01), "20261123T204000Z", result, no_mail) is alerted
    assert len(sent) == alerted
    if alerted:
        _, text, details = sent[0]
        assert details["data docs"] == "/docs/index.html"
        assert all(expectation in text for expectation in result.failed_expectations)


def gap(number: int, reason: Reason = Reason.LATE, **more: Any) -> Gap:
    """A gap of one minute."""
    start = 1_795_465_800_000_000 + number * 60_000_000
    return Gap(id=f"g{number}", reason=reason, from_us=start, to_us=start + 60_000_000, noted_us=1, **more)


def test_no_gap_is_no_alert(sent: Sent) -> None:
    assert not alerts.report_gaps(Settings(), "b", [], no_mail)
    assert sent == []


def test_every_gap_is_listed_in_one_alert_and_in_the_log(sent: Sent, caplog: pytest.LogCaptureFixture) -> None:
    gaps = [gap(0, queue="likes", host="wss://one", protocol="v2"), gap(1, Reason.NOT_LISTENING)]
    assert alerts.report_gaps(Settings(), "20261123T205000Z", gaps, no_mail)
    ((title, text, details),) = sent
    assert title == "2 gaps in coverage, batch 20261123T205000Z"
    assert "firehose coverage --open" in text
    assert details["gap 1"] == (
        "2026-11-23T20:30:00.000000Z to 2026-11-23T20:31:00.000000Z, likes, wss://one (v2): "
        "late, the host began later than it was asked to"
    )
    assert details["gap 2"].endswith("all types, no host: not_listening, nothing listened")
    assert all(details[f"gap {n}"] in caplog.text for n in (1, 2))


def test_a_flood_of_gaps_is_one_short_alert_and_a_long_log(sent: Sent, caplog: pytest.LogCaptureFixture) -> None:
    alerts.report_gaps(Settings(), "b", [gap(n) for n in range(50)], no_mail)
    ((_, _, details),) = sent
    assert details["and"] == "30 more"
    assert len(details) == 22
    assert len(caplog.records) == 50


def test_every_reason_has_a_meaning_and_any_time_can_be_shown(sent: Sent) -> None:
    odd = Gap(id="x", reason=Reason.REFUSED, from_us=-(10**20), to_us=10**20, noted_us=1)
    for number, reason in enumerate(Reason):
        assert alerts.report_gaps(Settings(), "b", [gap(number, reason), odd], no_mail)
