"""Values on disk by bucket, appended in any order and read bucket by bucket: this bounds a comparison's memory.

Must not: know what the values are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import msgspec

T = TypeVar("T")
#: Bytes that wait in memory, of all buckets together.
_WAITING_BYTES: Final = 32 * 1024 * 1024
_LENGTH_BYTES: Final = 4


class Spool(Generic[T]):
    """Values of one kind in a folder, a file a bucket. Scratch space: nothing of it survives the process."""

    def __init__(self, folder: Path, kind: type[T]) -> None:
        folder.mkdir(parents=True)
        self._folder, self._encoder = folder, msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(kind)
        self._waiting: dict[str, bytearray] = {}
        self._bytes = 0

    def add(self, bucket: str, value: T) -> None:
        """Append a value."""
        encoded = self._encoder.encode(value)
        waiting = self._waiting.setdefault(bucket, bytearray())
        waiting += len(encoded).to_bytes(_LENGTH_BYTES, "big")
        waiting += encoded
        self._bytes += _LENGTH_BYTES + len(encoded)
        if self._bytes >= _WAITING_BYTES:
            self._flush()

    def read(self, bucket: str) -> Iterator[T]:
        """The values of a bucket, in the order in which they came."""
        self._flush()
        path = self._folder / bucket
        if not path.exists():
            return
        with path.open("rb") as stream:
            while length := stream.read(_LENGTH_BYTES):
                yield self._decoder.decode(stream.read(int.from_bytes(length, "big")))

    def buckets(self) -> list[str]:
        """The buckets that have a value, in order."""
        self._flush()
        return sorted(path.name for path in self._folder.iterdir())

    def _flush(self) -> None:
        for bucket, waiting in self._waiting.items():
            with (self._folder / bucket).open("ab") as stream:
                stream.write(waiting)
        self._waiting, self._bytes = {}, 0
