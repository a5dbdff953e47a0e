"""A wall clock for Redis that can be stepped: a small library, compiled and preloaded, where there is a compiler.

Lives here: the library and the file that holds the offset. Must not: know what a step does to anyone.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SOURCE = Path(__file__).with_name("clock.c")


class Clock:
    """The offset (µs) of the processes started :meth:`inside`; without a compiler it stays 0."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.furthest_us = 0
        self._set(0)

    @property
    def offset_us(self) -> int:
        """By how much the clock is ahead of the real one."""
        return int.from_bytes(self._path.read_bytes(), "little", signed=True)

    def step(self, by_us: int) -> None:
        """Step the clock."""
        if library():
            self._set(self.offset_us + by_us)

    def advance(self) -> None:
        """Step to where it was furthest ahead, so that it is later than anything that was ever stamped."""
        self._set(self.furthest_us)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Processes started here have this clock."""
        made = library()
        given = {"LD_PRELOAD": str(made), "SOAK_CLOCK": str(self._path)} if made else {}
        os.environ.update(given)
        try:
            yield
        finally:
            for name in given:
                del os.environ[name]

    def _set(self, offset_us: int) -> None:
        self.furthest_us = max(self.furthest_us, offset_us)
        with self._path.open("r+b" if self._path.exists() else "wb") as stream:  # in place: it is mapped
            stream.write(offset_us.to_bytes(8, "little", signed=True))


@functools.cache
def library() -> Path | None:
    """The compiled library; None without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    folder = tempfile.mkdtemp(prefix="soak-clock-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = Path(folder) / "clock.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(made), str(_SOURCE)]
    return None if subprocess.run(command, capture_output=True).returncode else made
