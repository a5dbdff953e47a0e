"""The demo's services under supervisord: what runs, in which order it starts and stops, and how it fares.

supervisord starts low priorities first and stops them last, one after the other: so the ingester flushes while
Redis is still there. Must not: wait for results, print.
"""

from __future__ import annotations

import hashlib
import shlex
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit
from xmlrpc.client import Fault, ServerProxy

import msgspec
from supervisor.xmlrpc import SupervisorTransport

from firehose import files
from firehose.embedded import airflow
from firehose.embedded.redis import RedisServer
from firehose.errors import FirehoseError, ServiceUnavailable
from firehose.settings import Settings

_STOP_TIMEOUT_S = 90.0


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One process of the demo. ``port`` is where it listens, and ``setting`` the variable that moves it."""

    name: str
    command: list[str]
    priority: int
    port: int = 0
    setting: str = ""


def services(settings: Settings, *, simulated: bool) -> list[Service]:
    """The services in the order in which they start."""
    redis_port = urlsplit(settings.redis_url).port or 6379
    python = [sys.executable, "-m"]
    redis = RedisServer(settings.home_path, redis_port)
    redis.folder.mkdir(parents=True, exist_ok=True)
    docs_server = [*python, "firehose.demo.docs_server"]
    simulator = [*python, "firehose.simulator", "--port", str(settings.simulator_port), "--odd", "0.002"]
    clickhouse_port = urlsplit(settings.clickhouse_url).port or 8123
    found = [
        Service(name="redis", command=redis.command, priority=10, port=redis_port, setting="REDIS_URL"),
        Service(
            name="clickhouse",
            command=[*python, "firehose.endpoint"],
            priority=20,
            port=clickhouse_port,
            setting="CLICKHOUSE_URL",
        ),
        Service(name="data-docs", command=docs_server, priority=20, port=settings.docs_port, setting="DOCS_PORT"),
        *(
            Service(
                name=f"airflow-{name}",
                command=command,
                priority=30,
                port=settings.airflow_port if name == "api-server" else 0,
                setting="AIRFLOW_PORT",
            )
            for name, command in airflow.commands().items()
        ),
        Service(name="ingester", command=[*python, "ingester"], priority=50),
    ]
    if simulated:
        port = settings.simulator_port
        found.append(
            Service(name="simulator", command=simulator, priority=40, port=port, setting="SIMULATOR_PORT")
        )
    return sorted(found, key=lambda service: service.priority)


def refuse_taken_ports(wanted: list[Service]) -> None:
    """Raises:
    FirehoseError: something listens where a service would; the line names the setting that moves it.
    """
    for service in wanted:
        if not service.port:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", service.port))
            except OSError:
                raise FirehoseError(
                    f"port {service.port} on 127.0.0.1 is taken, so {service.name} cannot start: stop what "
                    f"listens there, or set another one in FIREHOSE_{service.setting}"
                ) from None


class Supervisor:
    """supervisord as a child process, with the demo's services."""

    def __init__(self, home: Path, wanted: list[Service], environ: dict[str, str]) -> None:
        self.logs = home / "logs"
        self._wanted = wanted
        self._environ = environ
        # A unix socket's path has a short limit of its own, whatever the home is called.
        name = hashlib.sha256(str(home).encode()).hexdigest()[:12]
        self._socket = Path(tempfile.gettempdir()) / f"firehose-{name}.sock"
        self._config = home / "supervisord.conf"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start supervisord, which starts the services."""
        self.logs.mkdir(parents=True, exist_ok=True)
        files.write_bytes(self._config, self._text().encode())
        with (self.logs / "supervisord.out").open("ab") as out:
            # A session of its own: Ctrl-C reaches only us, and we stop the services in order.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "-c", str(self._config)],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def failed(self) -> str:
        """Which service has given up, and its last words; empty while all is well.

        Raises:
            ServiceUnavailable: supervisord itself has ended.
        """
        if self._process is None or self._process.poll() is not None:
            raise ServiceUnavailable(f"the process runner has ended; see {self.logs / 'supervisord.log'}")
        for state in self._states():
            if state["statename"] == "FATAL":
                return f"{state['name']} does not start: {self.last_words(state['name'])}"
        return ""

    def last_words(self, name: str) -> str:
        """The last line of a service's log, and where the rest is."""
        log = self.logs / f"{name}.log"
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        return f"{lines[-1] if lines else 'it said nothing'} (all of it in {log})"

    def stop(self) -> None:
        """Stop every service in order and wait for the last one.

        Raises:
            ServiceUnavailable: they did not all end in time.
        """
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise ServiceUnavailable(f"not all services have ended; see {self.logs / 'supervisord.log'}") from None

    def _states(self) -> list[dict[str, Any]]:
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        try:
            with ServerProxy("http://127.0.0.1", transport=transport) as proxy:
                return cast(list[dict[str, Any]], proxy.supervisor.getAllProcessInfo())
        except (OSError, Fault):  # it is just starting, or stopping
            return []

    def _text(self) -> str:
        general = f"""\
[supervisord]
logfile={_escape(self.logs / "supervisord.log")}
pidfile={_escape(self._config.with_suffix(".pid"))}
minfds=1024
silent=true

[unix_http_server]
file={_escape(self._socket)}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
        return general + "".join(self._program(service) for service in self._wanted)

    def _program(self, service: Service) -> str:
        # Signals go to the whole group, or a killed parent's children would be left behind.
        return f"""
[program:{service.name}]
command={_escape(shlex.join(service.command))}
priority={service.priority}
startsecs=2
startretries=5
autorestart=true
stopwaitsecs=20
killasgroup=true
redirect_stderr=true
stdout_logfile={_escape(self.logs / service.name)}.log
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=2
"""


def _escape(value: object) -> str:
    """supervisord expands percent signs."""
    return str(value).replace("%", "%%")
