"""Everything that runs: the demo with its services, its source behind a relay, the exporter, the sinks of alerts.

Lives here: starting, ending and reaching them. Must not: choose a fault (faults.py), judge.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil
import redis

from devstack.demo.source import jetstream_answers
from devstack.embedded import airflow, leash
from devstack.embedded.ownership import RUN
from devstack.embedded.redis import free_port
from firehose.settings import Settings, load
from ingester.contract.settings import PREFIX
from jetstream_simulator import process as simulator
from tests.fault.soak_hour.expectations import Told
from tests.fault.soak_hour.record import Record
from tests.fault.soak_hour.relay import Relay
from tests.support.command import FIREHOSE
from tests.support.disks import mounted
from tests.support.sinks import mail_server, web_server
from tests.support.waiting import until

#: What runs as long as the pipeline does, by the names of the demo's services.
SERVICES: Final = (
    "redis",
    "clickhouse",
    "ingester",
    "airflow-scheduler",
    "airflow-dag-processor",
    "airflow-api-server",
    "data-docs",
)
#: The source forgets what is older than this (minutes): longer than any fault lasts.
_SOURCE_KEEPS: Final = 20
#: An hour of 100,000 events a minute takes half of it. It is in memory: only root has a disk of its own to fill.
_DISK_MIB: Final = 3072
_STARTS_S: Final = 600.0
_NEVER_S: Final = 3600.0


class Plant:
    """All of it in ``home``. Entering starts it and waits until an analyst is answered; leaving ends it."""

    def __init__(self, home: Path, rate: float, seed: int, batch_minutes: int) -> None:
        self.home, self.lake = home, home / "disk" / "lake"
        self.rate, self._seed, self._minutes = rate, seed, batch_minutes
        self._entered = ExitStack()
        self._told_at: list[float] = []

    def __enter__(self) -> Self:
        with ExitStack() as entered:
            self.record = Record(self.home)
            self.source = entered.enter_context(simulator.start(self._source(), log=self.home / "source.log"))
            self.relay = Relay(int(self.source.url.rsplit(":", 1)[1].split("/")[0]))
            entered.callback(self.relay.close)
            self.webhook = entered.enter_context(web_server())
            self.webhook.before = lambda: self._told_at.append(time.time())
            self.mailbox = entered.enter_context(mail_server(0))
            self.disk_is_small = entered.enter_context(mounted(self.home / "disk", _DISK_MIB))
            self.environ = self._environment()
            os.environ |= self.environ
            # The demo takes a simulator of its own if its source does not answer within five seconds.
            until(lambda: self._answers_s() < 1.0, 120, what="the source answers at once", pause_s=0.5)
            self.demo = self._start("demo")
            entered.callback(self.end)
            self._wait_for_results()
            self.settings: Settings = load()
            self.exporter = self._start("metrics", "serve")
            entered.callback(_end, self.exporter)
            self._entered = entered.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered.close()

    def end(self) -> None:
        """Stop the demo as Ctrl-C does; it stops its services in order."""
        _end(self.demo, signal.SIGINT)

    def pid(self, service: str) -> int:
        """The process of a service now; 0: there is none. The kernel says it: a service holds a lock."""
        lock = self.home / "home" / RUN / f"{service}.lock"
        held = leash.holder(lock) if lock.exists() else None
        return held.pid if held else 0

    def processes(self) -> dict[str, int]:
        """The long-running processes by name: those that run."""
        found = {name: pid for name in SERVICES if (pid := self.pid(name))}
        return found | ({"exporter": self.exporter.pid} if self.exporter.poll() is None else {})

    def kill(self, service: str) -> float:
        """SIGKILL a service; the seconds until another process of it holds its lock."""
        before, began = self.pid(service), time.monotonic()
        os.kill(before, signal.SIGKILL)
        until(lambda: self.pid(service) not in (0, before), 120, what=f"{service} is started again", pause_s=0.1)
        return time.monotonic() - began

    def hold(self, service: str, held: bool) -> None:
        """Freeze a service, or let it go on."""
        os.kill(self.pid(service), signal.SIGSTOP if held else signal.SIGCONT)

    def keep(self) -> None:
        """Copy the lake to where it stays, if its own disk is in memory."""
        if self.disk_is_small:
            shutil.copytree(self.lake, self.home / "lake", dirs_exist_ok=True)

    def run(self, service: str, runs: bool) -> None:
        """Have the process runner stop a service, or start it."""
        control = [sys.executable, "-m", "supervisor.supervisorctl", "-c", "supervisord.conf"]
        command = [*control, "start" if runs else "stop", service]
        subprocess.run(command, cwd=self.home / "home" / RUN, check=True, capture_output=True, timeout=120)

    def task(self) -> psutil.Process | None:
        """The process of a task that works on a batch now: it holds the batch's lock."""
        locks = {str(path.stat().st_ino) for path in (self.lake / ".locks").glob("batch*")}
        for line in Path("/proc/locks").read_text().splitlines():
            _, kind, _, _, pid, file, *_ = line.split()
            if kind == "FLOCK" and file.rpartition(":")[2] in locks:
                return psutil.Process(int(pid))
        return None

    def redis(self, role: str = "admin") -> redis.Redis:
        """A client of Redis as one of its users, for one question or command at a time."""
        secret = (self.settings.redis_passwords_path / role).read_text().strip()
        return redis.Redis.from_url(
            self.settings.redis_url, username=role, password=secret, socket_timeout=2, socket_connect_timeout=2
        )

    def airflow_password(self) -> str:
        """The password of Airflow's user."""
        return airflow.password(self.home / "home" / "airflow")

    def told(self) -> list[Told]:
        """What the webhook was sent so far."""
        bodies = list(self.webhook.bodies)
        return [
            Told(at, body["alert"], body["key"], body["state"])
            for at, body in zip(list(self._told_at), bodies, strict=False)
        ]

    def watch_from_outside(self) -> None:
        """``firehose deadman`` once, as a timer runs it each minute."""
        with (self.home / "deadman.log").open("ab") as log:
            subprocess.run([FIREHOSE, "deadman"], stdout=log, stderr=log, check=False, timeout=300)

    def _source(self) -> list[str]:
        kept = int(self.rate * 60 * _SOURCE_KEEPS)
        return [
            *("--rate", str(self.rate), "--seed", str(self._seed), "--malformed", "0.002"),
            *("--retention", str(kept), "--retention-mib", str(max(64, kept >> 10))),
            *("--record", str(self.record.pipe)),
        ]

    def _environment(self) -> dict[str, str]:
        ports = {name: free_port() for name in ("redis", "clickhouse", "airflow", "docs", "exporter", "ingester")}
        settings = {
            "home": self.home / "home",
            "lake": self.lake,
            "jetstream_url": f"ws://127.0.0.1:{self.relay.port}/subscribe",
            # A twelfth of the disk: what is left of a full one is less, and more than its alert allows to be used.
            "disk_reserve_mib": _DISK_MIB // 12,
            "start_cursor": 1,
            "batch_minutes": self._minutes,
            "redis_url": f"redis://localhost:{ports['redis']}/0",
            "clickhouse_url": f"http://localhost:{ports['clickhouse']}",
            "airflow_port": ports["airflow"],
            "docs_port": ports["docs"],
            "exporter_listen": f"127.0.0.1:{ports['exporter']}",
            "ingester_metrics": f"127.0.0.1:{ports['ingester']}",
            "alert_webhook_url": self.webhook.url(),
            "alert_email": "on-call@example.org",
            "smtp_url": f"smtp://127.0.0.1:{self.mailbox.port}",
            # Three minutes by default; an hour has room for more faults so.
            "alert_no_data_minutes": 1,
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        return inherited | {f"{PREFIX}{name.upper()}": str(value) for name, value in settings.items()}

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.home / f"{arguments[0]}.log").open("ab") as log:
            return subprocess.Popen(
                [FIREHOSE, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environ
            )

    def _answers_s(self) -> float:
        """How long a handshake through the relay takes."""
        began = time.monotonic()
        why = jetstream_answers(self.environ["FIREHOSE_JETSTREAM_URL"])
        return _NEVER_S if why else time.monotonic() - began

    def _wait_for_results(self) -> None:
        said = self.home / "demo.log"

        def ready() -> bool:
            text = said.read_text()
            assert self.demo.poll() is None, f"the demo has ended:\n{text[-2000:]}"
            assert "using the built-in simulator" not in text, f"the demo found no source: {text[:500]}"
            return "Ctrl-C stops everything." in text

        until(ready, _STARTS_S, what="an analyst is answered", pause_s=0.5)


def _end(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> None:
    if process.poll() is None:
        process.send_signal(number)
        process.wait(180)
