"""The record of what is installed: the current set of files, and the one before it, to which a rollback returns.

Lives here: one file in /etc/bluesky-firehose. Must not: write units, run commands.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from firehose import files
from firehose.errors import FirehoseError

_RECORD: Final = "etc/bluesky-firehose/installed.json"


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """One set. ``files`` has the text of each by its path; ``python`` is what their commands run with."""

    version: str
    python: str
    parts: tuple[str, ...]
    files: dict[str, str]


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """What is installed, and what was before; neither where nothing is."""

    current: Generation | None = None
    previous: Generation | None = None

    def followed_by(self, new: Generation) -> Installed:
        """The record once ``new`` is in place; the same set again is no new one."""
        if self.current is None or self.current == new:
            return Installed(current=new, previous=self.previous)
        return Installed(current=new, previous=self.current)


def read(root: Path) -> Installed:
    """The record of the machine or image with this root folder.

    Raises:
        FirehoseError: it is not one.
    """
    path = root / _RECORD
    try:
        return msgspec.json.decode(path.read_bytes(), type=Installed)
    except FileNotFoundError:
        return Installed()
    except msgspec.MsgspecError as error:
        raise FirehoseError(
            f"{path}: not a record of an installation ({error}); remove it, install again"
        ) from None


def write(root: Path, installed: Installed) -> None:
    """Replace the record, at once and durably: after the files that it speaks of."""
    files.write_bytes(root / _RECORD, msgspec.json.format(msgspec.json.encode(installed), indent=1) + b"\n")


def remove(root: Path) -> None:
    """Remove it."""
    files.remove(root / _RECORD)
