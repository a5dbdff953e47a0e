"""Settings, passwords and secrets in /etc/bluesky-firehose: made once, and kept.

systemd hands each service those that it needs (LoadCredential=); none is in a unit or in an environment. Must not:
change what is there, but what follows from other files.
"""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from devstack.embedded import airflow
from devstack.embedded.redis_config import ACL, USERS, write_access
from devstack.service.machine import (
    ANALYST_ENV,
    CLICKHOUSE_ENV,
    ETC,
    HOME,
    REDIS_PASSWORDS,
    SECRETS_ENV,
    SETTINGS,
)
from devstack.service.units import AIRFLOW, CLICKHOUSE, REDIS, UI
from firehose import files
from firehose.settings import Settings
from ingester.contract import env_file

_SETTINGS: Final = """\
# Settings of all services of this machine (docs/settings.md), without secrets. Passwords of Redis are in redis/,
# those of ClickHouse in clickhouse.env, other secrets in secrets.env. After a change: `firehose service install`,
# which checks them, then `systemctl restart bluesky-firehose.target`.
"""
_SECRETS: Final = """\
# Settings that are secrets, for Airflow's services and the dead-man's check: FIREHOSE_SMTP_URL,
# FIREHOSE_ALERT_WEBHOOK_URL, FIREHOSE_ARCHIVE_KEY, FIREHOSE_BACKUP_KEY.
"""


def texts(parts: tuple[str, ...]) -> dict[Path, str]:
    """What is to be in each file that is missing, by its path below the root folder. New secrets at each call."""
    start = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:00Z}"
    lines = env_file.line("LAKE", f"{HOME}/lake")
    found = {
        SETTINGS: _SETTINGS + lines + (env_file.line("START_DATE", start) if AIRFLOW in parts else ""),
        SECRETS_ENV: _SECRETS,
    }
    if CLICKHOUSE in parts:
        users = ("LOADER", "ANALYST", "MONITORING")
        passwords = (env_file.line(f"CLICKHOUSE_{user}_PASSWORD", secrets.token_urlsafe(24)) for user in users)
        found[CLICKHOUSE_ENV] = "".join(passwords)
    if AIRFLOW in parts:
        folder = ETC / "airflow"
        found |= {folder / name: airflow.new_secret(size) for name, size in _AIRFLOW_SECRETS.items()}
        found[folder / "passwords.json"] = json.dumps({airflow.USER: secrets.token_urlsafe(12)})
        found[folder / "database"] = f"sqlite:///{HOME}/airflow/airflow.db"
    return found


_AIRFLOW_SECRETS: Final = {"fernet-key": 32, "api-secret": 64, "jwt-secret": 64}


def missing(root: Path, parts: tuple[str, ...]) -> dict[Path, str]:
    """Those of :func:`texts` that are not there."""
    return {path: text for path, text in texts(parts).items() if not (root / path).exists()}


def of_analyst(root: Path, settings: Settings, parts: tuple[str, ...]) -> dict[Path, str]:
    """The page's file, if it has to be written: the analyst's password of ``settings``, without the loader's."""
    if UI not in parts:
        return {}
    text = env_file.line("CLICKHOUSE_ANALYST_PASSWORD", settings.clickhouse_analyst_password)
    path = root / ANALYST_ENV
    return {} if path.is_file() and path.read_text() == text else {ANALYST_ENV: text}


def of_redis(root: Path, parts: tuple[str, ...]) -> list[Path]:
    """The files that :func:`make` makes of Redis, where it is one of ``parts`` and they are not there."""
    names = [REDIS_PASSWORDS / name for name in (*USERS, ACL)] if REDIS in parts else []
    return [name for name in names if not (root / name).exists()]


def make(root: Path, wanted: dict[Path, str], parts: tuple[str, ...]) -> None:
    """Write ``wanted``, and Redis' passwords where it is one of ``parts``; for root only."""
    (root / ETC).mkdir(parents=True, exist_ok=True)
    (root / ETC).chmod(0o755)
    for path, text in wanted.items():
        (root / path).parent.mkdir(mode=0o700, exist_ok=True)
        files.write_bytes(root / path, f"{text.rstrip()}\n".encode(), mode=0o600)
    if REDIS in parts:
        write_access(root / REDIS_PASSWORDS)
