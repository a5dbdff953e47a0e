"""Which set a restore takes, also when it is run again after a death. Must not: restore anything."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from firehose import files
from firehose.areas import RESTORING
from firehose.backup.sets import Backup, BackupSet
from firehose.errors import NoBackup


class Marker(msgspec.Struct):
    """What a restore notes while it is under way: the set that it restores."""

    name: str


def choose(kept: Backup, home: Path, to: datetime | None) -> tuple[BackupSet, bool]:
    """The set to restore, and whether an unfinished restore of it is to be completed.

    Raises:
        NoBackup: there is none from before ``to``.
    """
    if (marker := home / RESTORING).exists():
        return kept.read(msgspec.json.decode(marker.read_bytes(), type=Marker).name), True
    return choose_set(kept, to), False


def choose_set(kept: Backup, to: datetime | None) -> BackupSet:
    """The last set, or the last one from before ``to``.

    Raises:
        NoBackup: there is none.
    """
    if found := kept.latest(to):
        return found
    when = f" from before {to:%Y-%m-%dT%H:%M:%SZ}" if to else ""
    raise NoBackup(f"{kept.target}: there is no complete set{when} that can be read")


def begin(home: Path, chosen: BackupSet) -> None:
    """Note in the home which set is restored into it."""
    files.write_bytes(home / RESTORING, msgspec.json.encode(Marker(chosen.name)))
