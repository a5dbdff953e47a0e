"""The Redis of a schedule: started, filled, asked for what it holds.

Lives here: the one server. Must not: choose what happens.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from devstack.embedded.redis import RedisServer
from ingester.contract import wire
from tests.fault.soak.clock import Clock
from tests.fault.soak.ports import port


class Buffer:
    """The Redis of a schedule."""

    def __init__(self, home: Path) -> None:
        self.server = RedisServer(home, port())
        self.client = self.server.client(socket_timeout=20)
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

    def protocol(self) -> str:
        """By what protocol the last event in it came; empty: it says nothing."""
        return self._named(wire.META_PROTOCOL)

    def host(self) -> str:
        """From what host the last event in it came; empty: it says nothing."""
        return self._named(wire.META_HOST)

    def _named(self, field: str) -> str:
        name: Any = self.client.hget(wire.METADATA_KEY, field) or b""
        return str(name.decode())

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
