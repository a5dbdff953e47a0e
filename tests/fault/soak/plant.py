"""Everything that runs in a schedule: Redis, two hosts, ingesters, the disk of the lake.

Lives here: starting, ending and looking at them. Must not: choose what happens, or say what is right.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import redis

from firehose.embedded.redis import RedisServer
from ingester import crash, wire
from tests.fault.ingester.harness import IngesterProcess
from tests.fault.soak.clock import Clock
from tests.fault.soak.steps import REPOSITORY, stopped
from tests.fault.soak.tape import Message

#: The lake's disk (bytes): far more than a schedule writes.
DISK_BYTES: Final = 256 << 20
#: Both below the range that the kernel gives to outgoing connections: a server that is down keeps its port.
_PORTS: Final = (20_000, 32_000)


_locks: list[int] = []


def until(condition: Callable[[], object], what: str, timeout_s: float = 60.0) -> None:
    """Return as soon as ``condition()`` holds; fail if it does not in time, which is long: machines are shared."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.01)


def port() -> int:
    """A TCP port on loopback that nothing listens on, that no client will be given, and no other schedule takes.

    It is taken until :meth:`Plant.close`.
    """
    while True:
        candidate = random.SystemRandom().randrange(*_PORTS)
        folder = Path(tempfile.gettempdir()) / "soak-ports"
        folder.mkdir(exist_ok=True)
        lock = os.open(folder / str(candidate), os.O_CREAT | os.O_RDWR, 0o666)
        with socket.socket() as probe, contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            probe.bind(("127.0.0.1", candidate))
            _locks.append(lock)
            return candidate
        os.close(lock)


class Host:
    """A Jetstream host that can be killed and comes back with what it has retained."""

    def __init__(self) -> None:
        self.port = port()
        self.messages: list[Message] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._told = 0

    @property
    def url(self) -> str:
        """Its address, as ``FIREHOSE_JETSTREAM_URL`` takes it."""
        return f"ws://127.0.0.1:{self.port}/subscribe"

    @property
    def up(self) -> bool:
        """Whether it runs."""
        return self._process is not None

    def start(self) -> None:
        """Start it with all that it has sent so far; :meth:`ready` waits until it listens."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fault.soak.host", str(self.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
            env=os.environ | {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'include'}"},
        )
        self._tell(self.messages)

    def ready(self) -> None:
        """Wait until it listens and has put everything on its stream."""
        assert self._process is not None
        assert self._process.stdout is not None
        while self._told:
            self._told -= 1
            assert self._process.stdout.readline(), "the host has ended"

    def put(self, messages: list[Message]) -> None:
        """Put events on its stream; one that is down has them when it comes back."""
        self.messages += messages
        if self.up:
            self._tell(messages)
            self.ready()

    def forget(self, retained: int) -> None:
        """Keep the newest events only; for a host that is down."""
        self.messages = self.messages[len(self.messages) - min(retained, len(self.messages)) :]

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process, self._told = None, 0

    def _tell(self, messages: list[Message]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(b"".join(b"%d %s\n" % message for message in messages) + b"\n")
        self._process.stdin.flush()
        self._told += 1


class Ingester(IngesterProcess):
    """One ingester process of a schedule. ``proof`` is the file of its crash point."""

    def __init__(self, name: str, folder: Path, redis_url: str, hosts: str, start_cursor: int, lake: Path) -> None:
        settings = {"ingester_name": name, "lease_s": 1, "start_cursor": start_cursor, "rewind_ms": 1000}
        super().__init__(folder, redis_url, hosts, lake=lake, **settings)
        self.name = name
        self.proof = self.log.with_suffix(".proof")

    @property
    def alive(self) -> bool:
        """Whether it runs, or is held."""
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    @property
    def held(self) -> bool:
        """Whether it has stopped, after SIGSTOP."""
        assert self.process is not None
        return stopped(self.process.pid)


class Buffer:
    """The Redis of a schedule."""

    def __init__(self, home: Path) -> None:
        self.server = RedisServer(home, port())
        self.client = redis.Redis.from_url(self.server.url, socket_timeout=20)
        self.clock = Clock(home / "clock")
        self.full = False
        self._errors_before = 0

    def start(self) -> None:
        """Start it; its memory limit is the configured one."""
        with self.clock.inside():
            self.server.start(60)
        self.full = False

    def stop(self) -> None:
        """End it in order."""
        self.server.stop(60)

    @property
    def log(self) -> Path:
        """The one file that it appends to."""
        files = [*self.server.folder.glob("appendonly.aof"), *self.server.folder.glob("appendonlydir/*.incr.aof")]
        return max(files, key=lambda path: path.stat().st_mtime_ns)

    def fill(self) -> None:
        """Let it take nothing more."""
        if not self.full:
            self._errors_before = self._errors()
            self.client.config_set("maxmemory", "1")
            self.full = True

    def free(self) -> None:
        """Give it room again."""
        self.client.config_set("maxmemory", "4gb")
        self.full = False

    def refusals(self) -> int:
        """How many commands it has refused since it was filled."""
        return self._errors() - self._errors_before

    def _errors(self) -> int:
        # In a script Redis 6 makes an ERR of an OOM.
        stats: Any = self.client.info("errorstats")
        return sum(one["count"] for name, one in stats.items() if name in ("errorstat_OOM", "errorstat_ERR"))

    def time_us(self) -> int:
        """The time of the last event in it."""
        return int(self.client.hget(wire.METADATA_KEY, wire.META_TIME_US) or 0)

    def now_us(self) -> int:
        """Its clock."""
        now: Any = self.client.time()
        return int(now[0]) * 1_000_000 + int(now[1])

    def now_s(self) -> int:
        """Its clock, in whole seconds."""
        return self.now_us() // 1_000_000

    def close(self) -> None:
        """End it."""
        self.client.close()
        self.server.kill()


class Disk:
    """The disk that the lake is on: a tmpfs of its own where that is allowed, else a limit on each file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "firehose-soak", str(folder)]
        self.mounted = os.geteuid() == 0 and not subprocess.run(mount, capture_output=True).returncode
        self._ballast = folder / ".ballast"
        #: What a step may write to one file (bytes, 0: no limit) where the disk is none of its own.
        self.largest_file = 0

    @property
    def full(self) -> bool:
        """Whether it was filled."""
        return bool(self.largest_file) or self._ballast.exists()

    def fill(self, left: int) -> None:
        """Leave only so many bytes."""
        if not self.mounted:
            self.largest_file = max(1, left)
            return
        with self._ballast.open("wb") as ballast:
            while True:
                stat = os.statvfs(self.folder)
                try:
                    os.posix_fallocate(ballast.fileno(), 0, max(1, stat.f_bavail * stat.f_frsize - left))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                else:
                    return  # else a step has written in between: there is less room now

    def free(self) -> None:
        """Give it room again."""
        self.largest_file = 0
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        """Unmount and remove it."""
        if self.mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)
        shutil.rmtree(self.folder, ignore_errors=True)


class Plant:
    """All of it, in ``home``; the lake is in ``home/disk``."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.disk = Disk(home / "disk")
        self.lake = self.disk.folder / "lake"
        self.buffer = Buffer(home)
        self.hosts = (Host(), Host())
        self.ingesters: list[Ingester] = []
        try:
            self.buffer.start()
            for host in self.hosts:
                host.start()
            for host in self.hosts:
                host.ready()
        except BaseException:
            self.close()
            raise

    def start_ingester(self, name: str, start_cursor: int, crash_at: str = "") -> Ingester:
        """Start one, maybe told to die; it need not have connected when this returns."""
        urls = ",".join(host.url for host in self.hosts)
        ingester = Ingester(name, self.home, self.buffer.server.url, urls, start_cursor, self.lake)
        ingester.start(**({crash.AT: crash_at, crash.PROOF: str(ingester.proof)} if crash_at else {}))
        self.ingesters.append(ingester)
        return ingester

    def alive(self) -> list[Ingester]:
        """The ingesters that run, the oldest first."""
        return [ingester for ingester in self.ingesters if ingester.alive]

    def close(self) -> None:
        """End everything."""
        for ingester in self.alive():
            ingester.signal(signal.SIGKILL)
            ingester.ended()
        for host in self.hosts:
            host.kill()
        self.buffer.close()
        self.disk.close()
        while _locks:
            os.close(_locks.pop())
