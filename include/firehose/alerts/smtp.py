"""Sends a mail from a command, where there is no Airflow: through the server of ``FIREHOSE_SMTP_URL``.

The rules are those of Airflow's tasks (plugins/firehose_hooks.py): TLS where the server offers it, and no password
without. Must not: word a mail.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from typing import Final
from urllib.parse import unquote, urlsplit

from firehose.settings import Settings

_TIMEOUT_S: Final = 10
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


def mailer(settings: Settings) -> Callable[[EmailMessage], None]:
    """What sends a mail. It raises whatever the server gives, or a ValueError where no server is set."""

    def send(message: EmailMessage) -> None:
        if not settings.smtp_url:
            raise ValueError("FIREHOSE_SMTP_URL is not set; it must be smtp://host:port or smtps://host:port")
        parts = urlsplit(settings.smtp_url)
        host, over_tls = parts.hostname or "localhost", parts.scheme == "smtps"
        context = ssl.create_default_context()
        with (
            smtplib.SMTP_SSL(host, parts.port or 465, timeout=_TIMEOUT_S, context=context)
            if over_tls
            else smtplib.SMTP(host, parts.port or 587, timeout=_TIMEOUT_S)
        ) as server:
            server.ehlo()
            if not over_tls and server.has_extn("starttls"):
                server.starttls(context=context)
                over_tls = True
            if parts.username:
                if not over_tls and host not in _LOOPBACK:
                    raise ValueError(
                        "the mail server offers no TLS, so the password is not sent; use smtps:// or no user"
                    )
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(message)

    return send
