"""What sinks are given, against a real HTTP server. How a mail is sent: tests/dags/test_connections.py."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from firehose.alerts.catalogue import Notice, Severity
from firehose.alerts.sinks import notify
from firehose.settings import Settings
from tests.support.sinks import Webhook, web_server

SECRET = "s3cret-token"
PATH = f"hooks/{SECRET}"
DETAILS = {"dag": "firehose_batch", "log": "http://localhost:8080/log"}


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with web_server() as server:
        yield server


def notice(title: str) -> Notice:
    """An alert with its words filled in."""
    return Notice("gap", Severity.WARNING, title, "Redis is away", "docs/operations.md#runbook", DETAILS)


def no_mail(message: EmailMessage) -> None:
    """What would send a mail."""
    raise AssertionError(message)


@pytest.mark.parametrize(
    ("login", "sender"), [("", "firehose@"), ("user:pw@", "firehose@"), ("me%40example.org:pw@", "me@example.org")]
)
def test_mail_says_what_where_and_how(login: str, sender: str) -> None:
    sent: list[EmailMessage] = []
    settings = Settings(alert_email="ops@example.org", smtp_url=f"smtp://{login}127.0.0.1")
    notify(settings, notice("drain\nfailed"), sent.append)
    (mail,) = sent
    assert mail["Subject"] == "[firehose] drain failed"
    assert mail["To"] == "ops@example.org"
    assert mail["From"].startswith(sender)
    text = mail.get_content()
    assert "Redis is away" in text
    assert "log: http://localhost:8080/log" in text
    assert "runbook: docs/operations.md#runbook" in text


def test_webhook_gets_text_for_people_and_fields_for_programs(webhook: Webhook) -> None:
    notify(Settings(alert_webhook_url=webhook.url(PATH)), notice("drain failed"), no_mail)
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

    notify(settings, notice("title"), fail)
    assert len(webhook.bodies) == 1
    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert record.getMessage() == (
        'event="alert not sent" sink=mail host=mail.example.org reason="RuntimeError: whatever a hook says of ***"'
    )
    assert SECRET not in caplog.text


def test_a_mail_address_without_a_server_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    notify(Settings(alert_email="ops@example.org"), notice("title"), no_mail)
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
    notify(Settings(alert_webhook_url=url.format(SECRET)), notice("title"), no_mail)
    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert re.search(reason, record.getMessage())
    assert SECRET not in caplog.text


def test_a_refusing_webhook_is_reported(webhook: Webhook, caplog: pytest.LogCaptureFixture) -> None:
    webhook.status = 500
    notify(Settings(alert_webhook_url=webhook.url(PATH)), notice("title"), no_mail)
    assert "HTTP Error 500" in caplog.text
    assert SECRET not in caplog.text


def test_no_sink_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        notify(Settings(), notice("title"), no_mail)
    assert "no alert sink is set" in caplog.text
