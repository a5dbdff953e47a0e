"""The lake in a folder of a local disk. Must not: know what lies in a file. How one is replaced: files.py."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path, PosixPath
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from filelock import FileLock, Timeout

from firehose import areas, files
from firehose.areas import Area
from firehose.errors import LockTaken

if TYPE_CHECKING:
    import pyarrow as pa


#: How often a lock that another one holds is looked at again: most are held for some milliseconds.
_POLL_S: Final = 0.01


class Disk(NamedTuple):
    """Bytes of a disk that are used, and that its user may still write."""

    used: int
    free: int

    @property
    def share(self) -> float:
        """How much of it is used, as ``df`` says it, from 0 to 1."""
        return self.used / (self.used + self.free) if self.used + self.free else 1.0


class Listed(NamedTuple):
    """A file of a listing: its key below the listed folder, its bytes, and a stamp.

    A file that was replaced has another stamp. Two equal stamps of one key mean equal content.
    """

    key: str
    size: int
    stamp: str


class LocalLake(PosixPath):
    """A lake in a folder of a local disk, or what lies in it: a path with what :class:`LakePath` asks for."""

    def __truediv__(self, key: str | os.PathLike[str]) -> Self:
        """The file or folder with this key below it; see :class:`LakePath`."""
        text = os.fspath(key)
        if text.startswith("/") or ".." in text.split("/"):
            raise ValueError(f"{text!r} leads out of the lake {self}")
        return super().__truediv__(key)

    @property
    def uri(self) -> str:
        """``file:///…``, as it is: readers of table formats do not decode percent signs."""
        return f"file://{self.absolute()}"

    def key_in(self, folder: Self) -> str:
        """Its key below a folder."""
        return str(self.relative_to(folder))

    def find(self, pattern: str) -> list[Self]:
        """The files below it whose keys match, in order."""
        return sorted(path for path in self.glob(pattern) if not _is_part(path) and not path.is_dir())

    def folders(self, pattern: str) -> list[Self]:
        """The folders below it whose keys match, in order."""
        return sorted(path for path in self.glob(pattern) if path.is_dir())

    def listing(self) -> Iterator[Listed]:
        """Every file below it, in any depth, with its size and a stamp."""
        for folder, below, names in os.walk(self):
            below.sort()
            for path in (Path(folder, name) for name in sorted(names)):
                if _is_part(path):
                    continue
                try:
                    found = path.stat()
                except FileNotFoundError:  # removed meanwhile
                    continue
                # A replacement is another file, which the time alone would not tell within a tick of the clock.
                # The second time is of any change, and nobody can set it back.
                stamp = f"{found.st_ino}-{found.st_mtime_ns}-{found.st_ctime_ns}-{found.st_size}"
                yield Listed(str(path.relative_to(self)), found.st_size, stamp)

    def unfinished(self) -> list[str]:
        """The names of unfinished files in this folder."""
        return sorted(path.name for path in self.glob(f"*{files.PART_SUFFIX}"))

    def size(self) -> int:
        """The file's bytes."""
        return self.stat().st_size

    def reading(self) -> BufferedReader:
        """The content, to read any range of."""
        return self.open("rb")

    def reading_by_arrow(self) -> pa.NativeFile:
        """The same for Arrow."""
        # Here, since it starts threads, and takes 28 MiB which a drain does without.
        import pyarrow as pa

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

    def name_also(self, target: Self) -> None:
        """A hard link, durably: whatever replaces this file is another one."""
        files.link(self, target)

    def remove(self) -> None:
        """Remove the file, durably."""
        files.remove(self)

    def discard(self) -> None:
        """Remove the file."""
        self.unlink(missing_ok=True)

    def discard_all(self) -> None:
        """Remove the folder with everything in it."""
        shutil.rmtree(self, onerror=_unless_it_is_gone)

    @contextmanager
    def lock(self, *, wait_s: float | None = None, reentrant: bool = False) -> Iterator[None]:
        """Lock the file of this name, made if it is not there. The kernel holds the lock, so it is never stale."""
        self.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self, is_singleton=reentrant)
        try:
            lock.acquire(timeout=-1 if wait_s is None else wait_s, poll_interval=_POLL_S)
        except Timeout:
            raise LockTaken(f"{self} is locked: another step or command is at work; try again later") from None
        try:
            yield
        finally:
            lock.release()

    def is_locked(self) -> bool:
        """Tell whether another one holds the lock; false on a lake that this process may only read."""
        if not self.is_file():
            return False
        try:
            with self.lock(wait_s=0):
                return False
        except LockTaken:
            return True
        except OSError:
            return False

    def locked(self, pattern: str) -> list[Self]:
        """The names in this folder that match and whose locks another one holds, in order."""
        return [path for path in self.find(pattern) if path.is_locked()]

    def forget_locks(self) -> None:
        """Nothing: a file that another process may just be opening to lock it must stay where it is."""

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

    def disk(self) -> Disk:
        """The disk that the nearest folder lies on that exists."""
        there = next(path for path in (self, *self.parents) if path.exists())
        usage = shutil.disk_usage(there)
        return Disk(usage.used, usage.free)

    def require_current(self) -> None:
        """See that no folder has the name of an earlier version."""
        areas.require_current(self)


def _unless_it_is_gone(_: object, __: str, info: tuple[type[BaseException], BaseException, object]) -> None:
    if not isinstance(info[1], FileNotFoundError):
        raise info[1]


def _is_part(path: Path) -> bool:
    return path.name.startswith(files.PART_PREFIX) and path.name.endswith(files.PART_SUFFIX)
