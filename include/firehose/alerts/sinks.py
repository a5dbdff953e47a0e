"""Sends an alert: by mail (SMTP) and by webhook (an HTTP POST of JSON).

Must not: raise for a sink that fails, since the failure that is being reported matters more; log a secret.
"""

from __future__ import annotations

import logging
import smtplib
import socket
import ssl
import urllib.request
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from http.client import HTTPException
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from firehose.settings import Settings

log = logging.getLogger(__name__)

_TIMEOUT_S: Final = 10.0
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
#: What a sink that is away, slow, broken or wrongly set raises.
_SINK_ERRORS: Final = (OSError, smtplib.SMTPException, HTTPException, ValueError)


def notify(settings: Settings, title: str, text: str, details: Mapping[str, str]) -> None:
    """Send an alert to every sink that is set. A sink that fails is one line in the log, and the next is tried."""
    if not settings.alert_email and not settings.alert_webhook_url:
        log.warning(
            "alert reaches nobody (set FIREHOSE_ALERT_EMAIL or FIREHOSE_ALERT_WEBHOOK_URL): %s: %s", title, text
        )
    if settings.alert_email:
        message = _message(settings, title, text, details)
        _try("mail", settings.smtp_url, lambda: _send_mail(settings.smtp_url, message))
    if settings.alert_webhook_url:
        body = msgspec.json.encode(
            {
                "title": title,
                # The field that chat services show; the others are for programs.
                "text": f"{title}: {text}\n" + _lines(details),
                "reason": text,
                "details": details,
                "host": socket.gethostname(),
            }
        )
        _try("webhook", settings.alert_webhook_url, lambda: _post(settings.alert_webhook_url, body))


def _try(sink: str, url: str, send: Callable[[], None]) -> None:
    host = _host(url)
    try:
        send()
    except _SINK_ERRORS as error:
        # An error's text may repeat the address, and a webhook's address is its password.
        said = " ".join(str(error).replace(url, "***").split()) if url else str(error)
        log.error("alert not sent by %s to %s: %s: %s", sink, host, type(error).__name__, said)
    else:
        log.info("alert sent by %s to %s", sink, host)


def _message(settings: Settings, title: str, text: str, details: Mapping[str, str]) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = " ".join(f"[firehose] {title}".split())
    message["To"] = settings.alert_email
    user = unquote(urlsplit(settings.smtp_url).username or "")
    message["From"] = user if "@" in user else f"firehose@{socket.gethostname()}"
    message.set_content(f"{text}\n\n{_lines(details)}\n")
    return message


def _send_mail(url: str, message: EmailMessage) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError("FIREHOSE_SMTP_URL must be smtp://host:port or smtps://host:port")
    context = ssl.create_default_context()
    if parts.scheme == "smtps":
        client: smtplib.SMTP = smtplib.SMTP_SSL(
            parts.hostname, parts.port or 465, timeout=_TIMEOUT_S, context=context
        )
    else:
        client = smtplib.SMTP(parts.hostname, parts.port or 587, timeout=_TIMEOUT_S)
    with client:
        client.ehlo()
        if parts.scheme == "smtp" and client.has_extn("starttls"):
            client.starttls(context=context)
            client.ehlo()
        elif parts.scheme == "smtp":
            _refuse_clear_password(parts)
        if parts.username:
            client.login(unquote(parts.username), unquote(parts.password or ""))
        client.send_message(message)


def _refuse_clear_password(parts: SplitResult) -> None:
    if parts.username and parts.hostname not in _LOOPBACK:
        raise ValueError("the mail server offers no TLS, so the password is not sent; use smtps:// or no user")


def _post(url: str, body: bytes) -> None:
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("FIREHOSE_ALERT_WEBHOOK_URL must be an http:// or https:// address")
    request = urllib.request.Request(  # noqa: S310 - the scheme is checked above
        url, data=body, headers={"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310 - as above
        pass


def _lines(details: Mapping[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in details.items())


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "(no host)"
    except ValueError:
        return "(no host)"
