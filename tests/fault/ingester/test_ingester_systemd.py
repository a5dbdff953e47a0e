"""The service as systemd sees it: its unit files, and what it says over the notify socket."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
import redis

from ingester import errors
from tests.support.ingester import NOWHERE, Ingest, Source, cursor, event
from tests.support.waiting import until

UNITS = Path(__file__).parents[3] / "ingester" / "systemd"


class NotifySocket:
    """systemd's end of ``NOTIFY_SOCKET``; ``messages`` grows with :meth:`heard`."""

    def __init__(self, address: str) -> None:
        self.environment = {"NOTIFY_SOCKET": address.replace("\0", "@")}
        self.messages: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)

    def heard(self, text: str, times: int = 1) -> bool:
        """Whether ``text`` has come in so often."""
        while True:
            try:
                self.messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return sum(text in message.split("\n") for message in self.messages) >= times


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_says_ready_alive_and_stopping(
    abstract: bool, ingest: Ingest, redis_client: redis.Redis, tmp_path: Path
) -> None:
    systemd = NotifySocket(f"\0{tmp_path}/notify" if abstract else f"{tmp_path}/notify")
    with Source([event(0)]) as source:
        ingester = ingest(source.url, lease_s=0.9)
        with ingester.start(**systemd.environment):
            until(lambda: systemd.heard("READY=1"))
            until(lambda: systemd.heard("WATCHDOG=1", 2))
            assert not systemd.heard("STOPPING=1")
            assert ingester.stop() == 0
    assert systemd.heard("STOPPING=1")
    ready = next(index for index, message in enumerate(systemd.messages) if "READY=1" in message)
    assert "STATUS=connected to 127.0.0.1" in systemd.messages[ready]
    assert not [message for message in systemd.messages[:ready] if "WATCHDOG" in message]
    assert len([message for message in systemd.messages if "READY=1" in message]) == 1


def test_a_standby_is_not_ready_and_not_given_up(
    ingest: Ingest, redis_client: redis.Redis, tmp_path: Path
) -> None:
    systemd = NotifySocket(f"{tmp_path}/notify")
    with Source([event(0)]) as source, ingest(source.url) as first:
        until(lambda: cursor(redis_client))
        standby = ingest(source.url, ingester_name="standby")
        with standby.start(**systemd.environment):
            until(lambda: systemd.heard("EXTEND_TIMEOUT_USEC=90000000", 2))
            assert not systemd.heard("READY=1")
            assert first.stop() == 0
            until(lambda: systemd.heard("READY=1"), 5)


def test_not_ready_without_a_source(tmp_path: Path, ingest: Ingest) -> None:
    systemd = NotifySocket(f"{tmp_path}/notify")
    ingester = ingest(NOWHERE)
    with ingester.start(**systemd.environment):
        until(lambda: ingester.said("event=disconnected"))
        assert not systemd.heard("READY=1")


def test_exit_codes_that_forbid_a_restart() -> None:
    for unit in UNITS.glob("*.service"):
        (codes,) = re.findall(r"^RestartPreventExitStatus=(.*)$", unit.read_text(), re.MULTILINE)
        assert {int(code) for code in codes.split()} == {errors.SETTINGS, errors.FENCED, errors.REFUSED}
