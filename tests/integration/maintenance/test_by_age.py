"""What goes by its age: quarantine, whose counts stay, quality results, files set aside, logs; and the command."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import redis

from firehose import schema
from firehose.batch.interval import Batch
from firehose.events.envelope import Undecodable
from firehose.lake import audit, layout
from firehose.lake.ledger import entry_path, read_entry, write_entry
from firehose.lake.rebuild import rebuild
from firehose.lake.verify import verify
from firehose.quality.pages import front_page, write_front_page
from firehose.quality.quarantine import Quarantine, gather, quarantine_path, tombstone_path
from firehose.quality.result import docs_folder
from firehose.settings import Settings
from tests.support.command import firehose
from tests.support.frames import minutes
from tests.support.maintained import HOUR, LIKES, expired, maintenance, published, raw_files


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    return Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=redis_url, keep_raw_hours=0)


@pytest.fixture
def batch(settings: Settings, redis_client: redis.Redis) -> Batch:
    """A published batch."""
    (one,) = minutes(1)
    published(settings, redis_client, {one: LIKES[:60]})
    return one


def put_in_quarantine(settings: Settings, batch: Batch, events: int) -> None:
    """As if this many more events had come and had been bad."""
    lake = settings.local_lake
    with Quarantine(batch, quarantine_path(lake, batch)) as quarantine:
        quarantine.add_undecodable(schema.LIKES, [Undecodable("not JSON", b"{")] * events)
    entry = read_entry(entry_path(lake, batch))
    assert entry is not None
    counts = entry.counts[schema.LIKES]
    more = msgspec.structs.replace(counts, received=counts.received + events, quarantined=events)
    write_entry(entry_path(lake, batch), msgspec.structs.replace(entry, counts={schema.LIKES: more}))


def test_quarantined_events_go_and_their_count_stays(settings: Settings, batch: Batch) -> None:
    lake = settings.local_lake
    put_in_quarantine(settings, batch, 3)
    assert verify(lake).ok
    assert "quarantine" not in maintenance(settings, days=364).expire().removed
    assert maintenance(settings, days=366).expire().removed["quarantine"] == 1
    assert not quarantine_path(lake, batch).exists()
    report = verify(lake)
    assert report.ok, report.problems
    assert (report.quarantined, report.quarantined_expired) == (0, 3)
    # What is validated again is counted again.
    gather(batch, lake, [])
    assert not tombstone_path(lake, batch).exists()


def test_quality_results_and_pages_go_together(settings: Settings, batch: Batch) -> None:
    lake = settings.local_lake
    page = docs_folder(lake) / "validations" / "likes" / batch.id / "20261126T000000" / "page.html"
    page.write(b"<html>")
    write_front_page(lake)
    assert batch.id in front_page(lake).read_text()
    assert maintenance(settings, days=29).expire().removed == {}
    assert maintenance(settings, days=31).expire().removed == {"quality": 1}
    assert not page.exists() and not list(lake.glob("_quality/date=*/batch=*/*"))
    assert batch.id not in front_page(lake).read_text()


def test_what_a_rebuild_set_aside_goes_unless_it_may_hold_the_only_copy(settings: Settings, batch: Batch) -> None:
    lake = settings.local_lake
    path = layout.hour_file(lake, schema.LIKES, HOUR - 1)
    path.write_bytes(path.read_bytes()[:-9])
    rebuild(lake, schema.LIKES, [HOUR - 1], reason="test")
    assert len(lake.find("_aside/*/*/*.parquet")) == 1
    entry = read_entry(entry_path(lake, batch))
    assert entry is not None
    (done,) = entry.rebuilt
    for lost, removed in ((5, None), (0, 1)):
        said = msgspec.structs.replace(done, lost=lost)
        write_entry(entry_path(lake, batch), msgspec.structs.replace(entry, rebuilt=[said]))
        assert maintenance(settings, days=29).expire().removed.get("aside") is None
        assert maintenance(settings, days=31).expire().removed.get("aside") == removed
    assert not lake.find("_aside/*/*/*.parquet")


def test_logs_go_when_nothing_was_written_to_them_for_long(
    settings: Settings, batch: Batch, tmp_path: Path
) -> None:
    logs = tmp_path / "airflow" / "logs"
    old, rotated, new, other = (
        logs / "dag_id=d" / "run_id=r" / "attempt=1.log",
        logs / "supervisord.log.1",
        logs / "ingester.log",
        logs / "keep.txt",
    )
    for path in (old, rotated, new, other):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("said")
    long_ago = (datetime.now(UTC) - timedelta(days=31)).timestamp()
    for path in (old, rotated, other):
        os.utime(path, (long_ago, long_ago))
    done = maintenance(settings, days=0, logs=[logs, tmp_path / "nowhere"]).expire()
    assert done.removed == {"logs": 2} and done.freed == {"logs": 8}
    assert not old.exists() and not rotated.exists() and not (logs / "dag_id=d").exists()
    assert new.exists() and other.exists()
    files = [
        file.key
        for path in audit.log_paths(settings.local_lake)
        for line in audit.read(path)
        for file in line.files
    ]
    assert sorted(files) == sorted(map(str, (old, rotated)))


def test_the_command_changes_nothing_unless_it_is_told_to(
    settings: Settings, batch: Batch, tmp_path: Path
) -> None:
    options = {"lake": settings.lake, "keep_raw_hours": 0, "keep_quality_days": 0}
    said = firehose("maintenance", home=tmp_path, **options)
    assert said.returncode == 0 and "frees 0 bytes" in said.stdout and "--do" in said.stderr
    lake = settings.local_lake
    past = Batch.of(batch.start - timedelta(days=400), batch.start - timedelta(days=399))
    sample = quarantine_path(lake, past).with_name("flood-sample.parquet")
    sample.write(b"a sample")
    said = firehose("maintenance", home=tmp_path, **options)
    assert f"remove  quarantine of {past.start:%Y-%m-%d}: 1, 8 bytes: 365 days are over" in said.stdout
    assert "of the disk is used" in said.stdout
    plan = json.loads(firehose("maintenance", "--json", home=tmp_path, **options).stdout)
    assert [removal["what"] for removal in plan["removals"]] == [past.id] and sample.exists()
    done = firehose("maintenance", "--do", home=tmp_path, **options)
    assert done.returncode == 0 and "removed quarantine: 1, 8 bytes" in done.stdout
    assert not sample.exists() and raw_files(settings, batch) and not expired(settings, batch)
