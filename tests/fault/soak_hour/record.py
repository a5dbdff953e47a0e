"""What the source has sent, by its own record: of each event a digest, its time and its kind.

Lives here: the reading of the simulator's record while it is written, and of what was noted. The record goes
through a named pipe, since an hour of it would be three gigabytes. Must not: the pipeline's decoders.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt

from tests.support.oracle import kind_of

#: One event of the record. 64 bits of a digest: among ten million events two meet once in some 400,000 runs.
EVENT: Final = np.dtype([("digest", "<u8"), ("time_us", "<i8"), ("kind", "<u2")])
Events = npt.NDArray[np.void]

_TIME: Final = re.compile(rb'"time_us":(\d+)')
#: A stamp further ahead than this is one that was made wrong on purpose.
_STEP_US: Final = 60_000_000
_WRITTEN_AT_ONCE: Final = 4096


class Kinds:
    """Small numbers for types and operations, so that an event needs two bytes for them."""

    def __init__(self) -> None:
        self.all: list[tuple[str, str]] = []
        self._numbers: dict[tuple[str, str], int] = {}

    def number(self, message: bytes) -> int:
        """The number of a message's type and operation."""
        kind = kind_of(message)
        if kind not in self._numbers:
            self._numbers[kind] = len(self.all)
            self.all.append(kind)
        return self._numbers[kind]


def digest(message: bytes) -> int:
    """What a message is known by here: two that differ in a byte are two."""
    return int.from_bytes(hashlib.blake2b(message, digest_size=8).digest(), "little")


class Record:
    """Reads ``pipe`` in a thread until its writer ends; ``count`` and ``newest_us``: what it has seen so far."""

    def __init__(self, folder: Path) -> None:
        self.pipe, self._noted = folder / "record.pipe", folder / "sent.events"
        self.kinds = Kinds()
        self.count = self.newest_us = 0
        os.mkfifo(self.pipe, 0o600)
        self._thread = threading.Thread(target=self._read, name="record", daemon=True)
        self._thread.start()

    def ended(self) -> Events:
        """Everything that was sent, once the writer has ended."""
        self._thread.join(60)
        assert not self._thread.is_alive(), "the source's record does not end"
        return np.fromfile(self._noted, EVENT)

    def _read(self) -> None:
        with self.pipe.open("rb") as lines, self._noted.open("wb") as noted:
            self._note(lines, noted)

    def _note(self, lines: BinaryIO, noted: BinaryIO) -> None:
        waiting: list[tuple[int, int, int]] = []
        for line in lines:
            message = line.removesuffix(b"\n")
            # What is malformed may have no time: it was sent with the event before it.
            if found := _TIME.search(message):
                stamp = int(found[1])
                if not self.newest_us or stamp < self.newest_us + _STEP_US:
                    self.newest_us = max(self.newest_us, stamp)
            waiting.append((digest(message), self.newest_us, self.kinds.number(message)))
            self.count += 1
            if len(waiting) == _WRITTEN_AT_ONCE:
                np.array(waiting, EVENT).tofile(noted)
                waiting.clear()
        np.array(waiting, EVENT).tofile(noted)
