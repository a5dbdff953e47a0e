"""The files of the old stores with their records, as a comparison and a cleanup need them.

Lives here: what a file was like while it was read. Must not: know a format (firehose.legacy.stores does).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from firehose import files as disk
from firehose.legacy.record import OldRecord, Refused
from firehose.legacy.stores import Found, Outside, read, walk


class OldFile(msgspec.Struct, frozen=True):
    """A file as the walk saw it; ``path`` is relative to the root."""

    path: str
    size: int
    mtime_ns: int

    def unchanged(self, root: Path) -> str:
        """The SHA-256 of its bytes; empty if it is not the file any more that the walk saw."""
        path = root / self.path
        try:
            found = disk.sha256(path)
            now = path.stat()
        except FileNotFoundError:
            return ""
        return found if (now.st_size, now.st_mtime_ns) == (self.size, self.mtime_ns) else ""


def files(root: Path) -> Iterator[tuple[OldFile | None, Iterator[OldRecord | Refused]]]:
    """Every file of a store with its records, in the walk's order; None: no file of a store, with the reason.

    What lies outside of all stores is left out.
    """
    for listed in walk(root):
        if isinstance(listed, Refused):
            yield None, iter([listed])
        elif isinstance(listed, Found):
            yield OldFile(listed.path, listed.size, listed.mtime_ns), read(root, [listed])
        else:
            assert isinstance(listed, Outside)  # noqa: S101 - the walk gives nothing else
