"""The objects of a backup: contents of at most some MiB, named by their digest, written once, checked when read.

A file is a list of pieces of objects: a large one has several objects of its own, small ones share an object. Must
not: know which files there are, or which set needs an object.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
import zstandard

from firehose.backup.sealing import Sealing
from firehose.backup.target import Target
from firehose.errors import CorruptBackup

FOLDER: Final = "objects"
#: The most that an object holds, and so what a backup or restore holds in memory of a file.
OBJECT_BYTES: Final = 16 * 1024 * 1024


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """``size`` bytes of an object, from ``offset`` on."""

    name: str
    offset: int
    size: int


class File(msgspec.Struct, frozen=True, array_like=True):
    """A file of a set. ``stamp`` is what its storage said of it; ``sha256`` is of its content, in hex."""

    key: str
    size: int
    sha256: str
    stamp: str
    pieces: list[Piece]


class Objects:
    """The objects at a place. ``sent`` and ``sent_bytes`` count what was written, before encryption.

    ``compare``: an object that is there already is read, and written again if it is damaged.
    """

    def __init__(self, target: Target, sealing: Sealing, *, compare: bool = False) -> None:
        self.target = target
        self._sealing = sealing
        self._compare = compare
        self.sent = self.sent_bytes = 0
        self._last: tuple[str, bytes] = ("", b"")

    def put(self, content: bytes) -> str:
        """Keep a content, unless it is there; returns its name."""
        name = self._sealing.name(content)
        if not self._has(name):
            self.target.write(path_of(name), self._sealing.seal(content, name))
            self.sent += 1
            self.sent_bytes += len(content)
        return name

    def _has(self, name: str) -> bool:
        if not self._compare:
            return self.target.exists(path_of(name))
        try:
            self.get(name)
        except CorruptBackup:
            return False
        return True

    def get(self, name: str) -> bytes:
        """A content by its name. The last one is remembered: small files that share it are read one by one.

        Raises:
            CorruptBackup: it is missing, or is not what was written.
        """
        if self._last[0] == name:
            return self._last[1]
        try:
            stored = self.target.read(path_of(name))
        except FileNotFoundError:
            raise CorruptBackup(f"{self.target}: {path_of(name)} is missing") from None
        try:
            content = self._sealing.open(stored, name)
        except CorruptBackup:
            content = b""
        if self._sealing.name(content) != name:
            raise CorruptBackup(f"{self.target}: {path_of(name)} is not what was written there")
        self._last = (name, content)
        return content

    def put_file(self, key: str, parts: Iterable[bytes], stamp: str = "") -> File:
        """Keep a file as objects of its own, as it comes."""
        pieces, digest, size = [], hashlib.sha256(), 0
        for content in _filled(parts):
            digest.update(content)
            size += len(content)
            pieces.append(Piece(self.put(content), 0, len(content)))
        return File(key, size, digest.hexdigest(), stamp, pieces)

    def read(self, file: File) -> Iterator[bytes]:
        """The content of a file, piece by piece.

        Raises:
            CorruptBackup: an object is missing or damaged, or the pieces are not the file.
        """
        digest = hashlib.sha256()
        for piece in file.pieces:
            content = self.get(piece.name)[piece.offset : piece.offset + piece.size]
            digest.update(content)
            yield content
        if digest.hexdigest() != file.sha256:
            raise CorruptBackup(f"{self.target}: {file.key} is not what its set says")

    def stream(self, file: File) -> io.BufferedReader:
        """The same to read from."""
        return io.BufferedReader(_Reader(self.read(file)))


class Pack:
    """Gathers small files into shared objects. ``files`` are complete after :meth:`flush`."""

    def __init__(self, objects: Objects) -> None:
        self.files: list[File] = []
        self._objects = objects
        self._waiting: list[tuple[str, str, bytes]] = []
        self._size = 0

    def add(self, key: str, content: bytes, stamp: str) -> None:
        """Take a file along."""
        self._waiting.append((key, stamp, content))
        self._size += len(content)
        if self._size >= OBJECT_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        if not self._waiting:
            return
        name, offset = self._objects.put(b"".join(content for _, _, content in self._waiting)), 0
        for key, stamp, content in self._waiting:
            digest, size = hashlib.sha256(content).hexdigest(), len(content)
            self.files.append(File(key, size, digest, stamp, [Piece(name, offset, size)] if size else []))
            offset += size
        self._waiting, self._size = [], 0


class _Reader(io.RawIOBase):
    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts, self._left = parts, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # of io: a wider type
        while not self._left:
            try:
                self._left = next(self._parts)
            except StopIteration:
                return 0
        given = self._left[: len(buffer)]
        buffer[: len(given)] = given
        self._left = self._left[len(given) :]
        return len(given)


def compressed(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The parts as one zstd frame."""
    compressor = zstandard.ZstdCompressor(level=3).compressobj()
    for part in parts:
        yield compressor.compress(part)
    yield compressor.flush()


def path_of(name: str) -> str:
    """Where an object lies at a place."""
    return f"{FOLDER}/{name[:2]}/{name}"


def _filled(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of ``OBJECT_BYTES``."""
    waiting = bytearray()
    for part in parts:
        waiting += part
        while len(waiting) >= OBJECT_BYTES:
            yield bytes(waiting[:OBJECT_BYTES])
            del waiting[:OBJECT_BYTES]
    if waiting:
        yield bytes(waiting)
