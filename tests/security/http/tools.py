"""Attacking an endpoint over HTTP, and seeing what it costs: sockets, memory, disk, and that others are served."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from clickhouse_http import EndpointProcess
from devstack.embedded import clickhouse
from firehose import settings as project_settings
from tests.support.waiting import until

LOADER = ("loader", "loader-Password-1")
ANALYST = ("analyst", "analyst-Password-2")
#: For what must happen at some time: generous, since other tests may have the machine.
WAIT_S = 60.0
MIB = 1024 * 1024
#: One for all, since each reads the machine's certificates; no limits of its own.
_HTTP = httpx.Client(timeout=WAIT_S, limits=httpx.Limits(max_connections=None))


@contextmanager
def endpoint(home: Path, **overrides: object) -> Iterator[EndpointProcess]:
    """A running endpoint with the table ``t.rows`` and small limits."""
    settings = project_settings.load(
        **{
            "home": str(home),
            "clickhouse_url": f"http://127.0.0.1:{free_port()}",
            "clickhouse_loader_password": LOADER[1],
            "clickhouse_analyst_password": ANALYST[1],
            "query_max_memory_mib": 256,
            "query_total_memory_mib": 1024,
            "http_disk_reserve_mib": 0,
            **overrides,
        }
    )
    with clickhouse.start(settings) as running:
        for statement in (
            "CREATE DATABASE t",
            "CREATE TABLE t.rows (id UInt64, s String) ENGINE = MergeTree ORDER BY id",
        ):
            assert ask(running, statement).status_code == 200
        yield running


def ask(running: EndpointProcess, query: str, user: tuple[str, str] = LOADER, **parameters: str) -> httpx.Response:
    """One query."""
    return _HTTP.post(running.url, content=query, params=parameters, auth=user)


def code(response: httpx.Response) -> str:
    """ClickHouse's error code."""
    return str(response.headers.get("x-clickhouse-exception-code", ""))


def others_are_served(running: EndpointProcess, under_way: Callable[[], bool], pings: int = 20) -> None:
    """Pings are answered and the loader loads; ``under_way`` says before and after that the attack is going on."""
    assert under_way()
    for _ in range(pings):
        assert _HTTP.get(running.url + "/ping").text == "Ok.\n"
    loaded = ask(running, "INSERT INTO t.rows FORMAT TabSeparated\n" + "1\ta\n" * 1000)
    assert loaded.status_code == 200, loaded.text
    assert under_way()


class Socket:
    """A raw connection to the endpoint."""

    def __init__(self, running: EndpointProcess) -> None:
        host, port = running.url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=WAIT_S)

    def send(self, data: bytes) -> bool:
        """True if it could be sent."""
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def received(self) -> bytes:
        """All that comes until the other side closes."""
        pieces = []
        try:
            while piece := self.socket.recv(MIB):
                pieces.append(piece)
        except ConnectionResetError:
            pass
        return b"".join(pieces)

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *_error: object) -> None:
        self.socket.close()


class Repeated:
    """Does something again and again in threads until it is left; what it raises fails the test."""

    def __init__(self, attack: Callable[[], None], threads: int) -> None:
        self.done = 0
        self._attack = attack
        self._stop = threading.Event()
        self._errors: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def under_way(self) -> bool:
        """Waits until one more round has been done."""
        seen = self.done
        until(lambda: self.done > seen or bool(self._errors))
        return not self._errors

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._attack()
                self.done += 1
        except BaseException as error:  # noqa: BLE001 - raised again by the test's own thread
            self._errors.append(error)

    def __enter__(self) -> Repeated:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(WAIT_S)
        if self._errors:
            raise self._errors[0]


def peak_mib(running: EndpointProcess) -> int:
    """The largest resident size of the endpoint so far."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{running.pid}/status").read_text())
    assert found is not None
    return int(found[1]) // 1024


def spool_bytes(running: EndpointProcess) -> int:
    """Disk behind the nameless files that the endpoint has open."""
    total = 0
    for link in Path(f"/proc/{running.pid}/fd").iterdir():
        try:
            if "/spool/" in str(link.readlink()):
                total += link.stat().st_blocks * 512
        except FileNotFoundError:  # closed meanwhile
            continue
    return total
