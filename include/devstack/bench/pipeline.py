"""The whole pipeline as processes of its own that can be killed at once, as a power failure would end them.

Must not: measure; know where events come from.
"""

from __future__ import annotations

import subprocess
from types import TracebackType
from typing import Self

import psutil

from clickhouse_http import EndpointProcess
from devstack.bench.report import PeakRss
from devstack.checkout import checkout
from devstack.demo.home import environment
from devstack.embedded import airflow
from devstack.embedded.leash import PYTHON, ending_with_us
from devstack.embedded.redis import RedisServer
from firehose.settings import Settings


class Pipeline:
    """Redis, ClickHouse, ingester and Airflow with one home.

    A context manager that leaves nothing running; what it starts also ends with this process.

    ``with_airflow``: False leaves Airflow out.
    ``peak_mib`` is the largest resident size that any one process has had.
    """

    def __init__(self, settings: Settings, redis_port: int, *, with_airflow: bool = True) -> None:
        self.settings = settings
        self.peak_mib = 0.0
        self.database = settings.home_path / "airflow" / "airflow.db"
        self._logs = settings.home_path / "logs"
        self._redis = RedisServer(settings.home_path, redis_port)
        self._environ = environment(settings)
        self._airflow = _prepared_airflow(settings, self._environ) if with_airflow else {}
        self._running: list[subprocess.Popen[bytes]] = []
        self._watch: PeakRss | None = None

    def start(self) -> None:
        """Start everything, as a process runner would; Redis and ClickHouse answer afterwards.

        Raises:
            ServiceUnavailable: one of these two does not start.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        # Airflow takes longest to be ready, and needs none of the others for that.
        for name, command in airflow.commands().items() if self._airflow else ():
            self._spawn(f"airflow-{name}", command, self._airflow)
        clickhouse = self._spawn("clickhouse", [*PYTHON, "devstack.embedded.clickhouse"], self._environ)
        self._redis.start(timeout_s=120)
        self._spawn("ingester", [*PYTHON, "ingester"], self._environ)
        log = self._logs / "clickhouse.log"
        EndpointProcess(clickhouse, self.settings.clickhouse_url, log).wait_ready(120)
        self._watch = PeakRss(*(process.pid for process in self._running))
        self._watch.__enter__()

    def kill(self) -> None:
        """SIGKILL every process, and every process that one of them has started."""
        if self._watch:
            self._watch.__exit__(None, None, None)
            self.peak_mib = max(self.peak_mib, self._watch.mib)
            self._watch = None
        victims = [psutil.Process(process.pid) for process in self._running if process.poll() is None]
        if self._redis.process is not None and self._redis.running:
            victims.append(psutil.Process(self._redis.process.pid))
        for victim in [*victims, *(child for parent in victims for child in parent.children(recursive=True))]:
            try:
                victim.kill()
            except psutil.NoSuchProcess:  # it ended with its parent
                continue
        for process in self._running:
            process.wait()
        self._redis.kill()
        self._running = []

    def log(self, name: str) -> str:
        """The output of a service so far."""
        return (self._logs / f"{name}.log").read_text(errors="replace")

    def _spawn(self, name: str, command: list[str], environ: dict[str, str]) -> subprocess.Popen[bytes]:
        with (self._logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                ending_with_us(command), env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._running.append(process)
        return process

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def _prepared_airflow(settings: Settings, environ: dict[str, str]) -> dict[str, str]:
    """The environment of an Airflow in the home of these settings."""
    project, home = checkout(), settings.home_path / "airflow"
    return airflow.prepare_airflow_home(
        home, project / "dags", project / "plugins", environ, port=settings.airflow_port
    )
