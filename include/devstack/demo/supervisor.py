"""supervisord as a child process: starts the demo's services, reports failures, stops them in order.

It ends with its parent, and the services end with it (embedded/leash.py). Must not: choose the services, print.
"""

from __future__ import annotations

import configparser
import io
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any, Final, cast
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from devstack.demo.services import Service
from devstack.embedded import leash
from devstack.embedded.leash import Leashed
from devstack.embedded.left_behind import stop_left_behind
from devstack.embedded.ownership import RUN, private_folder
from firehose import files
from firehose.errors import ServiceUnavailable

_STOP_TIMEOUT_S: Final = 90.0
_CONFIG: Final = "supervisord.conf"
_SOCKET: Final = "supervisor.sock"


class Supervisor:
    """supervisord as a child process, with the demo's services."""

    def __init__(self, home: Path, wanted: list[Service], environ: dict[str, str]) -> None:
        self.logs = home / "logs"
        self._run = home / RUN
        self._wanted = wanted
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start supervisord, which starts the services. All of them end with this process.

        Raises:
            FirehoseError: the folder of the logs cannot be used.
        """
        private_folder(self.logs, "FIREHOSE_HOME")
        for service in self._wanted:
            spec = Leashed(service.command, str(Path.cwd()), service.priority, last=service.last)
            leash.leashed(self._run, service.name, spec)
        runner = [*leash.PYTHON, "supervisor.supervisord", "--nodaemon", "-c", _CONFIG]
        leash.leashed(self._run, leash.RUNNER, Leashed(runner, str(self._run), 0, parent=os.getpid()))
        files.write_bytes(self._run / _CONFIG, self._text().encode(), mode=0o600)
        with (self.logs / "supervisord.out").open("ab") as out:
            # A session of its own: Ctrl-C reaches only us, and we stop the services in order.
            self._process = subprocess.Popen(
                leash.command(leash.RUNNER),
                cwd=self._run,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def failed(self) -> str:
        """The service that has given up, with its last log line; empty while all services run.

        Raises:
            ServiceUnavailable: supervisord itself has ended; the services are stopped by then.
        """
        if self._process is None or self._process.poll() is not None:
            stop_left_behind(self._run)
            raise ServiceUnavailable(
                "the process runner was killed, and its services have been stopped in order: start again; "
                f"its log is {self.logs / 'supervisord.log'}"
            )
        for state in self._states():
            if state["statename"] == "FATAL":
                return f"{state['name']} does not start: {self.last_words(state['name'])}"
        return ""

    def last_words(self, name: str) -> str:
        """The last line of a service's log, and the log's path."""
        log = self.logs / f"{name}.log"
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        return f"{lines[-1] if lines else 'its log is empty'} (the whole log is {log})"

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
        folder = os.open(self._run, os.O_PATH)
        # The path of a unix socket has a short limit, and a home may have a long name.
        transport = SupervisorTransport(None, None, f"unix:///proc/self/fd/{folder}/{_SOCKET}")
        try:
            with ServerProxy("http://127.0.0.1", transport=transport) as proxy:
                return cast(list[dict[str, Any]], proxy.supervisor.getAllProcessInfo())
        except (OSError, Fault):  # it is starting or stopping
            return []
        finally:
            os.close(folder)

    def _text(self) -> str:
        # Paths are relative to the home's run folder, whose own path may contain what ends a value.
        config = configparser.RawConfigParser()
        config["supervisord"] = {
            "logfile": "../logs/supervisord.log",
            "pidfile": "supervisord.pid",
            "minfds": "1024",
            "umask": "077",
            "silent": "true",
        }
        config["unix_http_server"] = {"file": f"/proc/self/cwd/{_SOCKET}", "chmod": "0700"}
        config["rpcinterface:supervisor"] = {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        }
        config["supervisorctl"] = {"serverurl": f"unix:///proc/self/cwd/{_SOCKET}"}
        for service in self._wanted:
            config[f"program:{service.name}"] = _program(service)
        text = io.StringIO()
        config.write(text)
        return text.getvalue()


def _program(service: Service) -> dict[str, str]:
    return {
        # supervisord expands percent signs.
        "command": shlex.join(leash.command(service.name)).replace("%", "%%"),
        "priority": str(service.priority),
        "startsecs": "2",
        "startretries": "5",
        "autorestart": "true",
        "stopwaitsecs": "20",
        # Signals go to the whole group, or a killed parent's children would be left behind.
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": f"../logs/{service.name}.log",
        "stdout_logfile_maxbytes": "20MB",
        "stdout_logfile_backups": "2",
    }
