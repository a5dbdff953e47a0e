"""Who uses a folder: a lock that the kernel holds for one process, with a note of who that is; private folders.

The lock ends with its process, however that ends, so it is never stale. Must not: know what is in a folder.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final, Self

import msgspec

from firehose.errors import FirehoseError, ServiceUnavailable

#: The folder in a home with its lock, and with what a process runner needs for its services.
RUN: Final = "run"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a lock: ``what`` is the command, ``ports`` those on which it serves."""

    pid: int
    what: str
    since: str
    ports: tuple[int, ...] = ()

    def __str__(self) -> str:
        ports = f", ports {', '.join(map(str, self.ports))}" if self.ports else ""
        return f"`{self.what}` since {self.since} (process {self.pid}{ports})"


class Ownership:
    """A lock that is held until ``close`` or the end of this process; a context manager."""

    def __init__(self, stream: IO[bytes], what: str) -> None:
        self._stream = stream
        since = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        self._owner = Owner(pid=os.getpid(), what=what, since=since)
        self._note()

    def serves(self, ports: Iterable[int]) -> None:
        """Note the ports, for whoever meets the lock."""
        self._owner = msgspec.structs.replace(self._owner, ports=tuple(ports))
        self._note()

    def close(self) -> None:
        """Let go of it."""
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
        ServiceUnavailable: another process has it; the message names the folder and says who that is.
    """
    stream = os.fdopen(os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        said = _read(stream)
        stream.close()
        raise ServiceUnavailable(f"is in use by {said}") from None
    return Ownership(stream, what)


def own_home(home: Path, what: str) -> Ownership:
    """Make ``home`` if it is not there, for its owner only, and take it for the command ``what``.

    Nothing else of a home may be written before. A process that this one starts does not hold the lock.

    Raises:
        ServiceUnavailable: another command has it.
        FirehoseError: it cannot be made or written to.
    """
    run = private_folder(private_folder(home, "FIREHOSE_HOME") / RUN, "FIREHOSE_HOME")
    found = run.stat()
    if found.st_uid != os.geteuid():
        raise FirehoseError(f"{run} belongs to another user: remove it, or set FIREHOSE_HOME to another folder")
    run.chmod(0o700)
    try:
        return own(run / "home.lock", what)
    except OSError as error:
        raise _unusable(home, "FIREHOSE_HOME", error) from None
    except ServiceUnavailable as error:
        raise ServiceUnavailable(
            f"the home {home} {error}: stop that first, or set FIREHOSE_HOME to another folder"
        ) from None


def private_folder(path: Path, setting: str) -> Path:
    """``path`` as a folder; made with its parents for its owner only, and left as it is where it is there already.

    Raises:
        FirehoseError: it cannot be made; the message names ``setting``, which says where it is.
    """
    try:
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)
        next(path.iterdir(), None)
    except OSError as error:
        raise _unusable(path, setting, error) from None
    return path


def exposed(folders: Iterable[Path]) -> list[Path]:
    """Those of ``folders`` that are there and that other users of this machine may enter or list."""
    return [folder for folder in folders if folder.is_dir() and folder.stat().st_mode & _OTHERS]


def _unusable(path: Path, setting: str, error: OSError) -> FirehoseError:
    return FirehoseError(
        f"{setting}: {path} cannot be used as a folder ({error.strerror}); name one that you may write to"
    )


def _read(stream: IO[bytes]) -> str:
    try:
        return str(msgspec.json.decode(stream.read(), type=Owner))
    except msgspec.MsgspecError:  # it has only just taken the lock
        return "another process"
