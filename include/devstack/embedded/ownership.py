"""A home belongs to one command at a time; and folders that only their owner may enter.

Must not: know what is in a home. The lock itself is the ClickHouse endpoint's, which has one on its data.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from clickhouse_http import FolderInUse, Ownership, own
from firehose.areas import RESTORING
from firehose.errors import FirehoseError, ServiceUnavailable

#: The folder in a home with its lock, and with what a process runner needs for its services.
RUN: Final = "run"
#: What takes a home that an unfinished restore has left; every other command refuses it.
RESTORE: Final = "firehose restore"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def own_home(home: Path, what: str) -> Ownership:
    """Make ``home`` if it is not there, for its owner only, and take it for the command ``what``.

    Nothing else of a home may be written before. A process that this one starts does not hold the lock.

    Raises:
        ServiceUnavailable: another command has it.
        FirehoseError: it cannot be made or written to.
    """
    run = private_folder(private_folder(home, "FIREHOSE_HOME") / RUN, "FIREHOSE_HOME")
    found = run.stat()
    if found.st_uid != os.geteuid():
        raise FirehoseError(f"{run} belongs to another user: remove it, or set FIREHOSE_HOME to another folder")
    run.chmod(0o700)
    if what != RESTORE and (home / RESTORING).exists():
        raise FirehoseError(f"{home} holds an unfinished restore: repeat that firehose restore, with its options")
    try:
        return own(run / "home.lock", what)
    except OSError as error:
        raise _unusable(home, "FIREHOSE_HOME", error) from None
    except FolderInUse as error:
        raise ServiceUnavailable(
            f"the home {home} {error}: stop that first, or set FIREHOSE_HOME to another folder"
        ) from None


def private_folder(path: Path, setting: str) -> Path:
    """``path`` as a folder; made with its parents for its owner only, and left as it is where it is there already.

    Raises:
        FirehoseError: it cannot be made; the message names ``setting``, which says where it is.
    """
    try:
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)
        next(path.iterdir(), None)
    except OSError as error:
        raise _unusable(path, setting, error) from None
    return path


def exposed(folders: Iterable[Path]) -> list[Path]:
    """Those of ``folders`` that are there and that other users of this machine may enter or list."""
    return [folder for folder in folders if folder.is_dir() and folder.stat().st_mode & _OTHERS]


def _unusable(path: Path, setting: str, error: OSError) -> FirehoseError:
    return FirehoseError(
        f"{setting}: {path} cannot be used as a folder ({error.strerror}); name one that you may write to"
    )
