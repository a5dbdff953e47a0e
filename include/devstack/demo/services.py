"""The demo's services: their commands and ports, and the order in which they start and stop.

Low priorities start first and stop last, one after another, so the ingester flushes while Redis still runs.
Must not: start or stop them (supervisor.py), print.
"""

from __future__ import annotations

import socket
from typing import Final
from urllib.parse import urlsplit

import msgspec

from clickhouse_http import LOCK, FolderInUse, own
from devstack.embedded import airflow
from devstack.embedded.clickhouse import data_folder
from devstack.embedded.leash import PYTHON
from devstack.embedded.ownership import private_folder
from devstack.embedded.redis import RedisServer
from devstack.embedded.redis_config import login_of
from firehose.areas import Area
from firehose.errors import FirehoseError
from firehose.settings import Settings
from ingester.contract import checks

#: The number of databases of a Redis server by default.
_DATABASES: Final = 16


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One process of the demo. ``port`` is where it listens, ``setting`` the variable that changes it.

    ``last``: it ends only after all others, whatever happens.
    """

    name: str
    command: list[str]
    priority: int
    port: int = 0
    setting: str = ""
    last: bool = False


def services(settings: Settings, *, simulated: bool) -> list[Service]:
    """The services in the order in which they start."""
    redis_port = urlsplit(settings.redis_url).port or 6379
    private_folder(Area.QUALITY.of(settings.local_lake), "FIREHOSE_LAKE")  # served as the quality pages
    redis = RedisServer(settings.home_path, redis_port, login=login_of(settings.redis_url))
    private_folder(redis.folder, "FIREHOSE_HOME")
    docs_server = [*PYTHON, "devstack.demo.docs_server"]
    simulator = [*PYTHON, "jetstream_simulator", "--port", str(settings.simulator_port), "--malformed", "0.002"]
    clickhouse_port = urlsplit(settings.clickhouse_url).port or 8123
    _, ui_port = checks.host_and_port(settings.ui_listen)
    found = [
        Service(
            name="redis", command=redis.prepare(), priority=10, port=redis_port, setting="REDIS_URL", last=True
        ),
        Service(
            name="clickhouse",
            command=[*PYTHON, "devstack.embedded.clickhouse"],
            priority=20,
            port=clickhouse_port,
            setting="CLICKHOUSE_URL",
        ),
        Service(name="data-docs", command=docs_server, priority=20, port=settings.docs_port, setting="DOCS_PORT"),
        Service(name="ui", command=[*PYTHON, "firehose_ui.serve"], priority=30, port=ui_port, setting="UI_LISTEN"),
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
        Service(name="ingester", command=[*PYTHON, "ingester"], priority=50),
    ]
    if simulated:
        port = settings.simulator_port
        found.append(
            Service(name="simulator", command=simulator, priority=40, port=port, setting="SIMULATOR_PORT")
        )
    return sorted(found, key=lambda service: service.priority)


def refuse_foreign(settings: Settings) -> None:
    """Refuse settings that name another Redis or ClickHouse: the demo runs its own.

    Raises:
        FirehoseError: a setting does; the line names it.
    """
    redis = urlsplit(settings.redis_url)
    if redis.scheme != "redis" or redis.hostname not in ("localhost", "127.0.0.1"):
        raise FirehoseError(
            "FIREHOSE_REDIS_URL: the demo runs a Redis of its own, on this machine and without TLS; "
            "use redis://localhost:PORT/0"
        )
    if int(redis.path.strip("/") or 0) >= _DATABASES:
        raise FirehoseError(f"FIREHOSE_REDIS_URL: the demo's Redis has the databases 0 to {_DATABASES - 1}")
    clickhouse = urlsplit(settings.clickhouse_url)
    if clickhouse.scheme != "http" or clickhouse.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise FirehoseError(
            "FIREHOSE_CLICKHOUSE_URL: the demo runs a ClickHouse of its own, on this machine and without TLS; "
            "use http://localhost:PORT"
        )


def refuse_used_data(settings: Settings) -> None:
    """Refuse a home whose ClickHouse data another process serves.

    Raises:
        FirehoseError: a `firehose clickhouse` does.
    """
    folder = private_folder(data_folder(settings), "FIREHOSE_HOME")
    try:
        own(folder / LOCK, "firehose demo").close()
    except FolderInUse as error:
        raise FirehoseError(f"the ClickHouse data in {folder} {error}: stop that first") from None


def refuse_taken_ports(wanted: list[Service]) -> None:
    """Refuse ports that are in use, or that two services would share.

    Raises:
        FirehoseError: one is; the line names the setting that changes it.
    """
    by_port: dict[int, Service] = {}
    for service in wanted:
        if not service.port:
            continue
        if other := by_port.get(service.port):
            raise FirehoseError(
                f"port {service.port} is set for both {other.name} and {service.name}: choose another one in "
                f"FIREHOSE_{service.setting} or FIREHOSE_{other.setting}"
            )
        by_port[service.port] = service
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", service.port))
            except OSError:
                raise FirehoseError(
                    f"port {service.port} on 127.0.0.1 is taken, so {service.name} cannot start: stop what "
                    f"listens there, or choose another one in FIREHOSE_{service.setting}"
                ) from None
