"""The place that backups are kept at: a folder of a disk, or an object store by a ``pyarrow.fs`` URI.

Whole contents are written under a name, once, and read back; a name has its content or does not exist. Must not:
know what is in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from firehose import files
from firehose.errors import FirehoseError, ServiceUnavailable
from firehose.settings import Settings, redacted

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem


class Target(Protocol):
    """Where contents are kept, by names with slashes. ``str()`` of it is for messages, without a login."""

    def read(self, name: str) -> bytes:
        """The content.

        Raises:
            FileNotFoundError: there is none of that name.
            ServiceUnavailable: the store does not answer.
        """

    def write(self, name: str, content: bytes) -> None:
        """Keep a content, durably, replacing what has the name.

        Raises:
            DiskFailed, ServiceUnavailable: it is not kept.
        """

    def exists(self, name: str) -> bool:
        """Tell whether there is a content of that name."""

    def names(self, folder: str) -> list[str]:
        """All names that begin with a folder's, in order."""

    def remove(self, name: str) -> None:
        """Remove a content, if it is there."""

    def discard_unfinished(self) -> int:
        """Remove what killed writers have left that has no name yet; returns how many there were."""


def open_target(settings: Settings) -> Target:
    """The place of ``FIREHOSE_BACKUP``.

    Raises:
        FirehoseError: none is set, or it lies in the lake.
        ServiceUnavailable: a store cannot be reached.
    """
    place = settings.backup
    if not place:
        raise FirehoseError("FIREHOSE_BACKUP is not set: name a folder, or a URI such as s3://bucket/folder")
    folder = Path(place).expanduser().absolute()
    where, lake = place.partition("?")[0] if "://" in place else str(folder), str(settings.lake_path).rstrip("/")
    if f"{where.rstrip('/')}/".startswith(f"{lake}/"):
        raise FirehoseError(
            f"FIREHOSE_BACKUP={redacted(where)}: lies in the lake {lake}, whose copy it is to hold; name another"
        )
    return StoreTarget(place) if "://" in place else FolderTarget(folder)


class FolderTarget:
    """A folder of a disk. Its files are for their owner only."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __str__(self) -> str:
        return str(self._root)

    def read(self, name: str) -> bytes:
        """The content of a file."""
        return (self._root / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Write beside, sync, rename."""
        files.write_bytes(self._root / name, content, mode=0o600)

    def exists(self, name: str) -> bool:
        """Tell whether there is a file of that name."""
        return (self._root / name).exists()

    def names(self, folder: str) -> list[str]:
        """All files below a folder."""
        found = (path for path in (self._root / folder).rglob("*") if not path.is_dir())
        return sorted(str(path.relative_to(self._root)) for path in found if not _is_part(path))

    def remove(self, name: str) -> None:
        """Remove a file, durably."""
        files.remove(self._root / name)

    def discard_unfinished(self) -> int:
        """Remove partial files."""
        found = [path for path in self._root.rglob("*") if _is_part(path)]
        for path in found:
            path.unlink(missing_ok=True)
        return len(found)


class StoreTarget:
    """An object store: an object appears as a whole, when its upload is complete."""

    def __init__(self, uri: str) -> None:
        from pyarrow.fs import FileSystem

        self._where = redacted(uri.partition("?")[0])
        with self._explained():
            made = FileSystem.from_uri(uri)
        self._store: FileSystem = made[0]
        self._root: str = made[1].rstrip("/")

    def __str__(self) -> str:
        return self._where

    def read(self, name: str) -> bytes:
        """The content of an object."""
        with self._explained(), self._store.open_input_stream(self._path(name)) as stream:
            return bytes(stream.read())

    def write(self, name: str, content: bytes) -> None:
        """Upload an object."""
        with self._explained(), self._store.open_output_stream(self._path(name)) as stream:
            stream.write(content)

    def exists(self, name: str) -> bool:
        """Ask for the object."""
        from pyarrow.fs import FileType

        with self._explained():
            return bool(self._store.get_file_info(self._path(name)).type == FileType.File)

    def names(self, folder: str) -> list[str]:
        """List the objects with a prefix."""
        from pyarrow.fs import FileSelector

        with self._explained():
            wanted = FileSelector(self._path(folder), allow_not_found=True, recursive=True)
            found = self._store.get_file_info(wanted)
        return sorted(info.path.removeprefix(f"{self._root}/") for info in found if info.is_file)

    def remove(self, name: str) -> None:
        """Delete the object."""
        if self.exists(name):
            with self._explained():
                self._store.delete_file(self._path(name))

    def discard_unfinished(self) -> int:
        """Nothing: a store shows no unfinished upload; its own lifecycle rule drops those."""
        return 0

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as error:  # of Arrow: several lines, and no name of a file
            said = redacted(" ".join(str(error).split()))
            raise ServiceUnavailable(
                f"FIREHOSE_BACKUP: {self._where} cannot be used ({said:.300}); see to the store, its address and "
                "the credentials in the environment, then repeat"
            ) from error


def _is_part(path: Path) -> bool:
    return path.name.startswith(files.PART_PREFIX) and path.name.endswith(files.PART_SUFFIX)
