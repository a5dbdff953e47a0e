"""A cleanup, a restore and a purge that are killed anywhere end, repeated, as if they had not been.

A comparison is killed in tests/integration/legacy/test_compare.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from firehose.legacy.cleanup import trash
from firehose.store import LocalLake
from ingester.contract import crash
from ingester.contract.crash import Point
from tests.support.old_files import DAYS, compared, keep, write

PATHS = [f"cache/study_user_activity/create/post/author_did=did:plc:a_post_uri_suffix={n}.json" for n in range(6)]
_CODE = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from firehose.legacy.cleanup.run import Cleanup
from firehose.settings import Settings
from tests.support.old_files import AllHeld
lake, root, step, days = sys.argv[1:]
clock = lambda: datetime.now(UTC) + timedelta(days=int(days))
work = Cleanup(Settings(lake=lake), Path(root), "a test", AllHeld(), clock)
getattr(work, step)()
"""


class Old:
    """Six compared files of two days, of which five may go."""

    def __init__(self, folder: Path) -> None:
        self.root, self.lake, self.proof = folder / "old", LocalLake(folder / "lake"), folder / "proof"
        for path in PATHS:
            write(self.root, path, path)
        files = {path: compared(self.root, path, [DAYS[n % 2]]) for n, path in enumerate(PATHS)}
        keep(self.lake, self.root, files, {DAYS[0]: True, DAYS[1]: True})
        write(self.root, PATHS[5], "changed")

    def run(self, step: str, at: str = "", days: int = 0) -> int:
        told = {crash.AT: at, crash.PROOF: str(self.proof)} if at else {}
        command = [sys.executable, "-c", _CODE, str(self.lake), str(self.root), step, str(days)]
        code = subprocess.run(command, env=os.environ | told, check=False).returncode
        if at:
            assert code == -signal.SIGKILL
            assert self.proof.read_text().startswith(at.partition(":")[0])
        return code

    def places(self) -> dict[str, str]:
        """Where each file is: in its place or in the trash, and what is in it."""
        found = {}
        for path in sorted(self.root.rglob("*.json")):
            name = str(path.relative_to(self.root))
            if name.startswith(trash.FOLDER) and path.name != "trash.json":
                found["trash " + name.split("/files/")[1]] = path.read_text()
            elif path.name != "trash.json":
                found[name] = path.read_text()
        return found


@pytest.fixture
def old(tmp_path: Path) -> Old:
    return Old(tmp_path)


MOVED = {**{f"trash {path}": path for path in PATHS[:5]}, PATHS[5]: "changed"}
BACK = {**{path: path for path in PATHS[:5]}, PATHS[5]: "changed"}


@pytest.mark.parametrize("at", [Point.TRASH_BEGUN, f"{Point.TRASH_MOVED}:1", f"{Point.TRASH_MOVED}:4"])
def test_a_cleanup(old: Old, at: str) -> None:
    old.run("do", at)
    assert old.places() != MOVED
    assert old.run("do") == 0
    assert old.places() == MOVED
    assert old.run("do") == 0
    assert old.places() == MOVED


@pytest.mark.parametrize("nth", [1, 4])
def test_a_restore(old: Old, nth: int) -> None:
    old.run("do")
    old.run("restore", f"{Point.TRASH_BACK}:{nth}")
    assert old.run("restore") == 0
    assert old.places() == BACK
    assert trash.folders(old.root) == []


@pytest.mark.parametrize("nth", [1, 4])
def test_a_purge(old: Old, nth: int) -> None:
    old.run("do")
    assert old.run("purge", days=29) == 0
    assert old.places() == MOVED, "its time is not over"
    old.run("purge", f"{Point.PURGED_SOME}:{nth}", days=31)
    assert old.run("purge", days=31) == 0
    assert old.places() == {PATHS[5]: "changed"}
    assert trash.folders(old.root) == []


def test_the_second_death_comes_while_the_first_is_undone(old: Old) -> None:
    old.run("do", f"{Point.TRASH_MOVED}:2")
    old.run("do", f"{Point.TRASH_BACK}:1")
    assert old.run("do") == 0
    assert old.places() == MOVED
