"""``python -m devstack.service.ready PART COMMAND …`` runs that command until it answers, and hands it to systemd.

It tells systemd that the unit is ready, so that what is ordered after it finds it, and that the command's process
is from now on the unit's main one (``Type=notify``); then it ends. Must not: run beside the service.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Final

import redis

from devstack.service.units import AIRFLOW, CLICKHOUSE, REDIS
from firehose.settings import Settings, SettingsError, load
from ingester.contract.redis_access import MONITORING, RedisAccess

_PAUSE_S: Final = 0.05


def redis_answers(settings: Settings) -> bool:
    """True once Redis has loaded its data and lets the role ``monitoring`` in."""
    access = RedisAccess.of(settings, MONITORING)
    try:
        with redis.Redis.from_url(access.url, socket_timeout=5, **access.options()) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def clickhouse_answers(settings: Settings) -> bool:
    """True once ClickHouse answers a ping."""
    return _answers(f"{settings.clickhouse_url}/ping")


def airflow_answers(settings: Settings) -> bool:
    """True once Airflow's API server answers."""
    return _answers(f"http://127.0.0.1:{settings.airflow_port}/api/v2/version")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - our own address
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


_QUESTIONS: Final[dict[str, Callable[[Settings], bool]]] = {
    REDIS: redis_answers,
    CLICKHOUSE: clickhouse_answers,
    AIRFLOW: airflow_answers,
}


def main(part: str, command: list[str]) -> int:
    """Start ``command`` and wait until it answers; 1 if it ends before."""
    try:
        settings = load()
        _QUESTIONS[part](settings)  # a password that cannot be read is noticed here
    except SettingsError as error:
        print(f"firehose: {error}", file=sys.stderr)  # noqa: T201 - the one line that a user reads
        return 1
    server = _start(command)
    ended = os.pidfd_open(server)
    while not _QUESTIONS[part](settings):
        if select.select([ended], [], [], _PAUSE_S)[0]:
            return 1  # it has said why
    _hand_over(server)
    return 0


def _start(command: list[str]) -> int:
    """Start ``command`` as a child of systemd, which then notices its end; returns its process id."""
    reading, writing = os.pipe()
    if not (between := os.fork()):
        if not (server := os.fork()):
            os.execv(command[0], command)  # noqa: S606 - a unit's own command line
        os.write(writing, str(server).encode())
        os._exit(0)
    os.waitpid(between, 0)
    return int(os.read(reading, 20))


def _hand_over(pid: int) -> None:
    """Say that the unit is ready and that ``pid`` is its main process; returns once systemd has read it."""
    name = os.environ["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.connect("\0" + name[1:] if name.startswith("@") else name)
        notify.send(f"MAINPID={pid}\nREADY=1".encode())
        # systemd closes the pipe when it comes to this message; until then it must find the sender.
        reading, writing = os.pipe()
        socket.send_fds(notify, [b"BARRIER=1"], [writing])
        os.close(writing)
        os.read(reading, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
