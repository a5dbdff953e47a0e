"""What an alert says: of a failed task, and of bad data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from firehose import alerts
from firehose.settings import Settings

Sent = list[tuple[str, str, Mapping[str, str]]]


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
    monkeypatch.setattr(alerts, "notify", lambda _settings, *alert: found.append(alert))
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
    alerts.task_failed(context())
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
    alerts.task_failed(context(**missing))
    assert len(sent) == 1


def test_wrong_settings_do_not_hide_the_failure(
    sent: Sent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("FIREHOSE_NO_SUCH_SETTING", "1")
    alerts.task_failed(context())
    assert sent == []
    assert "no alert sent for firehose_batch.drain: FIREHOSE_NO_SUCH_SETTING" in caplog.text


@pytest.mark.parametrize(
    ("result", "alerted"),
    [
        (Result(), False),
        (Result(suite_success=False, failed_expectations=["likes.did"]), True),
        (Result(error_rate=0.011), True),
    ],
)
def test_bad_data_alerts_and_good_data_does_not(sent: Sent, result: Result, alerted: bool) -> None:
    assert alerts.report_quality(Settings(max_error_rate=0.01), "20261123T204000Z", result) is alerted
    assert len(sent) == alerted
    if alerted:
        _, text, details = sent[0]
        assert details["data docs"] == "/docs/index.html"
        assert all(expectation in text for expectation in result.failed_expectations)
