"""The methods that a storage needs. Must not: know of any storage but the local disk, where drafts lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from io import BufferedReader
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from firehose.store.local import Disk, Listed, LocalLake

if TYPE_CHECKING:
    import pyarrow as pa


class LakePath(Protocol):
    """The root of a lake, or a file or folder below it.

    A reader sees a file as it was before a replacement or as it is after it, never a part. What has returned from
    ``replacing``, ``write``, ``settle``, ``rename_to``, ``copy_to``, ``name_also`` and ``remove`` survives a power
    loss. Errors are those of a disk: FileNotFoundError, PermissionError, other OSErrors; and
    :class:`firehose.errors.DiskFailed` where the storage is full.
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

    @property
    def uri(self) -> str:
        """Its address for other tools: ``file:///…``, ``s3://…``."""

    def __truediv__(self, key: str, /) -> Self:
        """The file or folder with this key below it.

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

        Files that are still being written are never among them. Empty where the folder does not exist.
        """

    def folders(self, pattern: str) -> list[Self]:
        """The folders below it whose keys match, in order; also those in which nothing has been completed."""

    def listing(self) -> Iterator[Listed]:
        """Every file below it, in any depth, with its size and a stamp; those of one folder come together.

        Files that are still being written are never among them. Empty where the folder does not exist.
        """

    def unfinished(self) -> list[str]:
        """The names of files in this folder that a writer has not completed, or never will."""

    def exists(self) -> bool:
        """Tell whether there is a file of that name."""

    def size(self) -> int:
        """The file's bytes."""

    def read_bytes(self) -> bytes:
        """The whole content."""

    def reading(self) -> BufferedReader:
        """The content, to read any range of: a context manager."""

    def reading_by_arrow(self) -> pa.NativeFile:
        """The same for Arrow, which reads it without Python."""

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

    def name_also(self, target: Self) -> None:
        """Give the content another name, under which it stays as it is when this file is replaced or removed.

        On a disk that takes no room while both names are there; in a bucket it is a copy.
        """

    def remove(self) -> None:
        """Remove the file; nothing happens where there is none."""

    def discard(self) -> None:
        """As ``remove``, but the file may be there again after a power loss."""

    def discard_all(self) -> None:
        """Discard everything below it, in any order; nothing happens where there is nothing."""

    def lock(self, *, wait_s: float | None = None, reentrant: bool = False) -> AbstractContextManager[object]:
        """Exclude all others, in any process, that lock the same name. Ends with the process at the latest.

        ``wait_s``: how long to wait for it; by default as long as it takes. ``reentrant``: a thread that holds it
        may take it again.

        Raises:
            LockTaken: another one held it all that time.
        """

    def is_locked(self) -> bool:
        """Tell whether another one holds the lock of this name. Writes nothing."""

    def locked(self, pattern: str) -> list[Self]:
        """The names in this folder that match and whose locks another one holds, in order. Writes nothing."""

    def forget_locks(self) -> None:
        """Remove what locks in this folder have left that were let go long ago, where looking at it costs time."""

    def scratch(self) -> AbstractContextManager[LocalLake]:
        """An empty local folder for large intermediate files, removed at the end. One holder at a time."""

    def disk(self) -> Disk | None:
        """The disk that it lies on; None where there is no such limit."""

    def require_current(self) -> None:
        """See that the lake is not one of an earlier version, whose folders it would overlook, nor half restored.

        Raises:
            LakeOutdated: it is of an earlier version.
            RestoreUnfinished: a restore has begun to put files there.
        """


L = TypeVar("L", bound=LakePath)
