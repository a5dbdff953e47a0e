"""Where the lake ends: the manifests that the pipeline writes, as the ingester reads them."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from firehose.batch import coverage
from firehose.batch import manifest as manifests
from firehose.batch.interval import Batch
from firehose.batch.manifest import Manifest, QueueFile
from firehose.lake.upgrade import upgrade
from firehose.store import LocalLake
from ingester.errors import LakeOutdated
from ingester.manifests import RETENTION, last_drained
from ingester.position.position import LIVE, AtTime, Position
from tests.support.earlier_lakes import give_earlier_names

MINUTES = timedelta(minutes=5)
NOW = datetime(2026, 11, 23, 12, 3, tzinfo=UTC)
NOON = NOW.replace(minute=0)


def us(instant: datetime) -> int:
    """In microseconds since the epoch."""
    return round(instant.timestamp() * 1_000_000)


def write(
    lake: Path,
    start: datetime,
    *,
    late_s: float = 10.0,
    queues: int = 2,
    ahead_s: float = 60.0,
    first_start: datetime | None = None,
) -> Path:
    """The manifest of a batch whose last event came ``late_s`` before its end; drained ``ahead_s`` after it."""
    batch = Batch.of(start, start + MINUTES)
    last_us = us(batch.end) - round(late_s * 1_000_000)
    parts = {
        name: QueueFile(
            name=f"{name}.jsonl.zst",
            frames=1,
            events=2,
            size=3,
            sha256="",
            ranges=[("1-0", "2-0")],
            first_us=us(batch.start),
            last_us=last_us - number * 1_000_000,
        )
        for number, name in enumerate(("likes", "posts")[:queues])
    }
    cursor = us(batch.end) + round(ahead_s * 1_000_000)
    manifest = Manifest(
        batch=batch.id,
        start=batch.start,
        end=batch.end,
        created_at=NOW,
        cursor=cursor,
        host="jet.example",
        protocol="v1",
        time_us=cursor,
        minutes_heard=5,
        queues=parts,
        first_start_ms=us(first_start) // 1000 if first_start else 0,
    )
    folder = manifests.folder_of(lake, batch)
    folder.mkdir(parents=True)
    manifests.write(LocalLake(folder), manifest)
    return folder / manifests.NAME


def drained(at: datetime, late_s: float = 10.0) -> Position:
    """The position after the batch that began at ``at``."""
    return AtTime(us(at + MINUTES) - round(late_s * 1_000_000), "jet.example")


def test_the_last_event_of_the_last_batch_not_its_cursor(tmp_path: Path) -> None:
    for back in (2, 1):
        write(tmp_path, NOON - back * MINUTES)
    assert last_drained(tmp_path, NOW) == drained(NOON - MINUTES)


def test_no_lake_and_an_empty_one_are_nothing(tmp_path: Path) -> None:
    assert last_drained(tmp_path / "nowhere", NOW) == LIVE
    (tmp_path / "_raw" / "date=2026-11-23" / "batch=20261123T115500Z").mkdir(parents=True)
    assert last_drained(tmp_path, NOW) == LIVE


def test_a_lake_of_an_earlier_version_is_refused_and_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    write(tmp_path, NOON - 2 * MINUTES)
    give_earlier_names(tmp_path)
    with pytest.raises(
        LakeOutdated, match=r"/raw has the name that an earlier version gave it.*firehose upgrade-lake"
    ):
        last_drained(tmp_path, NOW)
    upgrade(tmp_path)
    assert last_drained(tmp_path, NOW) == drained(NOON - 2 * MINUTES)


def test_a_hole_is_resumed_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for back in (6, 5, 3, 2, 1):
        write(tmp_path, NOON - back * MINUTES)
    assert last_drained(tmp_path, NOW) == drained(NOON - 5 * MINUTES)
    assert "event=manifest_missing batch=20261123T114000Z" in caplog.text


def test_an_interval_of_the_coverage_ledger_is_no_hole(tmp_path: Path) -> None:
    write(tmp_path, NOON - 4 * MINUTES)
    write(tmp_path, NOON - MINUTES)
    for back in (3, 2):
        assert last_drained(tmp_path, NOW) == drained(NOON - 4 * MINUTES), "one of the two is not known yet"
        start = NOON - back * MINUTES
        coverage.record_silence(LocalLake(tmp_path), Batch.of(start, start + MINUTES))
    assert last_drained(tmp_path, NOW) == drained(NOON - MINUTES)


def test_a_hole_that_no_host_has_any_more_does_not_count(tmp_path: Path) -> None:
    write(tmp_path, NOON - RETENTION - 3 * MINUTES)
    write(tmp_path, NOON - RETENTION - MINUTES)
    assert last_drained(tmp_path, NOW + MINUTES) == drained(NOON - RETENTION - MINUTES), "the newest always counts"
    assert last_drained(tmp_path, NOW - 4 * MINUTES) == drained(NOON - RETENTION - 3 * MINUTES)


@pytest.mark.parametrize("damage", [b"", b"{", b'{"batch":"x"}', b"\xff", b"null"])
def test_a_damaged_manifest_is_said_and_resumed_before(
    damage: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, NOON - 3 * MINUTES)
    write(tmp_path, NOON - 2 * MINUTES).write_bytes(damage)
    write(tmp_path, NOON - MINUTES)
    assert last_drained(tmp_path, NOW) == drained(NOON - 3 * MINUTES)
    (said,) = (record for record in caplog.records if "manifest_unreadable" in record.message)
    assert said.levelno == logging.ERROR and "\n" not in said.message


def test_a_batch_without_events_goes_back_to_the_one_before(tmp_path: Path) -> None:
    write(tmp_path, NOON - 2 * MINUTES)
    write(tmp_path, NOON - MINUTES, queues=0)
    assert last_drained(tmp_path, NOW) == drained(NOON - 2 * MINUTES)


def test_a_wrong_time_in_a_batch_does_not_go_past_it(tmp_path: Path) -> None:
    write(tmp_path, NOON - MINUTES, late_s=-(10**8))
    assert last_drained(tmp_path, NOW) == drained(NOON - MINUTES, 0)
    write(tmp_path, NOON, late_s=-(10**8), ahead_s=-120)
    assert last_drained(tmp_path, NOW) == drained(NOON, 120), (
        "during catch-up the cursor is behind the batch's end"
    )


def test_over_midnight(tmp_path: Path) -> None:
    midnight = NOON.replace(hour=0)
    write(tmp_path, midnight - MINUTES)
    write(tmp_path, midnight)
    assert last_drained(tmp_path, NOW) == drained(midnight)


def test_a_first_batch_that_is_missing_is_a_hole_as_well(tmp_path: Path) -> None:
    started = NOON - timedelta(minutes=17)  # in the batch that begins at 11:40
    write(tmp_path, NOON - 3 * MINUTES, first_start=started)
    write(tmp_path, NOON - MINUTES, first_start=started)
    begin = AtTime(us(started), "jet.example")
    assert last_drained(tmp_path, NOW) == begin
    assert last_drained(tmp_path, NOW, AtTime(1)) == AtTime(1), "told to begin earlier"
    assert last_drained(tmp_path, NOW, AtTime(us(NOW))) == begin
    write(tmp_path, NOON - 4 * MINUTES, first_start=started)
    assert last_drained(tmp_path, NOW) == drained(NOON - 3 * MINUTES)
