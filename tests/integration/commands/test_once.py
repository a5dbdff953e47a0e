"""`firehose once` and `firehose verify` as a user runs them, on recorded and on synthetic events."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest

from devstack.embedded import clickhouse as endpoint
from firehose.settings import Settings
from firehose.warehouse.client import connect
from ingester.contract.settings import read_settings
from jetstream_simulator import generate
from tests.support.command import firehose, once, total
from tests.support.earlier_lakes import REFUSED, give_earlier_names
from tests.support.recorded import BEST, Recording


@pytest.mark.parametrize("recording", BEST, indirect=True)
def test_recorded_events_are_stored_once_and_match_their_cids(tmp_path: Path, recording: Recording) -> None:
    recordings = [*recording.v1, recording.frames]
    lines = [line for path in recordings for line in path.read_bytes().splitlines() if line.strip()]
    report = once(tmp_path, *recordings)
    assert report["received"] == len(lines)
    assert total(report, "good") + total(report, "quarantined") + total(report, "duplicate") == len(lines)
    verified = firehose("verify", "--home", tmp_path, "--json", home=tmp_path)
    assert verified.returncode == 0, verified.stderr
    found = json.loads(verified.stdout)
    assert found["ok"]
    for counts in found["types"].values():
        assert counts["mismatched"] == counts["unverifiable"] == counts["duplicates"] == 0
    written = Counter(_operation(json.loads(line)) for line in set(lines))
    proven = sum(counts["verified"] for counts in found["types"].values())
    repeated = total(report, "duplicate")
    assert proven >= written["create"] + written["update"] - repeated
    assert proven > 900


def _operation(event: dict[str, Any]) -> str:
    commit = event.get("commit") or event.get("payload") or {}
    return str(commit.get("operation", "none"))


class Taken(NamedTuple):
    """A recording, the home that has taken it in, the report of that run, and a home with a copy of its lake."""

    recording: Path
    home: Path
    report: dict[str, Any]
    copy: Path


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Taken:
    """The first run. Tests change what it has left: the home is one's, and the copy is another's."""
    folder = tmp_path_factory.mktemp("taken")
    recording = folder / "recording.jsonl"
    # Longer than what an ingester rewinds by itself.
    lines = list(generate.events(3000, seed=11, malformed=0.01, rate=10))
    recording.write_bytes(b"\n".join(lines) + b"\n")
    home = folder / "a %41 $x ;y #z 'q' ü[b]=,:|>"  # what ends or changes a value in some configuration
    report = once(home, recording)
    shutil.copytree(home / "lake", folder / "copy" / "lake")
    return Taken(recording, home, report, folder / "copy")


def test_a_second_run_adds_nothing_and_results_can_be_queried(taken: Taken) -> None:
    recording, home, first, _ = taken
    assert not [path for path in [home, *home.rglob("*")] if path.stat().st_mode & 0o077], "for its owner only"
    assert (first["received"], total(first, "duplicate")) == (3000, 0)
    assert total(first, "stored") == total(first, "good") == 3000 - total(first, "quarantined")
    assert 0 < total(first, "quarantined") < 100
    give_earlier_names(home / "lake")
    refused = firehose("once", f"--replay={recording}", "--home", home, home=home)
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    assert REFUSED in refused.stderr and "firehose upgrade-lake" in refused.stderr
    assert firehose("upgrade-lake", "--home", home, home=home).returncode == 0
    second = once(home, recording)
    assert (total(second, "stored"), total(second, "duplicate")) == (0, total(first, "good"))
    assert firehose("verify", "--home", home, home=home).returncode == 0
    settings = read_settings(Settings, {"FIREHOSE_HOME": str(home)}, closed=True)
    with endpoint.start(settings):
        answer = connect(settings, "analyst").query("SELECT sum(events) FROM firehose.events_by_minute")
        assert answer.result_rows[0][0] == total(first, "stored")
        set_aside = connect(settings, "analyst").command("SELECT count() FROM firehose.quarantine")
        assert set_aside == total(first, "quarantined") + total(second, "quarantined")
        asked = firehose("query", "SELECT count() FROM firehose.likes", "--format", "CSV", home=home)
        assert asked.stdout.strip() == str(first["types"]["likes"]["stored"]), asked.stderr


def test_verify_exits_with_1_where_a_file_was_changed(taken: Taken) -> None:
    home = taken.copy
    path = next(iter((home / "lake").glob("year=*/**/likes.parquet")))
    pq.write_table(pq.read_table(path, partitioning=None).slice(1), path)
    done = firehose("verify", "--home", home, home=home)
    assert done.returncode == 1
    assert "should have" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (("once", "--replay", "/nowhere/a.jsonl"), "/nowhere/a.jsonl", 1),
        (("once", "--replay", "/dev/null"), "no events", 1),
        (("verify", "--home", "/nowhere"), "no lake there", 1),
        (("query", "SELECT 1"), "ClickHouse", 75),
    ],
)
def test_errors_are_one_line(tmp_path: Path, arguments: tuple[str, ...], said: str, code: int) -> None:
    done = firehose(*arguments, home=tmp_path)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_wrong_setting_names_itself(tmp_path: Path) -> None:
    (tmp_path / "firehose.env").write_text("FIREHOSE_BATCH_MINUTES=five\n")
    done = firehose("verify", home=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "FIREHOSE_BATCH_MINUTES='five'" in done.stderr
    (tmp_path / "firehose.env").write_text("FIREHOSE_BATCH_MINUTE=5\n")
    assert "FIREHOSE_BATCH_MINUTE is not a setting" in firehose("verify", home=tmp_path).stderr
