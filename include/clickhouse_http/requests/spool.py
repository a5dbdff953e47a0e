"""Temporary files of requests: bodies that are being received, results that are held back.

Lives here: the files, and how much of the disk each user may fill. Must not: HTTP, the engine.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from clickhouse_http import exceptions

#: This much of a file stays in memory.
_IN_MEMORY: Final = 1024 * 1024
#: Disk is reserved in steps of this size, so that not every write asks for the free space.
_STEP: Final = 8 * 1024 * 1024
_MIB: Final = 1024 * 1024


class Spool:
    """A folder and how much of it each user may fill. Safe to use from several threads.

    ``shares``: bytes by role. ``reserve``: bytes of the disk that stay free for the lake and others.
    ``called``: what the operator calls a field of the configuration, for messages.
    """

    def __init__(
        self, folder: Path, shares: Mapping[str, int], reserve: int, called: Callable[[str], str] = str
    ) -> None:
        self._folder = folder
        self._shares = dict(shares)
        self._reserve = reserve
        self._called = called
        self._used = dict.fromkeys(shares, 0)
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Bytes that all users have reserved now."""
        return sum(self._used.values())

    def file(self, role: str, in_memory: int = _IN_MEMORY) -> SpoolFile:
        """A new file, charged to ``role``, of which the first ``in_memory`` bytes stay in memory.

        It has no name on disk, so a crash leaves nothing behind.
        """
        return SpoolFile(self, role, self._folder, in_memory)

    def take(self, role: str, size: int) -> None:
        """Charge ``size`` more bytes.

        Raises:
            QueryError: the role's share is used up, or the disk would have less left than the reserve.
        """
        with self._lock:
            if self._used[role] + size > self._shares[role]:
                raise _no_space(
                    f"{role}: bodies and held results may fill {self._shares[role] // _MIB} MiB of disk "
                    f"together ({self._called('spool_mib')})"
                )
            disk = os.statvfs(self._folder)
            if disk.f_bavail * disk.f_frsize - size < self._reserve:
                raise _no_space(
                    f"the disk must keep {self._reserve // _MIB} MiB free ({self._called('disk_reserve_mib')})"
                )
            self._used[role] += size

    def give_back(self, role: str, size: int) -> None:
        """The reverse of :meth:`take`."""
        with self._lock:
            self._used[role] -= size


class SpoolFile:
    """Bytes that are written once and then read. It blocks: use it in a worker thread."""

    def __init__(self, spool: Spool, role: str, folder: Path, in_memory: int) -> None:
        self._spool = spool
        self._role = role
        self._in_memory = in_memory
        self._taken = 0
        # SIM115: it lives until close.
        self._file = tempfile.SpooledTemporaryFile(in_memory, dir=str(folder))  # noqa: SIM115
        self.size = 0

    def another(self) -> SpoolFile:
        """A second file of the same user."""
        return self._spool.file(self._role)

    def write(self, data: bytes) -> None:
        """Append.

        Raises:
            QueryError: the disk has no room, or the user's share is used up.
        """
        self.size += len(data)
        while self.size > max(self._taken, self._in_memory):
            self._spool.take(self._role, _STEP)
            self._taken += _STEP
        try:
            self._file.write(data)
        except OSError as error:
            raise _no_space(f"the spool cannot be written: {error.strerror}") from None

    def seek(self, position: int) -> None:
        """Set the position of the next read."""
        self._file.seek(position)

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; empty at the end."""
        return self._file.read(size)

    def close(self) -> None:
        """Drop the bytes and free their disk. May be called twice."""
        self._file.close()
        self._spool.give_back(self._role, self._taken)
        self._taken = 0


def _no_space(why: str) -> exceptions.QueryError:
    return exceptions.refused(exceptions.NOT_ENOUGH_SPACE, f"Not enough space: {why}.")
