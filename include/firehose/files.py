"""Durable files: written aside, synced, renamed. A reader sees the old file or the new one, never a part.

Every write and removal in the lake goes through here, so what has returned survives a power loss. Must not: know
what is in a file.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from firehose import crash, folders
from firehose.errors import DiskFailed, NoSecondNames
from firehose.folders import Folder

#: No glob of a query ends in it. ClickHouse's globs match dot-files, so a prefix alone would not do.
PART_SUFFIX = ".part"
#: Tools that read a folder as a data set, whatever its files' names end in, leave out those that begin with it.
PART_PREFIX = "_"


# The disk's own errors: what a step was about to write did not get there, whatever it was.
_OF_THE_DISK: Final = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def part_of(path: Path) -> Path:
    """The name under which ``path`` is written before it takes its place."""
    return path.with_name(f"{PART_PREFIX}{path.name}{PART_SUFFIX}")


@contextmanager
def replacing(path: Path, ready: Callable[[Path], None] | None = None) -> Iterator[Path]:
    """Yield a path to write to; on a normal exit that file is synced and takes ``path``'s place.

    On an error the partial file is removed and ``path`` stays as it was, so that a retry writes all of it again:
    after a failed sync the kernel may take pages for written that never were. A crash may leave a ``.part`` file,
    which the next write of the same path replaces. ``ready`` is called with the synced partial file, just before
    it takes the place: for what has to be durable first.

    Raises:
        DiskFailed: the disk is full, read-only or broken.
    """
    part = part_of(path)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
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
        sync_names(path)


def write_bytes(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace ``path`` by ``content``, durably. A secret's ``mode`` is 0o600, from its first byte on."""
    with replacing(path) as part:
        part.unlink(missing_ok=True)
        part.touch(mode)
        part.write_bytes(content)


def copy(source: Path, target: Path) -> None:
    """Copy a file's content; to a path that :func:`replacing` gave, durably."""
    shutil.copyfile(source, target)


def rename(source: Path, target: Path) -> None:
    """Give a durable file of the same folder another name, durably, replacing what has that name.

    Raises:
        DiskFailed: the disk is read-only or broken.
    """
    with explained(target):
        source.replace(target)
        sync_folder(target.parent)


def link(source: Path, target: Path) -> None:
    """Give a durable file another name, durably.

    Raises:
        DiskFailed: the disk is full or read-only.
        NoSecondNames: the file system has no hard links, or not for this file, which is another user's.
    """
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(source)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV):
                raise
            raise NoSecondNames(
                f"{target}: {source} cannot have a second name there ({error.strerror}): Iceberg tables need a "
                "file system with hard links, and hour files of this user; or unset FIREHOSE_ICEBERG"
            ) from None
        crash.file_renamed(target)
        sync_names(target)


def settle(path: Path) -> None:
    """Make a file durable that another process left, by writing the same bytes again.

    That process may have died, or failed, after the file had taken its name and before that was on the disk.
    """
    with replacing(path) as part:
        shutil.copyfile(path, part)


def remove(path: Path) -> None:
    """Remove a file, durably; nothing happens where there is none.

    Raises:
        DiskFailed: the disk is read-only or broken.
    """
    with explained(path):
        try:
            path.unlink()
        except FileNotFoundError:
            return
        sync_folder(path.parent)


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


def sync_names(path: Path) -> None:
    """Wait until ``path`` can be found on the disk: its own name, and those of the folders that it lies in.

    A folder that is there may be no more than a moment old: another process made it, or one that died before it
    had synced the folder above. Those above one that we cannot write to are not ours to make.
    """
    found: dict[Path, Folder] = {}
    for place in path.absolute().parents:
        try:
            folder = Folder(place)
            folder.sync()
        except PermissionError:
            break
        known = folders.is_known(place)
        found[place] = folder
        if known or place.is_mount() or not os.access(place, os.W_OK):
            break
    folders.remember(found)


@contextmanager
def explained(path: object) -> Iterator[None]:
    """Turn what the disk itself fails with into one line about the file that was to be written, or removed.

    Raises:
        DiskFailed: the disk is full, read-only or broken.
    """
    try:
        yield
    except DiskFailed:
        raise
    except OSError as error:
        if error.errno not in _OF_THE_DISK:
            raise
        raise DiskFailed(
            f"{path}: not written ({error.strerror}); see to the disk (room, rights, its health), then retry: "
            "it is written again as a whole"
        ) from error


def sha256(path: Path) -> str:
    """The SHA-256 of a file in hex, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
