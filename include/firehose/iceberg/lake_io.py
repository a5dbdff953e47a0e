"""pyiceberg's files in the lake: read by the lake's own storage, and written by it, all at once.

What pyiceberg writes stays in memory until :meth:`LakeIO.flush`, so that a transaction that fails has written
nothing, and files come to the lake in the order in which they were made. Must not: know what is in a file.
"""

from __future__ import annotations

from io import BytesIO

from pyiceberg.io import FileIO, InputFile, InputStream, OutputFile, OutputStream
from pyiceberg.table import Table

from firehose.store import LakePath


class LakeIO(FileIO):
    """The files below a folder of the lake, by their addresses."""

    def __init__(self, folder: LakePath) -> None:
        super().__init__()
        self.folder = folder
        self._drafts: dict[str, bytes] = {}

    def new_input(self, location: str) -> LakeFile:
        """A file to read."""
        return LakeFile(self, location)

    def new_output(self, location: str) -> LakeFile:
        """A file to write."""
        return LakeFile(self, location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Forget a file that is not in the lake yet. Those that are there, are removed by none but the sweep."""
        self._drafts.pop(location if isinstance(location, str) else location.location, None)

    def key(self, location: str) -> str:
        """The key of a file below the folder.

        Raises:
            ValueError: it lies elsewhere.
        """
        if not location.startswith(f"{self.folder.uri}/"):
            raise ValueError(f"{location} does not lie in {self.folder}")
        return location.removeprefix(f"{self.folder.uri}/")

    def draft(self, location: str, content: bytes) -> None:
        """Keep a file's content until it is written."""
        self._drafts[location] = content

    def read(self, location: str) -> bytes:
        """A file's content."""
        known = self._drafts.get(location)
        return (self.folder / self.key(location)).read_bytes() if known is None else known

    def flush(self) -> None:
        """Write what was drafted, in order, each file durably before the next."""
        for location in list(self._drafts):
            (self.folder / self.key(location)).write(self._drafts[location])
            del self._drafts[location]


def io_of(table: Table) -> LakeIO:
    """The files of a table of ours."""
    assert isinstance(table.io, LakeIO)  # noqa: S101 - nothing opens others
    return table.io


class LakeFile(InputFile, OutputFile):
    """A file of pyiceberg's."""

    def __init__(self, io: LakeIO, location: str) -> None:
        super().__init__(location)
        self._io = io

    def __len__(self) -> int:
        """Its bytes."""
        return len(self._io.read(self.location))

    def exists(self) -> bool:
        """Whether there is one."""
        try:
            return bool(self._io.read(self.location))
        except FileNotFoundError:
            return False

    def open(self, seekable: bool = True) -> InputStream:
        """The content: metadata is small."""
        return BytesIO(self._io.read(self.location))

    def create(self, overwrite: bool = False) -> OutputStream:
        """A stream whose content is drafted when it is closed."""
        return _Draft(self._io, self.location)

    def to_input_file(self) -> LakeFile:
        """The same to read."""
        return self


class _Draft(BytesIO):
    def __init__(self, io: LakeIO, location: str) -> None:
        super().__init__()
        self._io, self._location = io, location

    def close(self) -> None:
        if not self.closed:
            self._io.draft(self._location, self.getvalue())
        super().close()
