"""A lock on a folder for one process, with a note that says which process has it.

The kernel releases the lock when the process ends, however it ends, so it is never stale. Must not: know
what is in the folder.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final, Self

import msgspec

from clickhouse_http.errors import FolderInUse

#: The endpoint's, in the folder of its data.
LOCK: Final = "lock"


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """The holder of a lock: ``what`` is its command, ``ports`` those on which it serves."""

    pid: int
    what: str
    since: str
    ports: tuple[int, ...] = ()

    def __str__(self) -> str:
        ports = f", ports {', '.join(map(str, self.ports))}" if self.ports else ""
        return f"`{self.what}` since {self.since} (process {self.pid}{ports})"


class Ownership:
    """A lock that this process holds until ``close`` or its end; a context manager."""

    def __init__(self, stream: IO[bytes], what: str) -> None:
        self._stream = stream
        since = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        self._owner = Owner(pid=os.getpid(), what=what, since=since)
        self._note()

    def serves(self, ports: Iterable[int]) -> None:
        """Note the ports, for the message of a process that finds the folder in use."""
        self._owner = msgspec.structs.replace(self._owner, ports=tuple(ports))
        self._note()

    def close(self) -> None:
        """Release the lock."""
        self._stream.close()

    def _note(self) -> None:
        self._stream.seek(0)
        self._stream.truncate()
        self._stream.write(msgspec.json.encode(self._owner))
        self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def own(lock: Path, what: str) -> Ownership:
    """Take ``lock``, a file in a folder that is there, for the command ``what``.

    Raises:
        FolderInUse: another process has it; the message says which one.
    """
    stream = os.fdopen(os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        said = _read(stream)
        stream.close()
        raise FolderInUse(f"is in use by {said}") from None
    return Ownership(stream, what)


def _read(stream: IO[bytes]) -> str:
    try:
        return str(msgspec.json.decode(stream.read(), type=Owner))
    except msgspec.MsgspecError:  # it has only just taken the lock
        return "another process"
