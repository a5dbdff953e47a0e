"""Sends a notice: by mail, to a webhook (an HTTP POST of JSON), and to Slack's incoming webhook.

Must not: raise for a sink that fails, since the failure that is being reported matters more; log a secret; word an
alert (wording.py); know SMTP's details, since the caller hands in what sends a mail (Airflow's tasks: the SMTP
provider's hook; commands: smtp.py).
"""

from __future__ import annotations

import re
import socket
import urllib.request
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import msgspec

from firehose.alerts import wording
from firehose.alerts.alert import Kind, Notice
from firehose.settings import Settings
from ingester.contract.logs import get_logger

log = get_logger(__name__)

_TIMEOUT_S: Final = 10.0
MAIL: Final = "mail"
WEBHOOK: Final = "webhook"
SLACK: Final = "slack"
#: Slack refuses longer texts.
_SLACK_TEXT: Final = 2900

#: Sends a mail through the server that is set, or says in one line that none is. May raise anything.
SendMail = Callable[[EmailMessage], None]


def sinks(settings: Settings) -> list[str]:
    """The names of those that are set."""
    there = {MAIL: settings.alert_email, WEBHOOK: settings.alert_webhook_url, SLACK: settings.alert_slack_url}
    return [name for name, where in there.items() if where]


def deliver(settings: Settings, notice: Notice, send_mail: SendMail, to: Iterable[str]) -> dict[str, str]:
    """Send a notice to these sinks; by sink what went wrong, empty: it worked. Each is tried and logged."""
    senders: dict[str, tuple[str, Callable[[], None]]] = {
        MAIL: (settings.smtp_url, lambda: send_mail(message(settings, notice))),
        WEBHOOK: (settings.alert_webhook_url, lambda: _post(settings.alert_webhook_url, _body(notice))),
        SLACK: (settings.alert_slack_url, lambda: _post(settings.alert_slack_url, _slack(notice))),
    }
    to = list(to)
    if not to:
        log.warning(
            "no alert sink is set",
            alert=notice.name,
            title=notice.title,
            text=notice.text,
            hint="set FIREHOSE_ALERT_EMAIL, FIREHOSE_ALERT_WEBHOOK_URL or FIREHOSE_ALERT_SLACK_URL",
        )
    return {name: _try(name, notice, *senders[name]) for name in to}


def _try(sink: str, notice: Notice, url: str, send: Callable[[], None]) -> str:
    host = _host(url)
    about = {"alert": notice.key or notice.name, "kind": str(notice.kind)}
    try:
        send()
    except Exception as error:  # noqa: BLE001 - whatever a sink has, the failure that is being reported goes on
        # An error's text may repeat the address, and a webhook's address is its password.
        said = " ".join(str(error).replace(url, "***").split()) if url else str(error)
        wrong = f"{type(error).__name__}: {said}"
        log.error("alert not sent", sink=sink, host=host, reason=wrong, **about)
        return wrong
    log.info("alert sent", sink=sink, host=host, **about)
    return ""


def message(settings: Settings, notice: Notice) -> EmailMessage:
    """The notice as a mail. All about one alert are one thread: each answers the first."""
    made, host = EmailMessage(), socket.gethostname()
    made["Subject"] = " ".join(f"[firehose] {wording.subject(notice)}".split())
    escalates = notice.kind is Kind.ESCALATED and settings.alert_escalate_email
    made["To"] = ", ".join(filter(None, (settings.alert_email, escalates or "")))
    user = unquote(urlsplit(settings.smtp_url).username or "")
    made["From"] = user if "@" in user else f"firehose@{host}"
    at = notice.at or datetime.now(UTC)
    made["Date"] = format_datetime(at)
    first = f"<{_word(notice.thread or notice.name)}@{_word(host)}>"
    if notice.first:
        made["Message-ID"] = first
    else:
        made["Message-ID"] = f"<{_word(notice.thread)}.{notice.kind}.{at:%Y%m%dT%H%M%S}@{_word(host)}>"
        made["In-Reply-To"] = made["References"] = first
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(f"{wording.text(notice)}\n")
    return made


def _word(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)


def _body(notice: Notice) -> dict[str, Any]:
    return {
        "alert": notice.name,
        "key": notice.key or notice.name,
        "state": notice.kind,
        "severity": notice.severity,
        "title": notice.title,
        # The field that chat services show; the others are for programs.
        "text": f"{wording.subject(notice)}: {wording.text(notice)}",
        "reason": notice.text,
        "since": notice.since,
        "lasted_seconds": round(notice.lasted.total_seconds()),
        "causes": notice.causes,
        "consequences": notice.also,
        "runbook": notice.runbook,
        "details": notice.details,
        "host": socket.gethostname(),
    }


def _slack(notice: Notice) -> dict[str, Any]:
    """Slack's form: a fallback text, and a section. Its three special characters are escaped as it asks."""
    subject, body = (_escaped(text) for text in (wording.subject(notice), wording.text(notice)))
    section = {"type": "section", "text": {"type": "mrkdwn", "text": f"*{subject}*\n{body}"[:_SLACK_TEXT]}}
    return {"text": subject, "blocks": [section]}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _post(url: str, body: dict[str, Any]) -> None:
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("the address of a webhook must be an http:// or https:// address")
    request = urllib.request.Request(  # noqa: S310 - the scheme is checked above
        url, data=msgspec.json.encode(body), headers={"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310 - as above
        pass


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "(no host)"
    except ValueError:
        return "(no host)"
