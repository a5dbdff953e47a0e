"""For attacks on a home: the demo's own supervisor with three services, under a parent that can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from devstack.embedded.leash import RUNNER, Holder, holders
from devstack.embedded.ownership import RUN
from devstack.embedded.redis import RedisServer, free_port
from ingester.contract import wire
from ingester.contract.redis_access import MONITORING
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[3]


class LightDemo:
    """A running parent with its supervisor and services."""

    def __init__(self, home: Path, *options: str) -> None:
        self.home = home
        self.run = home / RUN
        self.redis_port, self.simulator_port = free_port(), free_port()
        self.process = self.start(*options)

    def start(self, *options: str, **environ: str) -> subprocess.Popen[str]:
        """Start a parent on this home."""
        command = [sys.executable, "-m", "tests.security.home.driver", str(self.home)]
        return subprocess.Popen(
            [*command, str(self.redis_port), str(self.simulator_port), *options],
            cwd=ROOT,
            env=os.environ | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def held(self) -> dict[str, Holder]:
        """Everything that runs in this home, by name."""
        return {holder.name: holder for holder in holders(self.run)} if self.run.is_dir() else {}

    def wait_until_streaming(self) -> dict[str, Holder]:
        """Wait until the ingester has events that it has not written yet."""
        until(lambda: len(self.held()) >= 4, what="the supervisor and its services run")
        log = self.home / "logs" / "ingester.log"
        until(lambda: log.exists() and "event=connected" in log.read_text(), what="the ingester is connected")
        already = self._sent()
        until(lambda: self._sent() > already + 300, what="the simulator has sent some events")
        return self.held()

    def _sent(self) -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.simulator_port}/health", timeout=10) as answer:
            return int(json.load(answer)["events"])

    def events(self) -> int:
        """Events that the ingester has written to the running Redis."""
        with RedisServer(self.home, self.redis_port).client(MONITORING) as client:
            return int(client.hget(wire.METADATA_KEY, wire.META_EVENTS) or 0)

    def kill(self, name: str) -> None:
        """SIGKILL the parent, the supervisor or a service."""
        os.kill(self.process.pid if name == "parent" else self.held()[name].pid, signal.SIGKILL)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with what ends values in configuration files in its name."""
    return tmp_path / "a %41 $x ;y #z 'q\" ü"


@pytest.fixture
def demo(home: Path) -> Iterator[LightDemo]:
    """A light demo; what a failed test leaves of it is killed."""
    running = LightDemo(home)
    yield running
    end(running)


def end(running: LightDemo) -> None:
    """Kill whatever is left of it."""
    running.process.kill()
    running.process.wait()
    assert running.process.stdout is not None
    running.process.stdout.close()
    for holder in sorted(running.held().values(), key=lambda held: held.name != RUNNER):
        with contextlib.suppress(psutil.NoSuchProcess):  # its supervisor's end has been its own
            psutil.Process(holder.pid).kill()
