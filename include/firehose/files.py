"""Durable files: written aside, synced, renamed. A reader sees the old file or the new one, never a part.

Every write of the lake goes through here. Must not: know what is in a file.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from firehose import crash

#: No glob of a query ends in it. ClickHouse's globs match dot-files, so a prefix would not do.
PART_SUFFIX = ".part"


@contextmanager
def replacing(path: Path, ready: Callable[[Path], None] | None = None) -> Iterator[Path]:
    """Yield a path to write to; on a normal exit that file is synced and takes ``path``'s place.

    On an error the partial file is removed and ``path`` stays as it was. A crash may leave a ``.part`` file,
    which the next write of the same path replaces. ``ready`` is called with the synced partial file, just before
    it takes the place: for what has to be durable first.
    """
    made = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + PART_SUFFIX)
    try:
        yield part
        sync_file(part)
        crash.file_synced(path)
        if ready:
            ready(part)
        part.replace(path)
        crash.file_renamed(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    for folder in (path.parent, *(folder.parent for folder in made)):
        sync_folder(folder)


def write_bytes(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace ``path`` by ``content``, durably. A secret's ``mode`` is 0o600, from its first byte on."""
    with replacing(path) as part:
        part.unlink(missing_ok=True)
        part.touch(mode)
        part.write_bytes(content)


def copy(source: Path, target: Path) -> None:
    """Copy a file's content; to a path that :func:`replacing` gave, durably."""
    shutil.copyfile(source, target)


def rename_unsynced(source: Path, target: Path) -> None:
    """Give a durable file of the same folder another name, in one step, replacing what has that name.

    The folder is not synced: after a power loss the file has either name, and the caller must be fine with both.
    """
    source.replace(target)


def sync_file(path: Path) -> None:
    """Wait until ``path``'s content is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Wait until the names in ``path`` are on the disk: a rename is durable only then."""
    sync_file(path)


def sha256(path: Path) -> str:
    """The SHA-256 of a file in hex, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
