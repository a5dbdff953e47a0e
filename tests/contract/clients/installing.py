"""Installing a client that the project itself does not need, for its test."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

#: How npm and uv say that they have not reached their registry.
_UNREACHABLE = re.compile(
    r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT|ENOTCACHED|"
    r"error sending request|dns error|[Cc]onnection refused|operation timed out"
)


def install(command: list[str], folder: Path) -> None:
    """Run ``command``; skips the test where its registry is out of reach."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    said = done.stdout + done.stderr
    if done.returncode and (found := _UNREACHABLE.search(said)):
        pytest.skip(f"{command[0]} does not reach its registry: {found[0]}")
    assert done.returncode == 0, said
