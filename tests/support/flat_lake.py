"""A lake stored as an object store has it: a flat set of names, no folders, drafts elsewhere. For tests.

It shows what another storage has to do, and passes the same tests as the lake on a local disk. Must not: be used
for anything but tests (each replacement copies the content once more).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from io import BufferedReader
from pathlib import Path
from typing import Self
from urllib.parse import quote, unquote

import pyarrow as pa

from firehose import files
from firehose.areas import require_whole
from firehose.store import Listed, LocalLake


@dataclass(frozen=True, order=True)
class FlatLake:
    """The objects in ``bucket``, by keys; the root has the empty key. See :class:`firehose.store.LakePath`."""

    bucket: Path
    parts: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return "/".join(self.parts)

    @property
    def name(self) -> str:
        return self.parts[-1]

    @property
    def stem(self) -> str:
        return Path(self.name).stem

    @property
    def parent(self) -> Self:
        return self._at(self.parts[:-1])

    @property
    def parents(self) -> Sequence[Self]:
        return [self._at(self.parts[:count]) for count in reversed(range(len(self.parts)))]

    def __str__(self) -> str:
        return f"flat://{self.bucket.name}/{self.key}"

    def __truediv__(self, key: str, /) -> Self:
        parts = str(key).split("/")
        if ".." in parts or key.startswith("/"):
            raise ValueError(f"{key!r} leads out of the lake {self}")
        return self._at((*self.parts, *parts))

    def with_name(self, name: str) -> Self:
        return self.parent / name

    def with_suffix(self, suffix: str) -> Self:
        return self.parent / (self.stem + suffix)

    def key_in(self, folder: Self) -> str:
        return "/".join(self.parts[len(folder.parts) :])

    def find(self, pattern: str) -> list[Self]:
        wanted, here = pattern.split("/"), len(self.parts)
        return sorted(path for path in self._below() if _match(path.parts[here:], wanted))

    def folders(self, pattern: str) -> list[Self]:
        wanted, depth = pattern.split("/"), len(self.parts) + len(pattern.split("/"))
        found = {path.parts[:depth] for path in self._below() if len(path.parts) > depth}
        return sorted(self._at(parts) for parts in found if _match(parts[len(self.parts) :], wanted))

    def listing(self) -> Iterator[Listed]:
        begin = self.key and f"{self.key}/"
        for listed in self._made("objects").listing():
            if (key := unquote(listed.key)).startswith(begin):
                yield listed._replace(key=key.removeprefix(begin))

    def unfinished(self) -> list[str]:
        return []  # a draft has no name before it is complete

    def exists(self) -> bool:
        return self._object.exists()

    def size(self) -> int:
        return self._object.size()

    def read_bytes(self) -> bytes:
        return self._object.read_bytes()

    def reading(self) -> BufferedReader:
        return self._object.reading()

    def reading_by_arrow(self) -> pa.NativeFile:
        return self._object.reading_by_arrow()

    def sha256(self) -> str:
        return self._object.sha256()

    @contextmanager
    def replacing(self, ready: Callable[[LocalLake], None] | None = None) -> Iterator[LocalLake]:
        with (
            files.replacing(self._object) as upload,
            tempfile.TemporaryDirectory(dir=self._made("drafts")) as folder,
        ):
            draft = LocalLake(folder) / "draft"
            yield draft
            if ready:
                ready(draft)
            files.copy(draft, upload)

    def write(self, content: bytes) -> None:
        with self.replacing() as draft:
            draft.write_bytes(content)

    def settle(self) -> None:
        files.settle(self._object)

    def rename_to(self, target: Self) -> None:
        self.copy_to(target)
        self.remove()

    def copy_to(self, target: Self) -> None:
        with target.replacing() as draft:
            files.copy(self._object, draft)

    def remove(self) -> None:
        files.remove(self._object)

    def discard(self) -> None:
        self._object.discard()

    def discard_all(self) -> None:
        for path in self._below():
            path.discard()

    def lock(self, *, wait_s: float | None = None, reentrant: bool = False) -> AbstractContextManager[object]:
        return (self._made("locks") / _encoded(self.key)).lock(wait_s=wait_s, reentrant=reentrant)

    def is_locked(self) -> bool:
        return (self._made("locks") / _encoded(self.key)).is_locked()

    @contextmanager
    def scratch(self) -> Iterator[LocalLake]:
        with (self / ".scratch").lock(), tempfile.TemporaryDirectory(dir=self._made("drafts")) as folder:
            yield LocalLake(folder)

    def disk(self) -> None:
        """An object store has no disk that fills up."""

    def require_current(self) -> None:
        require_whole(self)  # no earlier version stored a lake in this way

    @property
    def _object(self) -> LocalLake:
        return self._made("objects") / _encoded(self.key)

    def _below(self) -> list[Self]:
        keys = (unquote(path.name) for path in self._made("objects").find("*"))
        found = (self._at(tuple(key.split("/"))) for key in keys)
        return [path for path in found if path.parts[: len(self.parts)] == self.parts]

    def _made(self, name: str) -> LocalLake:
        folder = LocalLake(self.bucket / name)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _at(self, parts: tuple[str, ...]) -> Self:
        return type(self)(self.bucket, parts)


def _encoded(key: str) -> str:
    return quote(key, safe="")


def _match(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))
