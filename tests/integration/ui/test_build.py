"""The bundle is what a build of the sources gives: with the packages that `make ui` installs, where it has run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from firehose_ui import bundle

WEB = bundle.FOLDER.parent / "web"
PACKAGES = WEB / "node_modules"


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not on PATH")
@pytest.mark.skipif(not PACKAGES.is_dir(), reason="the npm packages are not installed here: `make ui` does that")
def test_a_build_gives_the_same_bytes(tmp_path: Path) -> None:
    installed = subprocess.run(["npm", "ls", "--all"], cwd=WEB, capture_output=True, text=True, check=False)
    assert installed.returncode == 0, f"not what the lock says: make ui\n{installed.stderr}"
    subprocess.run([PACKAGES / ".bin/tsc", "--project", WEB], check=True)
    subprocess.run(["node", WEB / "build.mjs", tmp_path / "built"], check=True)
    assert bundle.manifest(tmp_path / "built") == bundle.manifest()
