"""Prepares an Airflow in one folder: SQLite, LocalExecutor, one login, no root.

Lives here: its configuration, secrets, database and commands. Must not: import Airflow, or run its services.
"""

from __future__ import annotations

import base64
import configparser
import hashlib
import importlib.metadata
import json
import os
import secrets
import subprocess
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Final, TextIO
from urllib.parse import quote

from devstack.embedded.leash import PYTHON
from firehose.errors import FirehoseError

USER: Final = "admin"
POOLS: Final = Path(str(resources.files("firehose") / "airflow" / "pools.json"))
_PASSWORDS: Final = "simple_auth_manager_passwords.json"
_AIRFLOW: Final = (*PYTHON, "airflow")
#: Options that must stay the same from one start to the next, and their size in bytes: a Fernet key has 32,
#: HMAC with SHA-512 needs 64.
_SECRETS: Final = (("core", "fernet_key", 32), ("api", "secret_key", 32), ("api_auth", "jwt_secret", 64))


def prepare_airflow_home(
    home: Path, dags: Path, plugins: Path, env: Mapping[str, str], *, port: int = 8080
) -> dict[str, str]:
    """Make ``home`` a ready AIRFLOW_HOME and return the whole environment to run Airflow's commands in.

    Writes ``airflow.cfg`` (mode 0600; secrets are made once and kept), a password for the user ``admin``,
    migrates the database and imports the pools. Running it again is quick and changes only what differs.
    ``env`` is the environment to start from; its own ``AIRFLOW_*`` variables are dropped, since they would
    override the file. The web interface and API listen on loopback at ``port``.

    Raises:
        FirehoseError: Airflow could not make its database or the pools.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write_config(home, options(home, dags, plugins, port))
    _make_password(home)
    environment = {name: value for name, value in env.items() if not name.startswith("AIRFLOW_")}
    environment |= {"AIRFLOW_HOME": str(home), "GX_ANALYTICS_ENABLED": "false"}
    # Airflow imports its secrets backend before it knows of its plugins.
    others = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if path and path != str(plugins)]
    environment["PYTHONPATH"] = os.pathsep.join([str(plugins), *others])
    _initialise(home, environment)
    return environment


def commands() -> dict[str, list[str]]:
    """The commands of this Airflow's services by name. Each runs as its own process.

    No triggerer: no task here defers. No log server: the web interface reads the log files itself.
    """
    return {
        "scheduler": [*_AIRFLOW, "scheduler", "--skip-serve-logs"],
        "dag-processor": [*_AIRFLOW, "dag-processor"],
        "api-server": [*_AIRFLOW, "api-server"],
    }


def password(home: Path) -> str:
    """The password of the user ``admin`` of a prepared home."""
    return str(json.loads((home / _PASSWORDS).read_text())[USER])


def options(home: Path, dags: Path, plugins: Path, port: int) -> dict[str, dict[str, object]]:
    """The options that differ from Airflow's defaults, by section of ``airflow.cfg``. docker-compose.yaml sets the
    same time limits."""
    url = f"http://localhost:{port}"
    return {
        "core": {
            "dags_folder": dags,
            "plugins_folder": plugins,
            "executor": "LocalExecutor",
            # A worker is a forked process; more of them than cores only take memory.
            "parallelism": 3,
            "load_examples": False,
            "dags_are_paused_at_creation": False,
            # The default asks the name service, which may be slow or unavailable.
            "hostname_callable": "socket.gethostname",
            "simple_auth_manager_users": f"{USER}:admin",
            "simple_auth_manager_passwords_file": home / _PASSWORDS,
            # On this machine only, by its one user: the page of connections may test them.
            "test_connection": "Enabled",
            "execution_api_server_url": f"http://127.0.0.1:{port}/execution/",
        },
        # SQLAlchemy decodes percent signs in it.
        "database": {"sql_alchemy_conn": f"sqlite:///{quote(str(home / 'airflow.db'))}"},
        # Airflow sets modes whatever the umask is, and does not find its folders below a home with a percent sign.
        "logging": {
            "base_log_folder": home / "logs",
            "dag_processor_child_process_log_directory": home / "logs" / "dag_processor",
            "file_task_handler_new_folder_permissions": "0o700",
            "file_task_handler_new_file_permissions": "0o600",
        },
        "api": {"host": "127.0.0.1", "port": port, "base_url": url, "workers": 1},
        # After a power failure, tasks of the dead scheduler are found and run again within a minute.
        "scheduler": {"orphaned_tasks_check_interval": 15, "task_instance_heartbeat_timeout": 60},
        "dag_processor": {
            "parsing_processes": 1,
            "refresh_interval": 10,
        },
        # Their passwords, for the test: the page itself has none.
        "secrets": {"backend": "firehose_connections.SettingsBackend"},
        # A supervisor that misses the exit of its task notices it at the next heartbeat: after 1 s instead of 5.
        "workers": {
            "min_heartbeat_interval": 1,
            "max_failed_heartbeats": 15,
            # Tasks' connections come from the FIREHOSE_ settings (plugins/firehose_connections.py).
            "secrets_backend": "firehose_connections.SettingsBackend",
        },
    }


def _write_config(home: Path, options: dict[str, dict[str, object]]) -> None:
    path = home / "airflow.cfg"
    old = configparser.ConfigParser(interpolation=None)
    old.read(path)
    for section, option, size in _SECRETS:
        kept = old.get(section, option, fallback="")
        options.setdefault(section, {})[option] = kept or _new_secret(size)
    config = configparser.ConfigParser(interpolation=None)
    for section, values in options.items():
        # Airflow interpolates, so a percent sign in a path must be doubled.
        config[section] = {name: str(value).replace("%", "%%") for name, value in values.items()}
    with _private(path) as stream:
        config.write(stream)


def _new_secret(size: int) -> str:
    """Random bytes in URL-safe base64, the only form that a Fernet key may have."""
    return base64.urlsafe_b64encode(secrets.token_bytes(size)).decode()


def _make_password(home: Path) -> None:
    path = home / _PASSWORDS
    if not path.exists():
        with _private(path) as stream:
            json.dump({USER: secrets.token_urlsafe(12)}, stream)


def _private(path: Path) -> TextIO:
    """Open a file for writing that only its owner can read, from its first moment on."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w")


def _initialise(home: Path, environment: dict[str, str]) -> None:
    """Migrate and import pools, unless the same Airflow has already done so with the same pools."""
    version = importlib.metadata.version("apache-airflow")
    state = f"{version} {hashlib.sha256(POOLS.read_bytes()).hexdigest()}\n"
    marker = home / "initialised"
    if (home / "airflow.db").exists() and marker.exists() and marker.read_text() == state:
        return
    _run(home, ["db", "migrate"], environment)
    _run(home, ["pools", "import", str(POOLS)], environment)
    marker.write_text(state)


def _run(home: Path, arguments: list[str], environment: dict[str, str]) -> None:
    log = home / "initialise.log"
    with log.open("a") as stream:
        done = subprocess.run(
            [*_AIRFLOW, *arguments], env=environment, stdout=stream, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        raise FirehoseError(f"airflow {' '.join(arguments)} failed with {done.returncode}; see {log}")
