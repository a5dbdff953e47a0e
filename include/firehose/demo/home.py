"""The demo's folder: its env file with passwords and start date, made at the first start and kept."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from firehose import files
from firehose.settings import Settings, load
from ingester.settings import ENV_FILE_NAME, PREFIX

_NOTE = """\
# Made by `firehose demo` at its first start; read by every firehose command. Keep it: it holds the passwords,
# and the start date from which on every interval is accounted for.
"""


def prepare(settings: Settings) -> Settings:
    """Make the demo's env file if there is none, and return the settings that it and the environment give."""
    path = settings.home_path / ENV_FILE_NAME
    if not path.exists():
        chosen = {
            "BATCH_MINUTES": "1",
            "START_DATE": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:00Z}",
            "CLICKHOUSE_LOADER_PASSWORD": secrets.token_urlsafe(16),
            "CLICKHOUSE_ANALYST_PASSWORD": secrets.token_urlsafe(16),
        }
        lines = "".join(f"{PREFIX}{name}={value}\n" for name, value in chosen.items())
        files.write_bytes(path, (_NOTE + lines).encode(), mode=0o600)
    return load()


def environment(settings: Settings) -> dict[str, str]:
    """The environment of the demo's services: ours, and every setting as a variable."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    inherited |= {f"{PREFIX}{name.upper()}": str(getattr(settings, name)) for name in settings.__struct_fields__}
    # The services' logs are files: colours and buffering only harm there.
    return inherited | {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}


def project_root() -> Path:
    """The checkout: the folder that holds ``dags`` and ``plugins``."""
    return Path(__file__).resolve().parents[3]
