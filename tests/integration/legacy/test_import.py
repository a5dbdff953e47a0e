"""An import of old stores: every record accounted for once, however often it is repeated or killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

from firehose.errors import WorkerLost
from firehose.lake.publish import publish
from firehose.lake.verify import verify
from firehose.legacy.imports import parts, run, scan
from firehose.legacy.imports.collect import collect, days
from firehose.legacy.imports.run import run_import
from firehose.observe.ledger import RecentLedger
from firehose.quality import slices
from firehose.quality.result import HOUR_US, staged_path
from firehose.quality.validate import validate
from firehose.settings import Settings
from ingester.contract import crash
from ingester.manifests import last_drained
from tests.support import arrow_reads
from tests.support.old_posts import key, post_path, write_post

EXAMPLE = Path(__file__).parents[4] / "shared" / "legacy-example"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=str(tmp_path), lake=str(tmp_path / "lake"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Twenty cached posts on two days, one in both generations, and one file that is broken."""
    root = tmp_path / "old"
    for number in range(20):
        write_post(root / "cache", number)
    write_post(root / "__local_cache__", 0)
    broken = post_path(root / "cache", 99)
    broken.write_bytes(b"{")
    return root


def rows(settings: Settings) -> list[dict[str, Any]]:
    """Every row of the lake's imported files, in an order of its own."""
    files = Path(settings.lake).glob("year=*/month=*/day=*/hour=*/imported.parquet")
    found = [row for path in files for row in pq.read_table(path, partitioning=None).to_pylist()]
    return sorted(found, key=lambda row: (row["store"], row["rkey"]))


def test_each_record_is_a_row_a_kind_of_store_or_has_a_reason(settings: Settings, source: Path) -> None:
    report = run_import(settings, source)
    assert (report.records, report.received, report.rows, report.quarantined) == (22, 22, 21, 1)
    assert [reason[0].rpartition("/")[2] for reason in report.refused] == [post_path(source, 99).name]
    found = rows(settings)
    assert [row["store"] for row in found] == ["cache-1"] * 20 + ["cache-2"]
    assert {row["filed_by"] for row in found} == {"key"}
    assert {tuple(row["langs"]) for row in found} == {("en", "ja")}
    assert verify(settings.lake_path).ok


def test_a_second_import_reads_only_what_is_new_and_adds_only_that(settings: Settings, source: Path) -> None:
    run_import(settings, source)
    before = rows(settings)
    again = run_import(settings, source)
    assert (again.files, again.records, again.batches, rows(settings)) == (0, 0, 0, before)
    os.utime(post_path(source / "cache", 3), ns=(1, 1))  # changed, and holds what it held
    write_post(source / "cache", 50)
    more = run_import(settings, source)
    assert (more.files, more.rows, more.duplicates) == (2, 22, 1)
    assert [row for row in rows(settings) if row["rkey"] != key(50)] == before


def test_an_import_opens_few_files_an_hour(
    settings: Settings, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = arrow_reads.noted(monkeypatch)
    run_import(settings, source)
    hours = list(settings.local_lake.glob("year=*/*/*/*/imported.parquet"))
    assert len(hours) == 2
    # Of each: its staged rows as they are planned and as they are taken, and what was written as it is described.
    assert len(opened) <= 4 * len(hours), opened


@pytest.mark.parametrize(
    "point", ["drain.manifest_synced", "validate.slice_renamed", "publish.hour_renamed", "publish.ledger_synced"]
)
def test_a_killed_import_is_finished_by_the_next(
    settings: Settings, source: Path, point: str, tmp_path: Path
) -> None:
    code = (
        "import sys; from pathlib import Path; from firehose.settings import Settings;"
        "from firehose.legacy.imports.run import run_import;"
        "run_import(Settings(home=sys.argv[1], lake=sys.argv[2]), Path(sys.argv[3]))"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code, settings.home, settings.lake, str(source)],
        env=os.environ | {crash.AT: point, crash.PROOF: str(tmp_path / "proof")},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    report = run_import(settings, source)
    assert (report.received, report.rows, report.quarantined) == (22, 21, 1)
    assert len(rows(settings)) == 21 and verify(settings.lake_path).ok


def test_days_at_work_at_once_give_the_same_also_if_one_of_them_dies(
    settings: Settings, source: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(run, "_FORK_BYTES", 0)
    monkeypatch.setattr(scan, "_FORK_BYTES", 0)
    monkeypatch.setattr(scan, "_BYTES", 8 * scan._LEAST)
    monkeypatch.setattr(scan, "_HELD", 3)  # more files than are held are listed again
    crash.arm({crash.AT: "publish.hour_renamed", crash.PROOF: str(tmp_path / "proof")})
    try:
        with pytest.raises(WorkerLost):
            run_import(settings, source)
    finally:
        crash.arm({})
    report = run_import(settings, source)
    assert (report.received, report.rows, report.quarantined) == (22, 21, 1)
    assert [part.name for part in parts.parts(settings.lake_path)] == ["part-000000", "part-000001", "part-000002"]
    assert len(rows(settings)) == 21 and verify(settings.lake_path).ok


def test_what_a_killed_scan_had_begun_is_removed_and_no_part_is_written_over(
    settings: Settings, source: Path
) -> None:
    scan.scan(settings.lake_path, source)
    (part,) = parts.parts(settings.lake_path)
    lake = settings.lake_path
    parts.write(lake, msgspec.structs.replace(part, name="part-000007", files=[], spots=[]))
    left = parts.frames_path(lake, "part-000005")
    left.write(b"frames of a part that nothing describes")
    write_post(source / "cache", 50)
    assert scan.scan(lake, source).files == 1
    assert [one.name for one in parts.parts(lake)] == ["part-000000", "part-000007", "part-000008"]
    assert not left.exists() and parts.frames_path(lake, part.name).exists()


@pytest.mark.parametrize("held", [1 << 25, 0])
def test_the_rows_of_a_day_wait_hour_by_hour(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    """However few events are decoded at a time: their rows are staged together, unless they are too large."""
    monkeypatch.setattr(slices, "CHUNK_EVENTS", 5)
    monkeypatch.setattr(slices, "_HELD_BYTES", held)
    for hour in (3, 0, 2, 1):
        for number in (0, 2):
            write_post(tmp_path / "old" / "cache", hour * HOUR_US + number)
    lake = settings.lake_path
    scan.scan(lake, tmp_path / "old")
    (day,) = days(lake)
    (batch,) = collect(settings, day)
    validate(settings, batch)
    with pq.ParquetFile(staged_path(lake, batch, "imported")) as staged:
        groups = [staged.read_row_group(number)["time_us"].to_pylist() for number in range(staged.num_row_groups)]
    together = [len(times) for times in groups] == [2] * 4
    assert together is bool(held) and sum(map(len, groups)) == 8
    if together:
        assert [{time // HOUR_US - times[0] // HOUR_US for time in times} for times in groups] == [{0}] * 4
    publish(settings, batch)
    assert len(rows(settings)) == 8 and verify(lake).ok


def test_an_import_is_nothing_that_was_listened_to(settings: Settings, source: Path) -> None:
    from datetime import UTC, datetime, timedelta

    run_import(settings, source)
    now = datetime(2024, 10, 6, 18, tzinfo=UTC)
    assert RecentLedger(settings.lake_path).entries(now - timedelta(days=2), now) == []
    assert last_drained(Path(settings.lake), now).time_us == 0, "a hole of that day is still one"


@pytest.mark.skipif(not EXAMPLE.exists(), reason="needs the example of the old system beside the checkout")
def test_the_example_imports_with_every_record_accounted_for(settings: Settings) -> None:
    report = run_import(settings, EXAMPLE)
    assert report.records == report.received == report.rows + report.duplicates + report.quarantined > 0
    assert report.quarantined == len(report.refused)
