"""The settings' part of a set: an env file of what differs from the defaults, without secrets, and their names."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec import structs

from firehose import files
from firehose.backup.sets import Backup, Group
from firehose.settings import Settings, redacted
from ingester.contract import env_file
from ingester.contract.redis_access import has_login
from ingester.contract.settings import ENV_FILE_NAME, PREFIX

PART: Final = "settings"
_SECRETS: Final = (
    "archive_key",
    "backup_key",
    "clickhouse_loader_password",
    "clickhouse_analyst_password",
    "alert_webhook_url",  # whoever knows the address may post there
    "alert_slack_url",
)
#: Where a home is, and its services: a restore says so anew.
_OF_THE_PLACE: Final = ("home", "lake")


def copy(settings: Settings, backup: Backup) -> tuple[Group, list[str]]:
    """Copy the settings; also returns the names of those that are secrets."""
    lines, secrets = "", []
    for field in structs.fields(Settings):
        value = getattr(settings, field.name)
        if value == field.default:
            continue
        if _is_secret(field.name, str(value)):
            secrets.append(PREFIX + field.name.upper())
        else:
            lines += env_file.line(field.name.upper(), value)
    return backup.group([backup.objects.put_file(ENV_FILE_NAME, [lines.encode()])], ""), secrets


def write(backup: Backup, group: Group, secrets: list[str], folder: Path, lake: str) -> Path:
    """Write them as an env file, with the lake's new place, and a comment for each secret.

    Raises:
        CorruptBackup: the copy is damaged.
    """
    (file,) = backup.files(group)
    text = b"".join(backup.objects.read(file)).decode()
    left_out = tuple(f"{PREFIX}{name.upper()}=" for name in _OF_THE_PLACE)
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith(left_out)]
    lines.append(env_file.line("LAKE", lake))
    lines += [f"# {name} is a secret, which no backup has: give it again.\n" for name in secrets]
    files.write_bytes(folder / ENV_FILE_NAME, "".join(lines).encode(), mode=0o600)
    return folder / ENV_FILE_NAME


def _is_secret(name: str, value: str) -> bool:
    return name in _SECRETS or ("://" in value and (redacted(value) != value or has_login(value)))
