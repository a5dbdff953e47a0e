"""Folders that can be found on the disk, as this process knows: what lies above them need not be synced again.

An import makes a thousand hour files, and above each lie ten folders. Must not: write, know what is in a folder.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final

#: Each one known is an open descriptor.
_MOST: Final = 64


class Folder:
    """A folder that is held open: as long as it is, none made later has its number."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    def sync(self) -> None:
        """Wait until the names in it are on the disk."""
        os.fsync(self._descriptor)

    def is_at(self, path: Path) -> bool:
        """Tell whether it is this folder that has the path now, not one that was made or moved there since."""
        return os.path.samestat(os.fstat(self._descriptor), path.stat())


class _Known(threading.local):
    """Those of a thread, the one longest known first."""

    def __init__(self) -> None:
        self.folders: dict[Path, Folder] = {}


_known: Final = _Known()


def is_known(path: Path) -> bool:
    """Tell whether the folder's name is on the disk, and those of all folders that it lies in."""
    folder = _known.folders.get(path)
    return folder is not None and folder.is_at(path)


def remember(found: dict[Path, Folder]) -> None:
    """Their names are on the disk, which :meth:`Folder.sync` of each folder above them has made sure."""
    for path, folder in reversed(found.items()):
        _known.folders.pop(path, None)
        _known.folders[path] = folder
    while len(_known.folders) > _MOST:
        del _known.folders[next(iter(_known.folders))]


def forget() -> None:
    """Let all of them go: a disk can be unmounted once nobody holds a folder of it."""
    _known.folders.clear()
