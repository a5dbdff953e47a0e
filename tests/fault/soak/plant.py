"""Everything that runs in a schedule: Redis, two hosts, ingesters, the disk of the lake.

Lives here: starting, ending and looking at them. Must not: choose what happens, or say what is right.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Final

from ingester.contract import crash
from tests.fault.soak.buffer import Buffer
from tests.fault.soak.disk import Disk
from tests.fault.soak.ports import release
from tests.fault.soak.steps import stopped
from tests.fault.soak.stream_host import Host
from tests.support.ingester import IngesterProcess

#: Of each host: a number of the one is a number of the other as well, or one that it never had.
_FIRST_SEQ: Final = (3000, 40)


class Ingester(IngesterProcess):
    """One ingester process of a schedule. ``proof`` is the file of its crash point."""

    def __init__(
        self, name: str, folder: Path, redis_url: str, hosts: str, lake: Path, **settings: object
    ) -> None:
        settings |= {"ingester_name": name, "lease_s": 1}
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


class Plant:
    """All of it, in ``home``; the lake is in ``home/disk``."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.disk = Disk(home / "disk")
        self.lake = self.disk.folder / "lake"
        self.buffer = Buffer(home)
        self.hosts = (Host(_FIRST_SEQ[0]), Host(_FIRST_SEQ[1]))
        self.rewind_ms = 1000
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
        """Start one, maybe told to die; it need not have connected when this returns.

        Those of another name than "one" are spares, and prefer the second host.
        """
        hosts = self.hosts if name == "one" else self.hosts[::-1]
        given = {"start_cursor": start_cursor, "rewind_ms": self.rewind_ms}
        urls = ",".join(host.url for host in hosts)
        ingester = Ingester(name, self.home, self.buffer.server.url, urls, self.lake, **given)
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
        release()
