"""The lake, its hours, batches, record types and times, as a user names them on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from firehose.store import LakePath, LocalLake


def existing_lake(home: Path | None = None) -> LakePath:
    """The lake of the settings, or of the folder of a `firehose once`.

    Raises:
        FirehoseError: there is none.
        LakeOutdated: it has the folder names of an earlier version.
    """
    from firehose.settings import load

    if not home and (settings := load()).lake_is_remote:
        return settings.lake_path
    lake = any_lake(home)
    lake.require_current()
    return lake


def any_lake(home: Path | None = None) -> LocalLake:
    """The same in a folder, also where the folders in it have the names of an earlier version.

    Raises:
        FirehoseError: there is none.
        SettingsError: the lake of the settings is not in a folder.
    """
    from firehose.errors import FirehoseError
    from firehose.settings import load
    from firehose.store import LocalLake

    lake = LocalLake(home / "lake") if home else load().local_lake
    if not lake.is_dir():
        raise FirehoseError(f"{lake}: no lake there; name the folder with --home or FIREHOSE_LAKE")
    return lake


def hours_of(names: Sequence[str]) -> list[int]:
    """Hours since the epoch, in order, of names such as ``2026-11-23T20``.

    Raises:
        FirehoseError: one is not such a name.
    """
    from firehose.errors import FirehoseError
    from firehose.lake import layout

    found = set()
    for name in names:
        try:
            found.add(layout.parse_hour(name))
        except ValueError:
            raise FirehoseError(f"{name!r} is not an hour: write it like 2026-11-23T20 (UTC)") from None
    return sorted(found)


def parts_of(names: Sequence[str]) -> list[str]:
    """These parts of a backup, to be left out.

    Raises:
        FirehoseError: one does not exist.
    """
    from firehose.backup.run import PARTS
    from firehose.errors import FirehoseError

    for name in names:
        if name not in PARTS:
            raise FirehoseError(f"--skip {name}: not a part that can be left out; there are {', '.join(PARTS)}")
    return list(dict.fromkeys(names))


def types_of(names: Sequence[str]) -> list[str]:
    """These record types.

    Raises:
        FirehoseError: one does not exist.
    """
    from firehose import schema
    from firehose.errors import FirehoseError

    for name in names:
        if name not in schema.TYPES:
            raise FirehoseError(f"--type {name}: not a record type; there are {', '.join(schema.TYPES)}")
    return list(dict.fromkeys(names))


def batches_of(names: Sequence[str]) -> list[str]:
    """These ids of batches.

    Raises:
        FirehoseError: one is not the id of a batch.
    """
    from firehose.batch.interval import Batch
    from firehose.errors import FirehoseError

    for name in names:
        try:
            Batch.parse(name, 1)
        except ValueError:
            raise FirehoseError(f"{name!r} is not the id of a batch: write it like 20261123T204000Z") from None
    return list(dict.fromkeys(names))


def moment_of(option: str, text: str) -> datetime | None:
    """The time that an option names: with a zone, or as hours or days ago (``24h``, ``7d``); None: it names none.

    Raises:
        FirehoseError: it is neither.
    """
    import re
    from datetime import UTC, datetime, timedelta

    from firehose.errors import FirehoseError

    if not text:
        return None
    if ago := re.fullmatch(r"(\d{1,5})([hd])", text):
        return datetime.now(UTC) - timedelta(hours=int(ago[1]) * (24 if ago[2] == "d" else 1))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise FirehoseError(f"{option} {text}: write a time like 2026-11-23T20:40:00Z, or 24h or 7d ago") from None
    if moment.tzinfo is None:
        raise FirehoseError(f"{option} {text}: has no zone; write a time like 2026-11-23T20:40:00Z")
    return moment.astimezone(UTC)
