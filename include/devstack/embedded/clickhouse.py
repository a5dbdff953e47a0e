"""The embedded ClickHouse with the project's settings: as this process, or as a child of it.

Lives here: the one place that makes the endpoint's configuration from settings. Must not: how the endpoint works.

``python -m devstack.embedded.clickhouse`` is ``firehose clickhouse`` for a process runner.
"""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from importlib import resources
from pathlib import Path
from typing import Final

import clickhouse_http
from clickhouse_http import EndpointConfig, EndpointError, EndpointProcess
from devstack.embedded.leash import ending_with_us
from firehose import settings as project_settings
from firehose.settings import Settings, SettingsError
from ingester.contract.settings import PREFIX

#: The users' rights; the same file is mounted into a ClickHouse server's container.
USERS_XML: Final = Path(str(resources.files("firehose") / "clickhouse" / "server" / "users.xml"))
_SMALLER: Final = (
    "narrow its hours (hour_start), name fewer columns, or ask a view with parameters"
    " (account_events, about, engagement, top_records)"
)
#: Fields of the configuration whose value is a setting's.
_AS_SET: Final = {
    "url": "clickhouse_url",
    "loader": "clickhouse_loader",
    "loader_password": "clickhouse_loader_password",
    "analyst": "clickhouse_analyst",
    "analyst_password": "clickhouse_analyst_password",
    "monitoring_password": "clickhouse_monitoring_password",
    "query_memory_mib": "query_max_memory_mib",
    "query_seconds": "query_max_seconds",
    "total_memory_mib": "query_total_memory_mib",
    "max_body_mib": "http_max_body_mib",
    "spool_mib": "http_spool_mib",
    "disk_reserve_mib": "http_disk_reserve_mib",
    "timeout_s": "http_timeout_s",
    "sandbox": "clickhouse_sandbox",
    "log_level": "log_level",
}
#: Those that are made of one.
_MADE_OF: Final = {
    "folder": "home",
    "lake": "lake",
    "allowed_hosts": "http_allowed_hosts",
    "allowed_origins": "http_allowed_origins",
}


def data_folder(settings: Settings) -> Path:
    """The folder of the embedded ClickHouse's data."""
    return settings.home_path / "clickhouse"


def endpoint_config(settings: Settings) -> EndpointConfig:
    """The endpoint that ``settings`` describe; its messages name the settings as users know them."""
    lake = settings.clickhouse_lake_root
    return EndpointConfig(
        folder=data_folder(settings),
        lake=None if "://" in lake else Path(lake),
        rights=USERS_XML,
        allowed_hosts=_listed(settings.http_allowed_hosts),
        allowed_origins=_listed(settings.http_allowed_origins),
        program="firehose clickhouse",
        smaller=_SMALLER,
        names={field: f"{PREFIX}{name.upper()}" for field, name in (_AS_SET | _MADE_OF).items()},
        **{field: getattr(settings, name) for field, name in _AS_SET.items()},
    )


def serve(settings: Settings) -> None:
    """Serve in this process until it is stopped; see :func:`clickhouse_http.serve`.

    Raises:
        EndpointError: it cannot start.
    """
    clickhouse_http.serve(endpoint_config(settings))


def start(settings: Settings, log: Path | None = None) -> AbstractContextManager[EndpointProcess]:
    """Run it as a child process that ends with this one; see :func:`clickhouse_http.start`.

    ``log`` receives what it says, by default ``<home>/logs/clickhouse.log``.

    Raises:
        EndpointError: on entering: it does not start; the message holds the reason that it gave.
    """
    log = log or settings.home_path / "logs" / "clickhouse.log"
    return clickhouse_http.start(endpoint_config(settings), log, ending_with_us)


def _listed(setting: str) -> tuple[str, ...]:
    """The entries of a comma-separated setting."""
    return tuple(entry.strip() for entry in setting.split(",") if entry.strip())


def main() -> None:
    """Serve until stopped; exit 1 with one line on standard error where it cannot start."""
    os.umask(0o077)
    try:
        serve(project_settings.load())
    except (SettingsError, EndpointError) as error:
        sys.exit(f"firehose: {error}")


if __name__ == "__main__":
    main()
