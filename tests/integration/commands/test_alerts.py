"""``firehose alerts``, ``firehose deadman`` and the lines of ``firehose coverage``, as an operator runs them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from firehose.alerts import report_kept
from firehose.alerts.smtp import mailer
from firehose.batch.coverage import record_silence
from firehose.batch.interval import Batch
from firehose.settings import Settings
from tests.support.command import firehose
from tests.support.sinks import mail_server, web_server

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    folder = tmp_path / "lake"
    folder.mkdir()
    return folder


def test_the_list_says_what_is_firing_and_since_when(tmp_path: Path, lake: Path) -> None:
    calm = firehose("alerts", home=tmp_path, lake=lake)
    assert calm.returncode == 0 and "0 firing, 0 in all; the monitor has not run yet" in calm.stderr
    settings = Settings(home=str(tmp_path), lake=str(lake))
    report_kept(settings, ["x is damaged"], mailer(settings))
    listed = firehose("alerts", home=tmp_path, lake=lake)
    assert listed.returncode == 1
    assert "kept_although_over" in listed.stdout and "1 firing" in listed.stderr
    (line,) = firehose("alerts", "--json", home=tmp_path, lake=lake).stdout.splitlines()
    told = json.loads(line)
    assert (told["key"], told["phase"]) == ("kept_although_over", "firing")
    assert datetime.fromisoformat(told["since"]) <= datetime.now(UTC)


def test_a_test_says_which_sink_worked(tmp_path: Path, lake: Path) -> None:
    with mail_server(0) as mailbox, web_server() as webhook:
        sinks = {
            "alert_email": "ops@example.org",
            "smtp_url": f"smtp://127.0.0.1:{mailbox.port}",
            "alert_webhook_url": webhook.url(),
            "alert_slack_url": f"{NOWHERE}/slack",
        }
        done = firehose("alerts", "test", home=tmp_path, lake=lake, **sinks)
        assert done.returncode == 1
        assert done.stdout.splitlines() == ["mail: sent", "webhook: sent"]
        assert "slack: URLError" in done.stderr
        assert [mail["Subject"] for mail in mailbox.received] == ["[firehose] a test of the alerts"]
        assert webhook.bodies[0]["state"] == "test"
        del sinks["alert_slack_url"]
        assert firehose("alerts", "test", home=tmp_path, lake=lake, **sinks).returncode == 0
    none = firehose("alerts", "test", home=tmp_path, lake=lake)
    assert none.returncode == 1 and "no sink is set" in none.stderr


def test_a_silence_is_kept_shown_and_ended(tmp_path: Path, lake: Path) -> None:
    where: dict[str, Any] = {"home": tmp_path, "lake": lake}
    settings = Settings(home=str(tmp_path), lake=str(lake))
    done = firehose("alerts", "silence", "kept_although_over", "--for", "2h", "--why", "known", **where)
    assert done.returncode == 0 and "silent until" in done.stdout
    with web_server() as webhook:
        report_kept(Settings(home=str(tmp_path), lake=str(lake), alert_webhook_url=webhook.url()), ["x"], print)
        assert webhook.bodies == []
    assert "known" in firehose("alerts", **where).stdout
    assert firehose("alerts", "silence", "kept_although_over", "--for", "0m", **where).returncode == 0
    assert "known" not in firehose("alerts", **where).stdout
    assert settings.local_lake.joinpath("_alerts", "state.json").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "'nonsense' is not an alert; there are redis_away, "),
        (["lag", "--for", "soon"], "--for soon: write it like 30m, 2h or 3d"),
    ],
)
def test_a_wrong_silence_is_one_line(tmp_path: Path, lake: Path, arguments: list[str], said: str) -> None:
    done = firehose("alerts", "silence", *arguments, home=tmp_path, lake=lake)
    assert done.returncode != 0 and said in done.stderr and "Traceback" not in done.stderr


def test_the_deadman_prints_a_line_a_problem(tmp_path: Path, lake: Path) -> None:
    away: dict[str, Any] = {
        "redis_url": "redis://127.0.0.1:1/0",
        "clickhouse_url": NOWHERE,
        "airflow_url": NOWHERE,
    }
    done = firehose("deadman", home=tmp_path, lake=lake, **away)
    assert done.returncode == 1
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == [
        "redis_away",
        "airflow_away",
        "clickhouse_away",
    ]
    assert "Traceback" not in done.stderr


def test_an_hour_of_silence_is_one_line_of_coverage_and_each_shows_the_records(tmp_path: Path, lake: Path) -> None:
    settings = Settings(home=str(tmp_path), lake=str(lake))
    start = datetime(2026, 11, 23, 20, tzinfo=UTC)
    for number in range(60):
        begin = start + timedelta(minutes=number)
        record_silence(settings.lake_path, Batch.of(begin, begin + timedelta(minutes=1)))
    away: dict[str, Any] = {"home": tmp_path, "lake": lake, "redis_url": "redis://127.0.0.1:1/0"}
    done = firehose("coverage", "--open", **away)
    (line,) = [line for line in done.stdout.splitlines() if "not_listening" in line]
    assert "2026-11-23T20:00" in line and "1 h 0 min" in line and line.split()[-1] == "60"
    assert "gaps: 60, 60 open; 3,600.000 s" in done.stderr
    each = firehose("coverage", "--open", "--each", **away)
    assert sum("not_listening" in line for line in each.stdout.splitlines()) == 60
    assert len(firehose("coverage", "--json", **away).stdout.splitlines()) == 60
