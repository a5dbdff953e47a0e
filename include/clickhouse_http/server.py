"""Serving until stopped: the address, the data folder's lock, signals.

Lives here: start and stop of the process. Must not: requests, SQL.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Generator
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import uvicorn
from starlette.types import ASGIApp

from clickhouse_http import ownership
from clickhouse_http.config import EndpointConfig
from clickhouse_http.engine.engine import Engine
from clickhouse_http.errors import CannotServe, FolderInUse, InvalidConfig
from clickhouse_http.handling.app import application
from clickhouse_http.handling.state import Endpoint, open_endpoint
from clickhouse_http.http.connection_limits import ConnectionLimits
from clickhouse_http.http.origins import guarded
from clickhouse_http.http.protocol import BoundedProtocol
from clickhouse_http.ownership import LOCK, Ownership
from clickhouse_http.rights import memory, policy
from clickhouse_http.rights.users import Users
from clickhouse_http.sandbox import confinement

log = logging.getLogger(__name__)
_DEFAULT_PORT: Final = 8123
_BACKLOG: Final = 256
_SOCKET_BUFFER: Final = 512 * 1024
#: Seconds for running requests after SIGTERM, then for the engine to close: under 4 s together.
_GRACE_S: Final = 2
_CLOSE_S: Final = 1.0
#: Seconds between two searches for expired sessions.
_SWEEP_S: Final = 1.0


def serve(config: EndpointConfig) -> None:
    """See :func:`clickhouse_http.serve`."""
    try:
        _run(config)
    except OSError as error:
        if error.filename is None:  # not a file's fault
            raise
        file = os.fsdecode(error.filename)
        raise CannotServe(f"{file}: {error.strerror}; name another place, or make this one usable") from None


def _run(config: EndpointConfig) -> None:
    logging.basicConfig(
        level=config.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    users = Users(config)
    listener = bind(config)
    lock = own(config)
    rights, limits = policy.load(config.rights), memory.limits(config)
    # Before the engine is even imported: its threads would stay outside.
    confinement.confine(config)
    engine = Engine(config.folder, limits, rights)
    spool = config.folder / "spool"
    # Some table functions create the file that they are to read before they ask whether they may.
    os.chdir(spool)
    connection_limits = ConnectionLimits.of(config.timeout_s)
    endpoint = open_endpoint(config, engine, limits, users, spool, connection_limits.bursts)
    _serve(endpoint, listener, guarded(application(endpoint), config, config.url), connection_limits)
    _leave(engine, lock)


def bind(config: EndpointConfig) -> socket.socket:
    """A listening socket at the configured URL.

    Raises:
        InvalidConfig: not an http URL, or not on loopback.
        CannotServe: the port is taken.
    """
    called = config.called("url")
    parts = urlsplit(config.url)
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
    if parts.scheme != "http" or not _is_loopback(host):
        raise InvalidConfig(
            f"{called}: the embedded endpoint speaks plain http and listens on this machine only; "
            "use a URL such as http://127.0.0.1:8123, or a ClickHouse server for other machines"
        )
    port = _DEFAULT_PORT if parts.port is None else parts.port
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Connections inherit them. By default the kernel gives each up to 32 MiB; a few hundred that send more than is
    # read would then use up the memory that all connections of the machine share.
    for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        listener.setsockopt(socket.SOL_SOCKET, buffer, _SOCKET_BUFFER)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        reason = "is already in use" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
        raise CannotServe(f"port {port} on {host} {reason}; stop what listens there or change {called}") from None
    return listener


def own(config: EndpointConfig) -> Ownership:
    """Take the data folder for this process, until the returned lock is closed or the process ends.

    Raises:
        FolderInUse: another process has it.
    """
    folder = config.folder
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return ownership.own(folder / LOCK, config.program)
    except FolderInUse as error:
        other = f"set {config.called('folder')} to another folder"
        raise FolderInUse(f"the ClickHouse data in {folder} {error}: stop that first, or {other}") from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Server(uvicorn.Server):
    """uvicorn, but it says when it listens, cancels queries before it stops, and exits with 0."""

    def __init__(self, config: uvicorn.Config, endpoint: Endpoint, address: str) -> None:
        super().__init__(config)
        self._endpoint = endpoint
        self._address = address
        self._sweeping: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._sweeping = asyncio.create_task(self._sweep())
        print(f"listening on {self._address}", flush=True)  # noqa: T201 - what a process runner waits for

    async def _sweep(self) -> None:
        """End expired sessions: queries could use the memory that they hold."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            await asyncio.get_running_loop().run_in_executor(None, self._endpoint.sessions.expire)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._endpoint.stopping = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        await asyncio.get_running_loop().run_in_executor(None, self._endpoint.engine.cancel)
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Without raising the signal again: uvicorn would end with the signal's exit code."""
        for stop in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stop, self.handle_exit)
        yield


def _serve(endpoint: Endpoint, listener: socket.socket, app: ASGIApp, connection_limits: ConnectionLimits) -> None:
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    config = uvicorn.Config(
        app,
        http=partial(BoundedProtocol, connection_limits=connection_limits),  # type: ignore[arg-type]  # it is called; the type asks for a class
        ws="none",
        access_log=False,  # it would write URLs, and with them passwords
        log_config=None,
        log_level="warning",
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=30,
    )
    _Server(config, endpoint, address).run([listener])


def _leave(engine: Engine, lock: Ownership) -> None:
    """Close the engine, but do not wait long for it, nor for worker threads that are stuck in it: a part that a
    query was writing is either on disk or not in the table, and the next start finds only whole parts."""
    closing = threading.Thread(target=engine.close, daemon=True)
    closing.start()
    closing.join(_CLOSE_S)
    lock.close()
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)
