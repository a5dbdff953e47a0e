"""A run of the monitor, within Airflow or in its place: look, judge, and send what follows.

Must not: know what is looked at, or what is too much.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import msgspec

from firehose.alerts import book as books
from firehose.alerts import catalogue, found
from firehose.alerts.delivery import Alerting, Clock, utc_now
from firehose.alerts.sinks import SendMail
from firehose.alerts.state import Book
from firehose.alerts.wording import length
from firehose.batch.buffer import Connect
from firehose.errors import FirehoseError
from firehose.monitor.asking import ask
from firehose.monitor.conditions import judge
from firehose.observe import PARTS, Observer, Snapshot, quick_client
from firehose.settings import Settings
from firehose.store import LocalLake

#: What no alert is about.
_NOT_ASKED: Final = frozenset({"storage", "quality"})
#: What is looked at this often only, since it reads the entries of days.
_SELDOM: Final = frozenset({"trend"})
_SELDOM_S: Final = 1800
#: What only the one outside can see while Airflow is well: all else is the monitor's.
_OUTSIDE: Final = frozenset({"airflow_away", "scheduler_down", "monitor_silent"})


def monitor(
    settings: Settings,
    send_mail: SendMail,
    *,
    connect: Connect = quick_client,
    paused: Callable[[], list[str]] | None = None,
    clock: Clock = utc_now,
) -> Book:
    """One run of the monitor. Returns what is known of alerts after it.

    Raises:
        LockTaken: another process is sending for a minute and a half.
    """
    now = clock()
    asked = _parts(_last_run(settings), now)
    ask(settings, now)
    seen = _look(settings, connect, paused, now, asked)
    findings, judged = judge(settings, seen, asked)
    # That this runs is what the alert about its silence waits for.
    judged |= {catalogue.MONITOR_SILENT.name}
    return Alerting(settings, send_mail, clock).looked(findings, judged)


def deadman(
    settings: Settings, send_mail: SendMail, *, connect: Connect = quick_client, clock: Clock = utc_now
) -> tuple[Book, list[str]]:
    """The check from outside. Returns what is known of alerts, and a line for each problem that it sees now.

    What it decides upon is Airflow and the monitor; all else only once the monitor has not run for
    ``alert_monitor_minutes``, so that the two never tell of the same thing twice.

    Raises:
        LockTaken: another process is sending for a minute and a half.
    """
    now = clock()
    with books.opened(settings) as kept:
        ran = kept.book.ran
        if ran is None:  # counted from the first look on: the monitor may just have been installed
            kept.write(msgspec.structs.replace(kept.book, ran=now))
            ran = now
    silent, asked = now - ran >= timedelta(minutes=settings.alert_monitor_minutes), _parts(ran, now)
    if silent:
        ask(settings, now)
    seen = _look(settings, connect, None, now, asked)
    findings, judged = judge(settings, seen, asked)
    if silent:
        details = {"last run": f"{ran:%Y-%m-%dT%H:%M:%SZ}"}
        findings.append(found(catalogue.MONITOR_SILENT, details, since=ran, span=f"{length(now - ran)} ago"))
    problems = [f"{finding.key}: {finding.title}: {' '.join(finding.text.split())}" for finding in findings]
    decided = judged - {catalogue.DAG_PAUSED.name} if silent else judged & _OUTSIDE
    decided |= {catalogue.MONITOR_SILENT.name}
    told = [finding for finding in findings if finding.alert.name in decided]
    return Alerting(settings, send_mail, clock).looked(told, decided, ran=ran), problems


def _look(
    settings: Settings,
    connect: Connect,
    paused: Callable[[], list[str]] | None,
    now: datetime,
    parts: frozenset[str],
) -> Snapshot:
    """Each look is a process of its own, so what it has read of the ledger is kept in a file for the next one."""
    with suppress(OSError):  # then nothing can be kept there, and the look itself says so
        settings.home_path.mkdir(parents=True, exist_ok=True, mode=0o700)
    without, file = frozenset(PARTS) - parts, LocalLake(settings.home_path / "monitor" / "ledger.msgpack")
    return Observer(settings, connect=connect, paused=paused, without=without, file=file).look(now)


def _parts(ran: datetime | None, now: datetime) -> frozenset[str]:
    """What is looked at now, after a look at ``ran``. Of the rest nothing is decided."""
    seldom = ran is None or ran.timestamp() // _SELDOM_S != now.timestamp() // _SELDOM_S
    return frozenset(PARTS) - _NOT_ASKED - (frozenset() if seldom else _SELDOM)


def _last_run(settings: Settings) -> datetime | None:
    try:
        return books.read(settings).ran
    except (OSError, FirehoseError):  # the states are then kept in the home, and the look says what is wrong
        return None
