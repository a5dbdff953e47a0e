"""Drafts on the local disk, which are uploaded when they are complete. Must not: know what is uploaded.

A process holds a lock on its folder, which the kernel lets go when it ends: what a killed one has left is removed
by the next one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

_PREFIX: Final = "drafts-"


@contextmanager
def draft_folder(spool: Path) -> Iterator[Path]:
    """An empty folder below ``spool``, removed at the end."""
    with tempfile.TemporaryDirectory(dir=_own(spool, os.getpid())) as folder:
        yield Path(folder)


@cache
def _own(spool: Path, pid: int) -> Path:
    """This process's folder. It is held until the process ends."""
    spool.mkdir(parents=True, exist_ok=True)
    for left in spool.glob(f"{_PREFIX}*"):
        if (held := _held(left)) is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(held)
    while True:
        made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=spool))
        if _held(made) is not None:  # else another process took it for one that was left
            return made


def _held(folder: Path) -> int | None:
    """The lock of a folder; None where another process holds it, or the folder is gone."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if folder.exists():
            return descriptor
    except BlockingIOError:
        pass
    os.close(descriptor)
    return None
