"""The crash points' switch: nothing without it, refused if misspelt, the proof before the death."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from firehose.settings import Settings
from ingester.contract import crash
from ingester.contract.settings import SettingsError, read_settings

ROOT = Path(__file__).parents[3]


def test_without_the_variable_nothing_happens() -> None:
    crash.arm({})
    assert not crash.armed()
    for point in crash.Point:
        crash.reached(point)


@pytest.mark.parametrize("told", ["nowhere", "drain.raw_synced:0", "drain.raw_synced:x", "drain.raw_synced:-1"])
def test_what_is_no_point_is_refused(told: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{crash.AT}={told}: for tests only")):
        crash.arm({crash.AT: told, crash.PROOF: str(tmp_path / "proof")})
    assert not crash.armed()


def test_without_a_place_for_the_proof_it_is_refused() -> None:
    with pytest.raises(ValueError, match=crash.PROOF):
        crash.arm({crash.AT: crash.Point.RAW_SYNCED})


def test_a_misspelt_point_ends_the_process_at_once() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "ingester"],
        env={crash.AT: "ingester.flush"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert "for tests only" in ended.stderr


def test_it_dies_at_the_passage_that_it_was_told(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    code = "from ingester.contract.crash import Point, reached\n"
    code += "for n in range(9): print(n, flush=True); reached(Point.CLAIMED)"
    told = {crash.AT: f"{crash.Point.CLAIMED}:3", crash.PROOF: str(proof)}
    ended = subprocess.run([sys.executable, "-c", code], env=told, cwd=ROOT, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout.split()) == (-signal.SIGKILL, ["0", "1", "2"])
    assert proof.read_text().startswith("ingester.claimed ")


def test_the_closed_settings_let_both_variables_pass_and_no_other() -> None:
    told = {crash.AT: crash.Point.CLAIMED, crash.PROOF: "/x"}
    assert read_settings(Settings, told, closed=True)
    with pytest.raises(SettingsError, match="FIREHOSE_CRASH_WHEN"):
        read_settings(Settings, told | {"FIREHOSE_CRASH_WHEN": "now"}, closed=True)
