"""Alerts against a real SMTP server and a real HTTP server on loopback."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import pytest

from firehose.alerts import notify
from firehose.settings import Settings
from tests.sinks import Mailbox, Webhook, mail_server, web_server

SECRET = "s3cret-token"
PATH = f"hooks/{SECRET}"
DETAILS = {"dag": "firehose_batch", "log": "http://localhost:8080/log"}


@pytest.fixture
def mailbox(free_port: int) -> Iterator[tuple[Mailbox, str]]:
    with mail_server(free_port) as box:
        yield box, f"smtp://127.0.0.1:{free_port}"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with web_server() as server:
        yield server


def test_mail_says_what_where_and_how(mailbox: tuple[Mailbox, str]) -> None:
    box, url = mailbox
    notify(Settings(alert_email="ops@example.org", smtp_url=url), "drain\nfailed", "Redis is away", DETAILS)
    (mail,) = box.received
    assert mail["Subject"] == "[firehose] drain failed"
    assert mail["To"] == "ops@example.org"
    assert mail["From"].startswith("firehose@")
    text = mail.get_payload()
    assert "Redis is away" in text
    assert "log: http://localhost:8080/log" in text


def test_webhook_gets_text_for_people_and_fields_for_programs(webhook: Webhook) -> None:
    notify(Settings(alert_webhook_url=webhook.url(PATH)), "drain failed", "Redis is away", DETAILS)
    (body,) = webhook.bodies
    assert body["title"] == "drain failed"
    assert body["text"].startswith("drain failed: Redis is away")
    assert body["details"] == DETAILS


def test_a_sink_that_fails_is_one_line_and_the_other_still_delivers(
    webhook: Webhook, free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(
        alert_email="ops@example.org",
        smtp_url=f"smtp://user:{SECRET}@127.0.0.1:{free_port}",
        alert_webhook_url=webhook.url(PATH),
    )
    notify(settings, "title", "text", {})
    assert len(webhook.bodies) == 1
    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert "alert not sent by mail to 127.0.0.1" in record.getMessage()
    assert "\n" not in record.getMessage()
    assert SECRET not in caplog.text


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
    notify(Settings(alert_webhook_url=url.format(SECRET)), "title", "text", {})
    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert re.search(reason, record.getMessage())
    assert SECRET not in caplog.text


def test_a_refusing_webhook_is_reported(webhook: Webhook, caplog: pytest.LogCaptureFixture) -> None:
    webhook.status = 500
    notify(Settings(alert_webhook_url=webhook.url(PATH)), "title", "text", {})
    assert "HTTP Error 500" in caplog.text
    assert SECRET not in caplog.text


def test_a_password_is_not_sent_in_clear_to_another_machine(
    mailbox: tuple[Mailbox, str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, url = mailbox
    # The machine's own address is another host to the rule, and the same server to the socket.
    monkeypatch.setattr("firehose.alerts.sinks._LOOPBACK", ())
    settings = Settings(alert_email="ops@example.org", smtp_url=url.replace("//", f"//user:{SECRET}@"))
    notify(settings, "title", "text", {})
    assert "the password is not sent" in caplog.text
    assert box.received == []


def test_no_sink_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        notify(Settings(), "title", "text", {})
    assert "reaches nobody" in caplog.text
