"""Where the lake is stored: what any storage must do (:class:`LakePath`), and the lake on a local disk.

The rest of the pipeline names files relative to a lake's root, and reads and replaces them by these methods alone.
Another storage is another class with them, and passes the same tests (tests/contract/test_lake_store.py).
Must not: know what lies in a file.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PosixPath
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from filelock import FileLock, Timeout

from firehose import areas, files
from firehose.areas import Area

if TYPE_CHECKING:
    import pyarrow as pa


class LockTaken(Exception):
    """Another process, or another part of this one, still holds a lock when the time to wait for it is over."""


class LakePath(Protocol):
    """The root of a lake, or a file or folder below it.

    A reader sees a file as it was before a replacement or as it is after it, never a part. What has returned from
    ``replacing``, ``write``, ``remove``, ``rename_to`` and ``settle`` survives a power loss. Errors are those of a
    disk: FileNotFoundError, PermissionError, other OSErrors; and :class:`firehose.errors.DiskFailed` where there
    is no room.
    """

    @property
    def name(self) -> str:
        """The last part of the name."""

    @property
    def stem(self) -> str:
        """The last part of the name, without its last suffix."""

    @property
    def parent(self) -> Self:
        """The folder that it lies in."""

    @property
    def parents(self) -> Sequence[Self]:
        """The folders that it lies in, the nearest one first."""

    @property
    def parts(self) -> Sequence[str]:
        """The names of all folders that it lies in, and its own."""

    def __truediv__(self, key: str, /) -> Self:
        """What has this key below it.

        Raises:
            ValueError: the key would lead out of the folder.
        """

    def __lt__(self, other: Self, /) -> bool: ...

    def with_name(self, name: str) -> Self:
        """Another file in its folder."""

    def with_suffix(self, suffix: str) -> Self:
        """The same, by another last suffix of its own name."""

    def key_in(self, folder: Self) -> str:
        """Its key below a folder."""

    def find(self, pattern: str) -> list[Self]:
        """The files below it whose keys match, in order; ``*`` matches within one part of a key.

        Files that are still being written are never among them. None where there is no such folder.
        """

    def folders(self, pattern: str) -> list[Self]:
        """The folders below it whose keys match, in order; also those in which nothing has been completed."""

    def unfinished(self) -> list[str]:
        """The names of files in this folder that a writer has not completed, or never will."""

    def exists(self) -> bool:
        """Whether there is a file of that name."""

    def size(self) -> int:
        """The file's bytes."""

    def read_bytes(self) -> bytes:
        """The whole content."""

    def reading(self) -> pa.NativeFile:
        """The content, to read any range of: a context manager."""

    def sha256(self) -> str:
        """The SHA-256 of the content in hex, read in pieces."""

    def replacing(self, ready: Callable[[LocalLake], None] | None = None) -> AbstractContextManager[LocalLake]:
        """Give a local file to write to, which takes this one's place on a normal exit.

        On an error nothing changes. ``ready`` is called with the written file just before it takes the place: for
        what has to be durable first.
        """

    def write(self, content: bytes) -> None:
        """Replace the content."""

    def settle(self) -> None:
        """Make sure that the file, which another process may have left as its last act, is durable."""

    def rename_to(self, target: Self) -> None:
        """Take the place of another file of the same folder."""

    def copy_to(self, target: Self) -> None:
        """Replace another file by a copy of this one."""

    def remove(self) -> None:
        """Remove the file; nothing happens where there is none."""

    def discard(self) -> None:
        """As ``remove``, but the file may be there again after a power loss."""

    def discard_all(self) -> None:
        """Discard everything below it, in any order."""

    def lock(self, *, wait_s: float | None = None, reentrant: bool = False) -> AbstractContextManager[object]:
        """Exclude all others, in any process, that lock the same name. Ends with the process at the latest.

        ``wait_s``: how long to wait for it; by default as long as it takes. ``reentrant``: a thread that holds it
        may take it again.

        Raises:
            LockTaken: another one held it all that time.
        """

    def is_locked(self) -> bool:
        """Whether another one holds the lock of this name. Writes nothing."""

    def scratch(self) -> AbstractContextManager[LocalLake]:
        """An empty local folder for large intermediate files, removed at the end. One holder at a time."""

    def require_current(self) -> None:
        """See that the lake is not one of an earlier version, whose folders would be overlooked.

        Raises:
            LakeOutdated: it is.
        """


L = TypeVar("L", bound=LakePath)


class LocalLake(PosixPath):
    """A lake in a folder of a local disk, or what lies in it: a path with what :class:`LakePath` asks for."""

    def __truediv__(self, key: str | os.PathLike[str]) -> Self:
        """What has this key below it; see :class:`LakePath`."""
        text = os.fspath(key)
        if text.startswith("/") or ".." in text.split("/"):
            raise ValueError(f"{text!r} leads out of the lake {self}")
        return super().__truediv__(key)

    def key_in(self, folder: Self) -> str:
        """Its key below a folder."""
        return str(self.relative_to(folder))

    def find(self, pattern: str) -> list[Self]:
        """The files below it whose keys match, in order."""
        return sorted(path for path in self.glob(pattern) if not _is_part(path) and not path.is_dir())

    def folders(self, pattern: str) -> list[Self]:
        """The folders below it whose keys match, in order."""
        return sorted(path for path in self.glob(pattern) if path.is_dir())

    def unfinished(self) -> list[str]:
        """The names of unfinished files in this folder."""
        return sorted(path.name for path in self.glob(f"*{files.PART_SUFFIX}"))

    def size(self) -> int:
        """The file's bytes."""
        return self.stat().st_size

    def reading(self) -> pa.NativeFile:
        """The content, to read any range of."""
        import pyarrow as pa  # it starts threads, and settings are read where there must not be any

        try:
            return pa.OSFile(str(self), "rb")
        except OSError as error:
            if error.errno is None:
                raise
            raise OSError(error.errno, os.strerror(error.errno), str(self)) from None

    def sha256(self) -> str:
        """The SHA-256 of the content in hex."""
        return files.sha256(self)

    @contextmanager
    def replacing(self, ready: Callable[[LocalLake], None] | None = None) -> Iterator[LocalLake]:
        """Write beside the file, sync, and rename; see :func:`firehose.files.replacing`."""
        with files.replacing(self, None if ready is None else lambda part: ready(LocalLake(part))) as part:
            yield LocalLake(part)

    def write(self, content: bytes) -> None:
        """Replace the content durably."""
        files.write_bytes(self, content)

    def settle(self) -> None:
        """Write the same bytes again, durably."""
        files.settle(self)

    def rename_to(self, target: Self) -> None:
        """Take the place of another file of the same folder, durably."""
        files.rename(self, target)

    def copy_to(self, target: Self) -> None:
        """Replace another file by a copy of this one, durably."""
        with files.replacing(target) as part:
            files.copy(self, part)

    def remove(self) -> None:
        """Remove the file, durably."""
        files.remove(self)

    def discard(self) -> None:
        """Remove the file."""
        self.unlink(missing_ok=True)

    def discard_all(self) -> None:
        """Remove the folder with everything in it."""
        shutil.rmtree(self, ignore_errors=True)

    @contextmanager
    def lock(self, *, wait_s: float | None = None, reentrant: bool = False) -> Iterator[None]:
        """Lock the file of this name, made if it is not there. The kernel holds the lock, so it is never stale."""
        self.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self, is_singleton=reentrant)
        try:
            lock.acquire(timeout=-1 if wait_s is None else wait_s)
        except Timeout:
            raise LockTaken(str(self)) from None
        try:
            yield
        finally:
            lock.release()

    def is_locked(self) -> bool:
        """Whether another one holds the lock; false where this process may not ask: then nothing writes here."""
        if not self.is_file():
            return False
        try:
            with self.lock(wait_s=0):
                return False
        except LockTaken:
            return True
        except OSError:
            return False

    @contextmanager
    def scratch(self) -> Iterator[LocalLake]:
        """The lake's own folder for this, on the same disk; what a killed process has left there is removed."""
        folder = LocalLake(self / Area.REBUILD)
        with (self / Area.LOCKS / "rebuild.lock").lock():
            folder.discard_all()
            folder.mkdir()
            try:
                yield folder
            finally:
                folder.discard_all()

    def require_current(self) -> None:
        """See that no folder has the name of an earlier version."""
        areas.require_current(self)


def _is_part(path: Path) -> bool:
    return path.name.startswith(files.PART_PREFIX) and path.name.endswith(files.PART_SUFFIX)
