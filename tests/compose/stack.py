"""The compose file as it is, brought up by podman-compose one service after the other.

Lives here: what `docker compose` does of itself and podman-compose cannot without systemd: the order of
dependencies, their conditions, and the health checks, which are those of the file. Must not: assertions of a test.
"""

from __future__ import annotations

import copy
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from tests.compose.engine import NOFILE, NPROC, Engine

PROJECT: Final = "firehose-test"
_SECRETS: Final = (
    *("REDIS_INGESTER_PASSWORD", "REDIS_PIPELINE_PASSWORD", "REDIS_MONITORING_PASSWORD", "POSTGRES_PASSWORD"),
    *("CLICKHOUSE_LOADER_PASSWORD", "CLICKHOUSE_ANALYST_PASSWORD", "AIRFLOW_ADMIN_PASSWORD", "AIRFLOW_FERNET_KEY"),
    *("AIRFLOW_API_SECRET", "AIRFLOW_JWT_SECRET"),
)
#: What is beside the compose file: a source, a mail server that prints, no more descriptors than this machine has.
_BESIDE: Final[dict[str, Any]] = {
    "services": {
        "simulator": {
            "user": "0:0",
            "entrypoint": ["python", "-P", "-m", "jetstream_simulator"],
            "command": [
                "--host",
                "0.0.0.0",  # noqa: S104 - of its container
                "--rate",
                "20",
                "--record",
                "/sent/events.jsonl",
            ],
            "networks": ["jetstream"],
        },
        "mail": {
            "entrypoint": ["python", "-u", "-m", "smtpd"],
            "command": ["-n", "-c", "DebuggingServer", "0.0.0.0:2525"],
            "networks": ["alerts"],
        },
        "clickhouse": {"ulimits": {"nofile": {"soft": NOFILE, "hard": NOFILE}, "nproc": NPROC}},
    }
}
_START_S: Final = 300.0
_FROM: Final = re.compile(r"^FROM (\S+)", re.MULTILINE)


class Stack:
    """The services of one checkout's compose file. Another checkout's takes over the project and its volumes."""

    def __init__(self, engine: Engine, folder: Path, checkout: Path, settings: dict[str, str]) -> None:
        self.engine, self.folder, self.checkout = engine, folder, checkout
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "sent").mkdir(exist_ok=True)
        beside = copy.deepcopy(_BESIDE)
        beside["services"]["simulator"]["volumes"] = [f"{folder}/sent:/sent"]
        self._secrets = folder / "secrets.json"
        if not self._secrets.exists():
            self._secrets.write_text(json.dumps({name: _secret(name) for name in _SECRETS}))
        self.secrets: dict[str, str] = json.loads(self._secrets.read_text())
        self.settings = settings
        every: dict[str, dict[str, Any]] = yaml.safe_load((checkout / "docker-compose.yaml").read_text())[
            "services"
        ]
        # As `docker compose` without --profile.
        self.services = {name: entry for name, entry in every.items() if "profiles" not in entry}
        # Nothing stands in for Grafana.
        self.monitoring = {name: every[name] for name in ("exporter", "prometheus") if name in every}
        for name in ("simulator", "mail"):
            beside["services"][name]["image"] = every["clickhouse"]["image"]  # the stand-in has the project's code
        (folder / "beside.yaml").write_text(yaml.safe_dump(beside))

    def compose(self, *arguments: str, timeout_s: float = 300) -> str:
        """Run podman-compose on the compose file."""
        # As an operator makes it: the example, filled in. What it leaves empty stays empty.
        given = "".join(f"{name}={value}\n" for name, value in (self.secrets | self.settings).items())
        (self.folder / ".env").write_text((self.checkout / ".env.example").read_text() + given)
        command = [sys.executable, "-m", "podman_compose", "--in-pod=false", "--project-name", PROJECT]
        # As Docker: a read-only container has no temporary folders but those that it is given.
        command += ["--podman-run-args=--read-only-tmpfs=false"]
        command += ["--env-file", str(self.folder / ".env"), "-f", str(self.checkout / "docker-compose.yaml")]
        command += ["-f", str(self.folder / "beside.yaml"), *arguments]
        done = subprocess.run(
            command,
            env=self.engine.environment,
            cwd=self.checkout,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, f"podman-compose {' '.join(arguments)}:\n{done.stdout[-4000:]}"
        return done.stdout

    def build(self) -> None:
        """The images that the compose file builds, each once, on stand-ins for those that it names."""
        every = [*self.services.values(), *self.monitoring.values()]
        built = {
            entry["image"]: self.checkout / entry["build"]["dockerfile"] for entry in every if "build" in entry
        }
        named = {entry["image"] for entry in every} - built.keys()
        bases = {_FROM.findall(path.read_text())[0] for path in built.values()}
        for official in sorted(named | bases):
            self.engine.stand_in(official)
        for image, dockerfile in built.items():
            self.engine.build(f"localhost/{image}", dockerfile, self.checkout)

    def up(self) -> None:
        """As `docker compose up --detach`: each service once those that it depends on are as it wants them."""
        for service in _BESIDE["services"].keys() - self.services.keys():
            self.up_one(service)
        done: set[str] = set()
        while left := [name for name in self.services if name not in done]:
            name = next(name for name in left if self.services[name].get("depends_on", {}).keys() <= done)
            for other, how in self.services[name].get("depends_on", {}).items():
                self._wait_for(other, how["condition"])
            self.up_one(name)
            done.add(name)
        for name, entry in self.services.items():
            if "healthcheck" in entry:
                self.wait_healthy(name)

    def up_one(self, service: str) -> None:
        """Start a service; a container of another image makes room, which podman-compose does not see itself."""
        again = ["--force-recreate"] if self._has_another_image(service) else []
        profile = ["--profile", "monitoring"] if service in self.monitoring else []
        self.compose(*profile, "up", "--detach", "--no-deps", "--no-build", *again, service)

    def _has_another_image(self, service: str) -> bool:
        if service not in self.services or not self.engine.succeeds("container", "exists", container(service)):
            return False
        wanted = self.engine.podman("image", "inspect", "--format", "{{.Id}}", self.services[service]["image"])
        return str(self.inspect(service)["Image"]) not in wanted

    def down(self) -> None:
        """As `docker compose down`, but the source goes on, and with it the record of what it has sent."""
        for service in reversed(self.services):
            self.engine.podman("stop", "--time", "60", container(service), check=False)
            self.engine.podman("rm", "--force", container(service))

    def _wait_for(self, service: str, condition: str) -> None:
        if condition == "service_healthy":
            self.wait_healthy(service)
            return
        code = self.engine.podman("wait", container(service), timeout_s=_START_S).split()[-1]
        assert code == "0", f"{service} exited with {code}:\n{self.logs(service)[-4000:]}"

    def healthy(self, service: str) -> bool:
        """Run the service's health check once."""
        return self.engine.succeeds("healthcheck", "run", container(service))

    def wait_healthy(self, service: str, timeout_s: float = _START_S) -> None:
        """Until its health check passes."""
        wait(lambda: self.healthy(service), f"{service} is healthy", timeout_s, lambda: self.logs(service)[-3000:])

    def execute(self, service: str, *command: str, check: bool = True) -> str:
        """As `docker compose exec`; what it prints."""
        return self.engine.podman("exec", container(service), *command, check=check)

    def logs(self, service: str) -> str:
        """Everything that the service's container has printed."""
        return self.engine.podman("logs", container(service), check=False)

    def inspect(self, service: str) -> dict[str, Any]:
        """The container as podman describes it."""
        said = self.engine.podman("inspect", container(service))
        found: list[dict[str, Any]] = json.loads(said[said.index("[\n") :])  # after warnings
        return found[0]

    def kill(self, service: str) -> None:
        """SIGKILL for the service's first process, as the kernel's when memory ends."""
        before = self.inspect(service)["State"]["Pid"]
        os.kill(before, signal.SIGKILL)
        wait(lambda: self.inspect(service)["State"]["Pid"] not in (0, before), f"{service} is started again", 60)

    def query(self, sql: str, user: str = "analyst") -> str:
        """Ask ClickHouse on its published port, as a user of the host does; an error is an answer as well."""
        password = self.secrets[f"CLICKHOUSE_{user.upper()}_PASSWORD"]
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.settings['CLICKHOUSE_PORT']}/?{urllib.parse.urlencode({'query': sql})}",
            headers={"X-ClickHouse-User": user, "X-ClickHouse-Key": password},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return str(answer.read().decode().strip())
        except urllib.error.HTTPError as error:
            return str(error.read().decode().strip())
        except OSError as error:
            return str(error)

    def volume(self, name: str) -> Path:
        """A named volume's folder on the host."""
        return Path(
            self.engine.podman("volume", "inspect", "--format", "{{.Mountpoint}}", f"{PROJECT}_{name}").strip()
        )

    @property
    def sent(self) -> list[bytes]:
        """What the source has put on its stream."""
        return (
            (self.folder / "sent" / "events.jsonl").read_bytes().split(b"\n")[:-1]
        )  # the last may be half a line

    def remove(self) -> None:
        """Everything of the project but its images, volumes included."""
        for kind in ("container", "volume", "network"):
            found = self.engine.podman(kind, "ls", *(["--all"] if kind == "container" else []), "--format=json")
            for entry in json.loads(found or "[]"):
                name = entry["Names"][0] if kind == "container" else entry.get("Name") or entry["name"]
                if name.startswith(PROJECT):
                    with_volumes = ["--volumes"] if kind == "container" else []  # those without a name as well
                    self.engine.podman(kind, "rm", "--force", *with_volumes, name, check=False)


def container(service: str) -> str:
    """The name of a service's container."""
    return f"{PROJECT}_{service}_1"


def wait(
    condition: Callable[[], object], what: str, timeout_s: float, why: Callable[[], str] = lambda: ""
) -> None:
    """Until it is so; fails with what was waited for."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not so within {timeout_s:.0f} s: {what}\n{why()}"
        time.sleep(1)


def now() -> str:
    """This minute, as FIREHOSE_START_DATE wants it."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:00Z}"


def _secret(name: str) -> str:
    if name == "AIRFLOW_FERNET_KEY":
        return secrets.token_urlsafe(32) + "="
    return secrets.token_hex(24)
