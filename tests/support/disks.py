"""Small file systems, to be filled: the kernel's own answer to a write that has no room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_file_system(folder: Path, mebibytes: int) -> Iterator[Path]:
    """``folder`` as a file system of that size, in memory. Skips the test where mounting is refused."""
    with mounted(folder, mebibytes) as is_mounted:
        if not is_mounted:
            pytest.skip("only root may mount")
        yield folder


@contextmanager
def mounted(folder: Path, mebibytes: int) -> Iterator[bool]:
    """Make ``folder``, and mount a file system of that size there, in memory; whether that was allowed."""
    folder.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0700", "firehose-test", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
