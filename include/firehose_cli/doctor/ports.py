"""Checks of the ports that services of this machine listen on: two for one port, or a stranger on one of ours."""

from __future__ import annotations

import socket
from collections import defaultdict
from contextlib import suppress
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import psutil

from firehose.settings import Settings
from firehose_cli.doctor.check import Check, Finding, failure, ok, warning
from ingester.contract import checks

_HERE: Final = ("localhost", "127.0.0.1", "::1")


class Port(NamedTuple):
    """A port of this machine, the setting that moves it, and words of the command lines that may hold it."""

    name: str
    number: int
    setting: str
    held_by: tuple[str, ...]


def _ports(s: Settings) -> list[Port]:
    """Ports of this machine; a service elsewhere has none here."""
    redis, clickhouse = urlsplit(s.redis_url), urlsplit(s.clickhouse_url)
    found = [
        Port("Airflow", s.airflow_port, "FIREHOSE_AIRFLOW_PORT", ("airflow", "uvicorn", "gunicorn")),
        Port("the quality pages", s.docs_port, "FIREHOSE_DOCS_PORT", ("docs_server",)),
        Port(
            "the page", checks.host_and_port(s.ui_listen)[1], "FIREHOSE_UI_LISTEN", ("firehose_ui", "firehose ui")
        ),
        Port("the simulator", s.simulator_port, "FIREHOSE_SIMULATOR_PORT", ("simulator", "simulate")),
    ]
    if redis.hostname in _HERE:
        found.append(Port("Redis", redis.port or 6379, "FIREHOSE_REDIS_URL", ("redis", "valkey")))
    if clickhouse.hostname in _HERE:
        found.append(Port("ClickHouse", clickhouse.port or 8123, "FIREHOSE_CLICKHOUSE_URL", ("clickhouse",)))
    return found


def shared(settings: Settings) -> Finding:
    """No two services of this machine are to listen on one port."""
    by_number: dict[int, list[Port]] = defaultdict(list)
    for port in _ports(settings):
        by_number[port.number].append(port)
    if doubled := [ports for ports in by_number.values() if len(ports) > 1]:
        said = "; ".join(f"{' and '.join(p.name for p in ports)} have port {ports[0].number}" for ports in doubled)
        return failure(said, f"change {' or '.join(port.setting for port in doubled[0])}")
    return ok(", ".join(f"{port.name} {port.number}" for port in _ports(settings)))


def taken(settings: Settings) -> Finding:
    """Who listens on them now: nobody, or the service that is meant to."""
    holders = _holders()
    said, wrong, move = [], [], []
    for port in _ports(settings):
        if not _listens(port.number):
            said.append(f"{port.number} is free ({port.name})")
            continue
        who = holders.get(port.number, "a process that this user may not look into")
        line = f"{port.number} is held by {who} ({port.name})"
        said.append(line)
        if port.number in holders and not any(word in who for word in port.held_by):
            wrong.append(line)
            move.append(port.setting)
    if wrong:
        remedy = f"stop what listens there, or choose another port in {' and '.join(move)}"
        return warning("; ".join(wrong), remedy)
    return ok("; ".join(said))


def _listens(number: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", number)) == 0


def _holders() -> dict[int, str]:
    """The processes that listen, by port, as far as this user may see them: ``redis-server (process 12)``."""
    found: dict[int, str] = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            listening = [c for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
            if not listening:
                continue
            # Words of the command line only: the rest may hold what is nobody's business.
            words = [word.rpartition("/")[2] for word in process.cmdline()[:6] if not word.startswith("-")]
            said = " ".join(" ".join(words).split())[:80].rstrip()
            who = f"{said or process.name()} (process {process.pid})"
            found.update((connection.laddr.port, who) for connection in listening)
    return found


CHECKS: Final = (Check("ports.shared", shared), Check("ports.taken", taken, timeout_s=20.0))
