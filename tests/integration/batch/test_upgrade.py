"""A failed validation is retried by newer code: what the older one had done by other rules is done again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.quality.code import digest
from firehose.quality.result import staged_folder
from firehose.quality.validate import validate
from firehose.settings import Settings
from ingester.contract import crash
from jetstream_simulator import generate

ROOT = Path(__file__).parents[3]
EVENTS = list(generate.events(600, seed=8, start_us=1_780_002_000_000_000, rate=5, malformed=0.02))
Fill = Callable[[Iterable[bytes], Batch], None]
DRIVER = """
import sys
from firehose.batch.interval import Batch
from firehose.quality.validate import validate
from firehose.settings import load
print(validate(load(), Batch.parse(sys.argv[1], 60)).good)
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A copy of the project's code that may be changed."""
    for package in ("include/firehose", "ingester"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / "code" / Path(package).name, ignore=ignored)
    return tmp_path / "code"


def run(code: Path, settings: Settings, batch: Batch, die_at_slice: int = 0) -> str:
    """Validate with that code; it is killed once it has stored a given number of slices."""
    variables = {
        "PYTHONPATH": str(code),
        "FIREHOSE_LAKE": str(settings.local_lake),
        "FIREHOSE_HOME": settings.home,
    }
    if die_at_slice:
        variables |= {crash.AT: f"{crash.Point.SLICE_RENAMED}:{die_at_slice}", crash.PROOF: str(code / "proof")}
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, batch.id],
        env={"PATH": os.environ["PATH"], **variables},
        cwd=code,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == (-signal.SIGKILL if die_at_slice else 0), done.stderr
    return done.stdout


def test_slices_of_older_rules_are_done_anew_and_those_of_the_same_are_kept(
    settings: Settings, batches: list[Batch], fill: Fill, installed: Path
) -> None:
    fill(EVENTS, batches[0])
    drain(settings, batches[0])

    def stamps() -> dict[str, int]:
        folder = staged_folder(settings.local_lake, batches[0])
        return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.slice.json")}

    run(installed, settings, batches[0], die_at_slice=3)
    first = stamps()
    assert len(first) == 3
    run(installed, settings, batches[0], die_at_slice=1)
    second = stamps()
    assert len(second) == 4
    assert first.items() < second.items(), "the same code goes on"

    rules = installed / "firehose/records/rules.py"
    was = rules.read_text()
    rules.write_text(was.replace('OPERATIONS: Final = (*WRITES, "delete")', 'OPERATIONS: Final = ("create",)'))
    assert rules.read_text() != was
    good = int(run(installed, settings, batches[0]))
    third = stamps()
    assert not second.items() & third.items(), "nothing of the older rules is left"
    assert good < validate(settings, batches[0]).good, "the changed rule was at work"


def test_the_digest_is_of_the_content_alone(installed: Path) -> None:
    packages = [installed / "firehose", installed / "ingester"]
    before = digest(packages)
    changed = installed / "firehose/events/rows.py"
    changed.touch()
    (installed / "firehose/__pycache__").mkdir()
    (installed / "firehose/__pycache__/rows.pyc").touch()
    assert digest(packages) == before
    content = changed.read_bytes()
    changed.write_bytes(content + b"\n")
    assert digest(packages) != before
    changed.write_bytes(content)
    changed.rename(changed.with_name("columns.py"))
    assert digest(packages) != before
