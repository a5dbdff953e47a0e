"""An import of old stores: every record accounted for once, however often it is repeated or killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from firehose.lake.verify import verify
from firehose.legacy.imports.run import run_import
from firehose.observe.ledger import RecentLedger
from firehose.settings import Settings
from ingester.contract import crash
from ingester.manifests import last_drained
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
