"""Reading an object in ranges, as a file. Must not: keep more than one window of it.

All ranges are of one version: a file that is replaced while it is read is an error (ESTALE), never a mixture.
"""

from __future__ import annotations

import errno
import io
import os
from typing import Any, Final

from firehose.store.objects.client import Bucket
from firehose.store.objects.failures import Changed

#: What the first request brings from the file's end: a Parquet footer most often, and small files whole.
_FIRST: Final = 64 * 1024
#: Reading on in order brings twice as much each time, up to this.
_LARGEST: Final = 8 * 1024 * 1024


class ObjectStream(io.RawIOBase):
    """An object to read from. Opening it is one request, which brings the end of the content as well.

    Raises:
        FileNotFoundError: on opening: there is none.
        OSError: on reading: it has been replaced since (ESTALE).
    """

    def __init__(self, bucket: Bucket, key: str) -> None:
        super().__init__()
        self._bucket, self._key, self._at = bucket, key, 0
        self._window, seen, self._size = bucket.get_range(key, f"-{_FIRST}")
        self._etag, self._start = seen.etag, self._size - len(self._window)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def size(self) -> int:
        """The bytes of the whole."""
        return self._size

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), self._bucket.named(self._key))
        self._at = base + offset
        return self._at

    def readinto(self, target: Any) -> int:
        view = memoryview(target).cast("B")
        wanted = min(len(view), self._size - self._at)
        if wanted <= 0:
            return 0
        if not self._start <= self._at < self._start + len(self._window):
            self._fetch(wanted)
        offset = self._at - self._start
        taken = min(wanted, len(self._window) - offset)
        view[:taken] = memoryview(self._window)[offset : offset + taken]
        self._at += taken
        return taken

    def _fetch(self, wanted: int) -> None:
        goes_on = self._at == self._start + len(self._window)
        ahead = min(max(2 * len(self._window) if goes_on else 0, _FIRST), _LARGEST)
        last = min(self._at + max(min(wanted, _LARGEST), ahead), self._size) - 1
        self._window = b""  # before the next one comes
        try:
            self._window, _, _ = self._bucket.get_range(self._key, f"{self._at}-{last}", self._etag)
        except Changed:
            raise OSError(
                errno.ESTALE, "was replaced while it was read; read it again", self._bucket.named(self._key)
            ) from None
        self._start = self._at
