"""Checks of where alerts go: whether anything is set, and whether it can be reached. Sends none."""

from __future__ import annotations

import smtplib
import socket
import ssl
from typing import Final
from urllib.parse import unquote, urlsplit

from firehose.settings import Settings
from firehose_cli.doctor.check import Check, Finding, failure, not_checked, ok, warning

_TIMEOUT_S: Final = 8.0
_PORTS: Final = {"http": 80, "https": 443}


def anywhere(settings: Settings) -> Finding:
    """Somebody is told of alerts."""
    named = [
        *(["mail"] if settings.alert_email else []),
        *(["a webhook"] if settings.alert_webhook_url else []),
        *(["Slack"] if settings.alert_slack_url else []),
    ]
    if not named:
        return warning(
            "alerts go nowhere but to the logs",
            "set FIREHOSE_ALERT_EMAIL, FIREHOSE_ALERT_WEBHOOK_URL or FIREHOSE_ALERT_SLACK_URL",
        )
    return ok(f"alerts go to {' and '.join(named)}")


def mail(settings: Settings) -> Finding:
    """The mail server answers, and takes the login."""
    if not settings.smtp_url:
        return not_checked("FIREHOSE_SMTP_URL is not set")
    parts = urlsplit(settings.smtp_url)
    name, port = parts.hostname or "", parts.port or (465 if parts.scheme == "smtps" else 25)
    try:
        with _connected(parts.scheme, name, port) as server:
            if server.has_extn("starttls"):
                server.starttls(context=ssl.create_default_context())
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.noop()
    except smtplib.SMTPAuthenticationError:
        return failure(f"{name}:{port} refuses the login", "see to user and password in FIREHOSE_SMTP_URL")
    except (OSError, smtplib.SMTPException) as error:
        said = " ".join(str(error).split())
        return failure(
            f"{name}:{port} takes no mail ({said:.150})", "see to FIREHOSE_SMTP_URL and the mail server"
        )
    return ok(f"{name}:{port} answers{' and takes the login' if parts.username else ''}")


def _connected(scheme: str, name: str, port: int) -> smtplib.SMTP:
    if scheme == "smtps":
        return smtplib.SMTP_SSL(name, port, timeout=_TIMEOUT_S, context=ssl.create_default_context())
    return smtplib.SMTP(name, port, timeout=_TIMEOUT_S)


def webhook(settings: Settings) -> Finding:
    """Something listens where the webhook is. Nothing is posted."""
    return _listens(settings.alert_webhook_url, "FIREHOSE_ALERT_WEBHOOK_URL")


def slack(settings: Settings) -> Finding:
    """Something listens where Slack's webhook is. Nothing is posted."""
    return _listens(settings.alert_slack_url, "FIREHOSE_ALERT_SLACK_URL")


def _listens(url: str, setting: str) -> Finding:
    if not url:
        return not_checked(f"{setting} is not set")
    parts = urlsplit(url)
    name, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    try:
        socket.create_connection((name, port), timeout=_TIMEOUT_S).close()
    except OSError as error:
        return failure(f"{name}:{port} does not answer ({error})", f"see to {setting}")
    return ok(f"{name}:{port} answers")


CHECKS: Final = (
    Check("alerts.anywhere", anywhere),
    Check("alerts.mail", mail, timeout_s=25.0),
    Check("alerts.webhook", webhook),
    Check("alerts.slack", slack),
)
