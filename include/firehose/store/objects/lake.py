"""The lake in a bucket: keys, and the methods of a storage over them. Must not: know what lies in a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from io import BufferedReader
from typing import TYPE_CHECKING, Self

from firehose import areas, crash, files
from firehose.areas import Area
from firehose.store.local import Listed, LocalLake
from firehose.store.objects import fencing, listing, locks, session
from firehose.store.objects.client import Bucket
from firehose.store.objects.keys import Key
from firehose.store.objects.spool import draft_folder
from firehose.store.objects.stream import ObjectStream

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, order=True)
class ObjectLake(Key):
    """A lake in a bucket, or what lies in it: a path with what :class:`firehose.store.LakePath` asks for."""

    def find(self, pattern: str) -> list[Self]:
        """The files below it whose keys match, in order; locks only in their own folder."""
        return self._listed(listing.find(self._bucket, self._folder, pattern))

    def folders(self, pattern: str) -> list[Self]:
        """The folders below it whose keys match, in order."""
        return self._listed(listing.folders(self._bucket, self._folder, pattern))

    def listing(self) -> Iterator[Listed]:
        """Every file below it, in any depth, with its size and its ETag. Locks are not among them."""
        for key, seen in listing.below(self._bucket, self._folder):
            if not key.startswith(f"{Area.LOCKS}/"):
                yield Listed(key[len(self._folder) :], seen.size, seen.etag)

    def unfinished(self) -> list[str]:
        """None: an upload has no name in the lake before it is complete."""
        return []

    def exists(self) -> bool:
        """Tell whether there is a file of that name."""
        return self._bucket.head(self._key) is not None

    def size(self) -> int:
        """The file's bytes."""
        if (seen := self._bucket.head(self._key)) is None:
            raise FileNotFoundError(2, "no such object", str(self))
        return seen.size

    def read_bytes(self) -> bytes:
        """The whole content."""
        return self._bucket.get(self._key)[0]

    def reading(self) -> BufferedReader:
        """The content, to read any range of."""
        return BufferedReader(ObjectStream(self._bucket, self._key))

    def reading_by_arrow(self) -> pa.NativeFile:
        """The same for Arrow."""
        import pyarrow as pa  # here: it takes 28 MiB, which a drain does without

        return pa.PythonFile(self.reading(), mode="r")

    def sha256(self) -> str:
        """The SHA-256 of the content in hex, of one version of it."""
        digest = hashlib.sha256()
        for piece in self._bucket.pieces(self._key):
            digest.update(piece)
        return digest.hexdigest()

    @contextmanager
    def replacing(self, ready: Callable[[LocalLake], None] | None = None) -> Iterator[LocalLake]:
        """Give a local file to write to, which is uploaded at the end, and then takes the place in one step.

        Raises:
            DiskFailed: there is no room for the local file.
            LockLost: this process was silent too long; nothing was replaced.
            StoreAway, StoreRefused: the store took it not, or may have; writing it again is safe.
        """
        with files.explained(str(self)), draft_folder(self.spool) as folder:
            draft = LocalLake(folder) / "draft"
            yield draft
            if ready:
                ready(draft)
            self._session.write(draft, self._key, lambda: crash.file_synced(str(self)))
            crash.file_renamed(str(self))

    def write(self, content: bytes) -> None:
        """Replace the content."""
        with self.replacing() as draft:
            draft.write_bytes(content)

    def settle(self) -> None:
        """Nothing but a look: what can be read from an object store is durable."""
        self.size()

    def rename_to(self, target: Self) -> None:
        """Copy to the other name, and remove this one: a death between the two leaves both."""
        self.copy_to(target)
        self.remove()

    def copy_to(self, target: Self) -> None:
        """Replace another file by a copy of this one."""
        with target.replacing() as draft, draft.open("wb") as out:
            for piece in self._bucket.pieces(self._key):
                out.write(piece)

    def name_also(self, target: Self) -> None:
        """A copy: an object has one name."""
        self.copy_to(target)

    def remove(self) -> None:
        """Remove the file."""
        with files.explained(str(self)):
            self._session.remove(self._key)

    def discard(self) -> None:
        """The same."""
        self.remove()

    def discard_all(self) -> None:
        """Remove everything below it, but for the sessions of processes at work."""
        for key, _ in listing.below(self._bucket, self._folder):
            if not key.startswith(f"{fencing.FOLDER}/"):
                self._session.remove(key)

    def lock(self, *, wait_s: float | None = None, reentrant: bool = False) -> AbstractContextManager[None]:
        """Lock the key, for this process's session; see locks.py."""
        return locks.locked(self._bucket, self._key, wait_s=wait_s, reentrant=reentrant)

    def is_locked(self) -> bool:
        """Tell whether a process at work holds the lock."""
        return locks.is_locked(self._bucket, self._key)

    def locked(self, pattern: str) -> list[Self]:
        """The names in this folder that match and whose locks a process at work holds, in order."""
        return self._listed(locks.held(self._bucket, self._folder, pattern))

    def forget_locks(self) -> None:
        """Remove the locks in this folder that were let go some hours ago."""
        locks.forget(self._bucket, self._folder)

    @contextmanager
    def scratch(self) -> Iterator[LocalLake]:
        """A folder in the spool."""
        with (self._with(()) / Area.LOCKS / "rebuild.lock").lock(), draft_folder(self.spool) as folder:
            yield LocalLake(folder)

    def disk(self) -> None:
        """None: an object store has no disk that fills up."""

    def require_current(self) -> None:
        """See that no restore is under way in it; no earlier version stored a lake in this way."""
        areas.require_whole(self)

    @property
    def _bucket(self) -> Bucket:
        return Bucket(self.place)

    @property
    def _session(self) -> session.Session:
        return locks.session_of(self._bucket)

    def _listed(self, keys: Iterator[str]) -> list[Self]:
        found = (tuple(key.split("/")) for key in keys)
        locks_too = self.parts[:1] == (Area.LOCKS,)
        return sorted(self._with(parts) for parts in found if locks_too or parts[0] != Area.LOCKS)
