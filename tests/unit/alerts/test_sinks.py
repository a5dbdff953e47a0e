"""What sinks are given, against a real HTTP server. How a mail is sent: tests/dags/test_connections.py."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

import pytest

from firehose.alerts.alert import Kind, Notice, Severity
from firehose.alerts.sinks import SendMail, deliver, sinks
from firehose.alerts.smtp import mailer
from firehose.settings import Settings
from tests.support.sinks import Webhook, web_server

SECRET = "s3cret-token"
PATH = f"hooks/{SECRET}"
DETAILS = {"dag": "firehose_batch", "log": "http://localhost:8080/log"}


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with web_server() as server:
        yield server


AT = datetime(2026, 11, 26, 12, tzinfo=UTC)


def notice(title: str, kind: Kind = Kind.FIRING, minutes: int = 0) -> Notice:
    """An alert with its words filled in."""
    return Notice(
        "gap",
        Severity.WARNING,
        title,
        "Redis is away",
        "docs/operations.md#runbook",
        DETAILS,
        kind=kind,
        key="gap",
        since=AT,
        at=AT + timedelta(minutes=minutes),
        until=AT + timedelta(minutes=minutes) if kind is Kind.CLEARED else None,
        thread="gap.20261126T120000",
        causes=("one", "another"),
        also=("no data",),
    )


def tell(settings: Settings, notice: Notice, send_mail: SendMail) -> dict[str, str]:
    """Send it to every sink that is set."""
    return deliver(settings, notice, send_mail, sinks(settings))


def no_mail(message: EmailMessage) -> None:
    """What would send a mail."""
    raise AssertionError(message)


@pytest.mark.parametrize(
    ("login", "sender"), [("", "firehose@"), ("user:pw@", "firehose@"), ("me%40example.org:pw@", "me@example.org")]
)
def test_mail_says_what_where_and_how(login: str, sender: str) -> None:
    sent: list[EmailMessage] = []
    settings = Settings(alert_email="ops@example.org", smtp_url=f"smtp://{login}127.0.0.1")
    tell(settings, notice("drain\nfailed"), sent.append)
    (mail,) = sent
    assert mail["Subject"] == "[firehose] drain failed"
    assert mail["To"] == "ops@example.org"
    assert mail["From"].startswith(sender)
    text = mail.get_content()
    assert "Redis is away" in text
    assert "log: http://localhost:8080/log" in text
    assert "runbook: docs/operations.md#runbook" in text


def test_webhook_gets_text_for_people_and_fields_for_programs(webhook: Webhook) -> None:
    tell(Settings(alert_webhook_url=webhook.url(PATH)), notice("drain failed"), no_mail)
    (body,) = webhook.bodies
    assert body["title"] == "drain failed"
    assert body["text"].startswith("drain failed: Redis is away")
    assert body["details"] == DETAILS
    told = {"alert": "gap", "severity": "warning", "runbook": "docs/operations.md#runbook"}
    assert told.items() <= body.items()


def test_a_sink_that_fails_is_one_line_and_the_other_still_delivers(
    webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(
        alert_email="ops@example.org",
        smtp_url=f"smtp://user:{SECRET}@mail.example.org",
        alert_webhook_url=webhook.url(PATH),
    )

    def fail(_message: EmailMessage) -> None:
        raise RuntimeError(f"whatever a hook says\nof {settings.smtp_url}")

    tell(settings, notice("title"), fail)
    assert len(webhook.bodies) == 1
    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert record.getMessage() == (
        'event="alert not sent" sink=mail host=mail.example.org '
        'reason="RuntimeError: whatever a hook says of ***" alert=gap kind=firing'
    )
    assert SECRET not in caplog.text


def test_a_mail_address_without_a_server_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(alert_email="ops@example.org")
    tell(settings, notice("title"), mailer(settings))
    (record,) = caplog.records
    assert "FIREHOSE_SMTP_URL is not set" in record.getMessage()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://example.org/{}", "must be an http"),
        ("http://127.0.0.1:port/{}", "Port could not be cast|nonnumeric port"),
        ("http://bad host/{}", "control characters"),
    ],
)
def test_a_wrong_webhook_address_is_one_line_without_it(
    url: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    tell(Settings(alert_webhook_url=url.format(SECRET)), notice("title"), no_mail)
    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert re.search(reason, record.getMessage())
    assert SECRET not in caplog.text


def test_a_refusing_webhook_is_reported(webhook: Webhook, caplog: pytest.LogCaptureFixture) -> None:
    webhook.status = 500
    tell(Settings(alert_webhook_url=webhook.url(PATH)), notice("title"), no_mail)
    assert "HTTP Error 500" in caplog.text
    assert SECRET not in caplog.text


def test_no_sink_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        tell(Settings(), notice("title"), no_mail)
    assert "no alert sink is set" in caplog.text


def test_mails_of_one_alert_are_a_thread_with_dates() -> None:
    sent: list[EmailMessage] = []
    settings = Settings(
        alert_email="ops@example.org", alert_escalate_email="boss@example.org", smtp_url="smtp://127.0.0.1"
    )
    for kind, minutes in ((Kind.FIRING, 0), (Kind.ESCALATED, 60), (Kind.CLEARED, 65)):
        tell(settings, notice("drain failed", kind, minutes), sent.append)
    first, second, last = sent
    assert [mail["Subject"].removeprefix("[firehose] ") for mail in sent] == [
        "drain failed",
        "still: drain failed",
        "over: drain failed",
    ]
    assert parsedate_to_datetime(first["Date"]) == AT
    assert len({mail["Message-ID"] for mail in sent}) == 3
    assert first["In-Reply-To"] is None
    assert second["In-Reply-To"] == last["In-Reply-To"] == last["References"] == first["Message-ID"]
    assert [mail["To"] for mail in sent] == [
        "ops@example.org",
        "ops@example.org, boss@example.org",
        "ops@example.org",
    ]
    assert "likely causes: one; another" in first.get_content() and "with it go: no data" in first.get_content()
    assert "It lasted 1 h 5 min, from 2026-11-26 12:00 UTC to 2026-11-26 13:05 UTC" in last.get_content()


def test_slack_gets_its_own_form_with_its_characters_escaped(webhook: Webhook) -> None:
    settings = Settings(alert_slack_url=webhook.url(PATH))
    assert tell(settings, notice("a <b> & c"), no_mail) == {"slack": ""}
    (body,) = webhook.bodies
    assert body["text"] == "a &lt;b&gt; &amp; c"
    (section,) = body["blocks"]
    assert section["text"]["type"] == "mrkdwn" and section["text"]["text"].startswith(
        "*a &lt;b&gt; &amp; c*\nRedis"
    )


def test_a_sink_is_only_tried_when_it_is_asked_for(webhook: Webhook) -> None:
    settings = Settings(alert_slack_url=webhook.url(), alert_webhook_url=webhook.url())
    assert deliver(settings, notice("x"), no_mail, ["webhook"]) == {"webhook": ""}
    assert len(webhook.bodies) == 1
