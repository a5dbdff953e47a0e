"""What a process did to a disk, as a file of events: names that changed, files that were synced, what Redis lost.

Lives here: the events and their file. Must not: record (recorder.py) or judge (disk.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import msgspec

#: The folder that everything lies in: it was there before, and stays.
ROOT = 0


class Made(msgspec.Struct, frozen=True, tag=True):
    """A file or folder is new. It has no name yet."""

    node: int
    folder: bool


class Names(msgspec.Struct, frozen=True, tag=True):
    """Names of one folder changed at once: to what they lead now, None where they are gone."""

    folder: int
    names: dict[str, int | None]


class Written(msgspec.Struct, frozen=True, tag=True):
    """A file holds ``content`` (see :class:`Journal`), which is not on the disk yet."""

    node: int
    content: str


class Synced(msgspec.Struct, frozen=True, tag=True):
    """An fsync of a file or folder returned."""

    node: int


class SyncFailed(msgspec.Struct, frozen=True, tag=True):
    """An fsync failed. What it should have written counts as clean from now on, and may not be on the disk."""

    node: int


class Deleted(msgspec.Struct, frozen=True, tag=True):
    """Something was deleted from Redis, which holds now what ``content`` says."""

    command: str
    content: str


class Began(msgspec.Struct, frozen=True, tag=True):
    """A process began. What is there before the first one is on the disk."""


class Returned(msgspec.Struct, frozen=True, tag=True):
    """A step came to its end."""

    step: str


Event = Made | Names | Written | Synced | SyncFailed | Deleted | Began | Returned


class Journal:
    """The events of one disk, over any number of processes, in a folder of their own that also keeps contents."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "events"
        folder.mkdir(parents=True, exist_ok=True)
        self._path.touch()

    def add(self, event: Event) -> None:
        """Append an event. It is there when this returns, should the process die."""
        with self._path.open("ab", buffering=0) as stream:
            stream.write(msgspec.json.encode(event) + b"\n")

    def events(self) -> list[Event]:
        """All events so far, in order."""
        decoder = msgspec.json.Decoder(Event)
        return [cast(Event, decoder.decode(line)) for line in self._path.read_bytes().splitlines()]

    def keep(self, content: bytes) -> str:
        """Keep a content, and return its name."""
        name = hashlib.sha256(content).hexdigest()
        path = self._folder / name
        if not path.exists():
            path.write_bytes(content)
        return name

    def content(self, name: str) -> bytes:
        """A content that was kept."""
        return (self._folder / name).read_bytes()

    def keep_redis(self, keys: Mapping[bytes, bytes]) -> str:
        """Keep what Redis holds, each key as it dumps it."""
        return self.keep(msgspec.msgpack.encode(list(keys.items())))

    def redis(self, name: str) -> dict[bytes, bytes]:
        """What Redis held."""
        return dict(msgspec.msgpack.decode(self.content(name), type=list[tuple[bytes, bytes]]))
