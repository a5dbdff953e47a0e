"""Keys of a lake in an object store, as paths have names, parents and parts. Must not: I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self

from firehose.store.objects.place import Place


@dataclass(frozen=True, order=True)
class Key:
    """A key below a place; that of the root has no parts.

    ``spool`` is a folder of the local disk, for files that are being written.
    """

    place: Place
    spool: Path
    parts: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.parts[-1]

    @property
    def stem(self) -> str:
        """The name, without its last suffix."""
        return PurePosixPath(self.name).stem

    @property
    def parent(self) -> Self:
        """The folder that it lies in."""
        return self._with(self.parts[:-1])

    @property
    def parents(self) -> Sequence[Self]:
        """The folders that it lies in, the nearest one first."""
        return [self._with(self.parts[:count]) for count in reversed(range(len(self.parts)))]

    @property
    def uri(self) -> str:
        """``s3://BUCKET/PREFIX/KEY``."""
        return str(self)

    def __str__(self) -> str:
        """``s3://BUCKET/PREFIX/KEY``."""
        return "/".join((str(self.place), *self.parts))

    def __truediv__(self, key: str, /) -> Self:
        """The file or folder with this key below it."""
        parts = str(key).split("/")
        if ".." in parts or key.startswith("/"):
            raise ValueError(f"{key!r} leads out of the lake {self}")
        return self._with((*self.parts, *parts))

    def with_name(self, name: str) -> Self:
        """Another file in its folder."""
        return self.parent / name

    def with_suffix(self, suffix: str) -> Self:
        """The same, by another last suffix."""
        return self.with_name(self.stem + suffix)

    def key_in(self, folder: Self) -> str:
        """Its key below a folder."""
        return "/".join(self.parts[len(folder.parts) :])

    @property
    def _key(self) -> str:
        return "/".join(self.parts)

    @property
    def _folder(self) -> str:
        return f"{self._key}/" if self.parts else ""

    def _with(self, parts: tuple[str, ...]) -> Self:
        return type(self)(self.place, self.spool, parts)
