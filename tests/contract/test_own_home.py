"""The tests on a machine where the project is in use: its env file and its variables must not get in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# They read settings in their own process, and refuse one that does not exist.
TESTS = ("tests/contract/test_compose.py", "-k", "project_settings")


def test_the_users_settings_do_not_get_in(tmp_path: Path) -> None:
    home = tmp_path / "tmp" / "bluesky_firehose"
    home.mkdir(parents=True)
    (home / "firehose.env").write_text("FIREHOSE_NO_SUCH_SETTING=1\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *TESTS],
        cwd=ROOT,
        env=os.environ | {"HOME": str(tmp_path), "FIREHOSE_HOME": str(home), "AIRFLOW__CORE__EXECUTOR": "None"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
