"""The disk that the lake of a schedule is on: filled, and given room again.

Lives here: the one disk. Must not: choose what happens.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

#: Its size (bytes): far more than a schedule writes.
DISK_BYTES: Final = 256 << 20


class Disk:
    """The disk that the lake is on: a tmpfs of its own where that is allowed, else a limit on each file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "firehose-soak", str(folder)]
        self.mounted = os.geteuid() == 0 and not subprocess.run(mount, capture_output=True).returncode
        self._ballast = folder / ".ballast"
        #: What a step may write to one file (bytes, 0: no limit) where the lake has no disk of its own.
        self.largest_file = 0

    @property
    def full(self) -> bool:
        """Whether it was filled."""
        return bool(self.largest_file) or self._ballast.exists()

    def fill(self, left: int) -> None:
        """Leave only ``left`` bytes."""
        if not self.mounted:
            self.largest_file = max(1, left)
            return
        with self._ballast.open("wb") as ballast:
            while True:
                stat = os.statvfs(self.folder)
                try:
                    os.posix_fallocate(ballast.fileno(), 0, max(1, stat.f_bavail * stat.f_frsize - left))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                else:
                    return  # else a step has written in between: there is less room now

    def free(self) -> None:
        """Give it room again."""
        self.largest_file = 0
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        """Unmount and remove it."""
        if self.mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)
        shutil.rmtree(self.folder, ignore_errors=True)
