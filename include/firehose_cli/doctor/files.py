"""Checks of who can read what must stay secret: password files, key files, the env file, the home."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from firehose.settings import Settings
from firehose_cli.doctor.check import Check, Finding, failure, not_checked, ok, warning
from ingester.contract.env_file import ENV_FILE_NAME
from ingester.contract.settings import PREFIX

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def _open_to_others(paths: list[Path]) -> list[Path]:
    return [path for path in paths if path.stat().st_mode & _OTHERS]


def _judged(paths: list[Path], none: str) -> Finding:
    if not (there := [path for path in paths if path.is_file()]):
        return not_checked(none)
    if found := _open_to_others(there):
        names = " ".join(map(str, found))
        return failure(f"others can read {names}", f"chmod 600 {names}; then change what was in it")
    return ok(f"{len(there)} files are for their owner only")


def passwords(settings: Settings) -> Finding:
    """Redis' passwords are for their owner only."""
    folder = settings.redis_passwords_path
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return _judged([path for path in paths if path.suffix == ""], f"there are no password files in {folder}")


def keys(settings: Settings) -> Finding:
    """Files with keys are for their owner only."""
    named = [settings.archive_key_file, settings.backup_key_file]
    paths = [Path(name).expanduser() for name in named if name]
    for path in paths:
        if not path.is_file():
            return failure(f"there is no file {path}", "name a file that holds the key alone")
    return _judged(paths, "no setting names a file with a key")


def env_file(settings: Settings) -> Finding:
    """The env file, which holds passwords, is for its owner only."""
    named = os.environ.get(f"{PREFIX}ENV_FILE")
    path = Path(named).expanduser() if named else settings.home_path / ENV_FILE_NAME
    return _judged([path], f"there is no env file {path}")


def home(settings: Settings) -> Finding:
    """Others cannot look into the home. Its group may: systemd's units share the lake by theirs."""
    path = settings.home_path
    if not path.is_dir():
        return not_checked(f"there is no {path}: only the embedded services, the demo and drafts need it")
    mode = path.stat().st_mode
    if mode & stat.S_IRWXO:
        return warning(f"others can look into {path}", f"chmod o= {path}")
    return ok(f"{path} is for its owner {'and its group ' if mode & stat.S_IRWXG else ''}only")


CHECKS: Final = (
    Check("files.passwords", passwords),
    Check("files.keys", keys),
    Check("files.env", env_file),
    Check("files.home", home),
)
