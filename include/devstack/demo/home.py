"""The demo's home: an env file with passwords and start date, made at the first start and kept.

Must not: start anything.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from firehose import files
from firehose.errors import FirehoseError
from firehose.settings import Settings, load
from ingester.contract import env_file
from ingester.contract.settings import ENV_FILE_NAME, PREFIX

_NOTE = """\
# Made by `firehose demo` at its first start; read by every firehose command. Keep it: it has the passwords, and
# the start date, after which every interval is accounted for.
"""


def prepare(settings: Settings) -> Settings:
    """Make the demo's env file, or complete one that was written before the first start; returns the settings.

    Raises:
        FirehoseError: the file is empty, or a used home's file has lost lines.
    """
    named = os.environ.get(PREFIX + "ENV_FILE")
    path = Path(named).expanduser() if named else settings.home_path / ENV_FILE_NAME
    given = env_file.variables(os.environ) | os.environ
    missing = {name: value for name, value in _first_values().items() if not given.get(PREFIX + name)}
    if not missing or (path.exists() and not _may_be_completed(path, settings, missing)):
        return load()
    said = path.read_text() if path.exists() else _NOTE
    lines = "".join(env_file.line(name, value) for name, value in missing.items())
    files.write_bytes(path, f"{said.rstrip()}\n{lines}".encode(), mode=0o600)
    return load()


def _first_values() -> dict[str, str]:
    return {
        "BATCH_MINUTES": "1",
        "START_DATE": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:00Z}",
        "CLICKHOUSE_LOADER_PASSWORD": secrets.token_urlsafe(16),
        "CLICKHOUSE_ANALYST_PASSWORD": secrets.token_urlsafe(16),
    }


def _may_be_completed(path: Path, settings: Settings, missing: Iterable[str]) -> bool:
    """True if a user wrote this env file for a new home. One that has lost lines must not get other values."""
    used = any((settings.home_path / name).exists() for name in ("airflow", "redis", "clickhouse"))
    lost = [PREFIX + name for name in missing if name != "BATCH_MINUTES"]
    if lost and (used or not path.read_text().strip()):
        raise FirehoseError(
            f"{path} lacks {', '.join(lost)}: restore it from a copy, or remove it: then the demo makes new "
            "passwords and accounts for intervals from now on only"
        )
    return not used


def environment(settings: Settings) -> dict[str, str]:
    """The environment of the demo's services: this process's, with every setting as a variable."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    inherited |= {f"{PREFIX}{name.upper()}": str(getattr(settings, name)) for name in settings.__struct_fields__}
    # The services log to files, where colours and buffering only do harm.
    return inherited | {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
