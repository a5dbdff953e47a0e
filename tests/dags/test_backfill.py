"""The backfill in a real Airflow: days of an old store become what `firehose legacy import` makes of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from firehose.batch import manifest as manifests
from firehose.legacy.imports.collect import batches, days
from firehose.legacy.imports.run import run_import
from firehose.settings import Settings
from firehose.store import LocalLake
from tests.support.old_posts import write_post
from tests.support.warm import Warm


@pytest.mark.timeout(600)
def test_days_are_imported_as_by_the_command_and_again_after_their_raw_files_expired(
    warm_airflow: Warm, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    for number in range(40):
        write_post(old / "cache", number)
    write_post(old / "__local_cache__", 0)
    by_command = LocalLake(tmp_path / "by-command")
    run_import(Settings(home=str(tmp_path), lake=str(by_command)), old)
    lake = LocalLake(tmp_path / "lake")
    wanted = [*days(by_command)]
    assert len(wanted) == 2

    def run(day: object) -> str:
        """`airflow dags test`: what it said."""
        done = warm_airflow.airflow(
            *("dags", "test", "firehose_backfill", str(day)),
            FIREHOSE_LAKE=str(lake),
            FIREHOSE_LEGACY=str(old),
        )
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout

    for day in wanted:
        run(day)
    imported = rows(lake)
    assert imported == rows(by_command) and any(name.endswith("imported.parquet") for name in imported)

    (batch,) = batches(lake, wanted[0])
    folder = manifests.folder_of(lake, batch)
    before = raw_files(folder)
    manifest = manifests.read(folder)
    assert manifest is not None
    gone = manifests.Expired(at=datetime.now(UTC), by="test", audit="_audit/x", manifest_sha256="")
    manifests.expire(folder, manifest, gone)
    for path in folder.find("*.zst"):
        path.discard()
    run(wanted[0])
    assert rows(lake) == imported
    assert raw_files(folder) == before

    assert "the old system has nothing of 2019-01-01" in run("2019-01-01")
    assert rows(lake) == imported


def rows(lake: LocalLake) -> dict[str, list[dict[str, Any]]]:
    """The rows of every hour file."""
    return {
        str(path.relative_to(str(lake))): pq.read_table(path, partitioning=None).to_pylist()
        for path in sorted(Path(str(lake)).glob("year=*/**/*.parquet"))
    }


def raw_files(folder: LocalLake) -> dict[str, bytes]:
    """A raw batch: its manifest too, which says when it was made."""
    return {path.name: path.read_bytes() for path in folder.find("*") if path.name}
