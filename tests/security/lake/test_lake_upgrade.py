"""A lake of the version that gave its areas other names: nothing is written into it before it is upgraded."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import CliRunner, Result

from devstack.embedded.ownership import own_home
from firehose.areas import EARLIER_NAMES, Area, earlier_areas
from firehose.batch.coverage import read_gaps
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.errors import FirehoseError, LakeOutdated
from firehose.lake.check import check
from firehose.lake.publish import publish
from firehose.lake.upgrade import upgrade
from firehose.lake.verify import verify
from firehose.quality.validate import validate
from firehose.settings import Settings
from firehose.warehouse.summaries import refresh
from firehose_cli.app import app
from ingester.contract import crash
from tests.security.lake.lakes import EVENTS, everything, rows, run
from tests.security.lake.spoil import likes
from tests.support.command import firehose
from tests.support.earlier_lakes import REFUSED, give_earlier_names


@pytest.fixture
def old(settings: Settings, batches: list[Batch]) -> Settings:
    """Of a lake as the version before left it, with a partial file of a publication that died."""
    lake = settings.local_lake
    give_earlier_names(lake)
    path = likes(settings)
    path.with_name(path.name + ".part").write_bytes(b"torn")
    return settings


def upgrade_lake(settings: Settings) -> Result:
    environment = {"FIREHOSE_LAKE": str(settings.local_lake), "FIREHOSE_HOME": settings.home}
    return CliRunner().invoke(app, ["upgrade-lake"], env=environment)


STEPS: dict[str, Callable[[Settings, Batch], object]] = {
    "drain": drain,
    "validate": validate,
    "publish": publish,
    "refresh": lambda settings, _: refresh(settings),
    "verify": lambda settings, _: verify(settings.local_lake),
    "check": lambda settings, _: check(settings.local_lake, 30),
    "gaps": lambda settings, _: read_gaps(settings.local_lake),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_meets_an_earlier_lake_stops_and_writes_nothing(
    old: Settings, batches: list[Batch], step: str
) -> None:
    before = everything(old.local_lake)
    with pytest.raises(LakeOutdated) as caught:
        STEPS[step](old, batches[2])
    said = str(caught.value)
    assert REFUSED in said and said.endswith("firehose upgrade-lake") and "\n" not in said
    assert everything(old.local_lake) == before


@pytest.mark.parametrize("command", ["verify", "verify --quick", "rebuild 2026-05-28T20", "adopt"])
def test_a_command_that_meets_an_earlier_lake_is_one_line(old: Settings, command: str) -> None:
    before = everything(old.local_lake)
    done = firehose(*command.split(), home=old.home, lake=old.local_lake)
    assert (done.returncode, done.stdout) == (1, "")
    assert REFUSED in done.stderr and done.stderr.count("\n") == 1
    assert everything(old.local_lake) == before


def test_an_upgraded_lake_goes_on_as_if_it_had_always_been_so(old: Settings, batches: list[Batch]) -> None:
    lake, before = old.local_lake, rows(old.local_lake)
    inodes = {path.stat().st_ino for path in lake.rglob("*.*") if path.suffix != ".part"}
    done = upgrade_lake(old)
    assert done.exit_code == 0, done.output
    assert all(f"{name}/ is now {area}/" in done.output for area, name in EARLIER_NAMES.items())
    assert {path.name[0] for path in lake.iterdir()} == {"_", ".", "y"}
    now = {path.stat().st_ino for path in lake.rglob("*.*") if path.name != "upgrade.lock"}
    assert now == inodes, "renamed, not copied, and no partial file left"
    again = upgrade_lake(old)
    assert (again.exit_code, "already have their current names" in again.output) == (0, True)
    assert verify(lake).problems == []
    for batch in batches[:2]:  # cleared and run again
        run(old, batch)
    assert rows(lake) == before
    publish(old, batches[2])
    assert verify(lake).problems == []
    assert sum(map(len, rows(lake).values())) == len(EVENTS)


@pytest.mark.parametrize("nth", [1, 4, len(EARLIER_NAMES)])
def test_an_upgrade_killed_anywhere_is_completed_by_the_next(
    old: Settings, batches: list[Batch], tmp_path: Path, nth: int
) -> None:
    proof = tmp_path / "proof"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"from pathlib import Path; from firehose.lake.upgrade import upgrade\n"
            f"upgrade(Path({str(old.local_lake)!r}))",
        ],
        env=os.environ | {crash.AT: f"{crash.Point.AREA_RENAMED}:{nth}", crash.PROOF: str(proof)},
        check=False,
    )
    assert (done.returncode, proof.is_file()) == (-signal.SIGKILL, True)
    assert len(earlier_areas(old.local_lake)) == len(EARLIER_NAMES) - nth
    if nth < len(EARLIER_NAMES):
        with pytest.raises(LakeOutdated):
            publish(old, batches[2])
    assert len(upgrade(old.local_lake)) == len(EARLIER_NAMES) - nth
    assert verify(old.local_lake).problems == []


def test_an_upgrade_waits_for_nobody_and_changes_nothing_while_something_runs(
    old: Settings, batches: list[Batch]
) -> None:
    before = everything(old.local_lake)
    lock = Area.LOCKS.of(old.local_lake) / f"batch-{batches[2].id}.lock"
    with FileLock(lock):
        done = upgrade_lake(old)
    assert isinstance(done.exception, FirehoseError)
    assert f"something is at work there (it holds {lock.name}), so nothing was renamed" in str(done.exception)
    with own_home(old.home_path, "firehose demo"):
        done = upgrade_lake(old)
        assert "is in use by `firehose demo`" in str(done.exception)
    assert everything(old.local_lake) == before
    assert upgrade(old.local_lake)


def test_two_folders_of_one_area_are_one_only_if_nothing_differs(old: Settings, batches: list[Batch]) -> None:
    lake = old.local_lake
    shutil.copytree(lake / "ledger", lake / "_ledger")  # as a restored backup may leave it
    (lake / "_quality").mkdir()  # made by something that found none
    [entry, other] = sorted((lake / "_ledger").rglob("batch=*.json"))
    content = entry.read_bytes()
    entry.write_bytes(content + b" ")
    before = everything(lake)
    with pytest.raises(
        FirehoseError, match=r"ledger and .*_ledger are both there, and date=.*not the same in both"
    ):
        upgrade(lake)
    assert everything(lake) == before
    entry.write_bytes(content)
    (lake / "ledger" / other.relative_to(lake / "_ledger")).unlink()  # an upgrade that was killed had removed it
    assert len(upgrade(lake)) == len(EARLIER_NAMES)
    assert verify(lake).problems == []
    assert earlier_areas(lake) == {}
