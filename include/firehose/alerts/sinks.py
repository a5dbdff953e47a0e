"""Sends an alert: by mail and by webhook (an HTTP POST of JSON).

Must not: raise for a sink that fails, since the failure that is being reported matters more; log a secret; know
SMTP, since the caller hands in what sends a mail (Airflow's tasks: the SMTP provider's hook).
"""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Callable
from email.message import EmailMessage
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

from firehose.alerts.catalogue import Notice
from firehose.settings import Settings
from ingester.contract.logs import get_logger

log = get_logger(__name__)

_TIMEOUT_S: Final = 10.0

#: Sends a mail through the server of ``FIREHOSE_SMTP_URL``. May raise anything.
SendMail = Callable[[EmailMessage], None]


def notify(settings: Settings, notice: Notice, send_mail: SendMail) -> None:
    """Send an alert to every sink that is set. A sink that fails is one line in the log, and the next is tried."""
    if not settings.alert_email and not settings.alert_webhook_url:
        log.warning(
            "no alert sink is set",
            alert=notice.name,
            title=notice.title,
            text=notice.text,
            hint="set FIREHOSE_ALERT_EMAIL or FIREHOSE_ALERT_WEBHOOK_URL",
        )
    if settings.alert_email:
        message = _message(settings, notice)
        _try("mail", settings.smtp_url, lambda: _mail(settings.smtp_url, message, send_mail))
    if settings.alert_webhook_url:
        body = msgspec.json.encode(
            {
                "alert": notice.name,
                "severity": notice.severity,
                "title": notice.title,
                # The field that chat services show; the others are for programs.
                "text": f"{notice.title}: {notice.text}\n" + _lines(notice),
                "reason": notice.text,
                "runbook": notice.runbook,
                "details": notice.details,
                "host": socket.gethostname(),
            }
        )
        _try("webhook", settings.alert_webhook_url, lambda: _post(settings.alert_webhook_url, body))


def _try(sink: str, url: str, send: Callable[[], None]) -> None:
    host = _host(url)
    try:
        send()
    except Exception as error:  # noqa: BLE001 - whatever a sink has, the failure that is being reported goes on
        # An error's text may repeat the address, and a webhook's address is its password.
        said = " ".join(str(error).replace(url, "***").split()) if url else str(error)
        log.error("alert not sent", sink=sink, host=host, reason=f"{type(error).__name__}: {said}")
    else:
        log.info("alert sent", sink=sink, host=host)


def _message(settings: Settings, notice: Notice) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = " ".join(f"[firehose] {notice.title}".split())
    message["To"] = settings.alert_email
    user = unquote(urlsplit(settings.smtp_url).username or "")
    message["From"] = user if "@" in user else f"firehose@{socket.gethostname()}"
    message.set_content(f"{notice.text}\n\n{_lines(notice)}\n")
    return message


def _mail(url: str, message: EmailMessage, send_mail: SendMail) -> None:
    if not url:
        raise ValueError("FIREHOSE_SMTP_URL is not set; it must be smtp://host:port or smtps://host:port")
    send_mail(message)


def _post(url: str, body: bytes) -> None:
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("FIREHOSE_ALERT_WEBHOOK_URL must be an http:// or https:// address")
    request = urllib.request.Request(  # noqa: S310 - the scheme is checked above
        url, data=body, headers={"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310 - as above
        pass


def _lines(notice: Notice) -> str:
    return "\n".join(f"{name}: {value}" for name, value in (*notice.details.items(), ("runbook", notice.runbook)))


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "(no host)"
    except ValueError:
        return "(no host)"
