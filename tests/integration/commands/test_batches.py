"""`firehose batches` on a lake that the real steps have filled, against the ledger's own files."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from firehose.batch import manifest as manifests
from firehose.batch.coverage import record_silence
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.settings import Settings
from tests.support.command import firehose
from tests.support.frames import fill, minutes
from tests.support.maintained import LIKES, published


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    return Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=redis_url, batch_minutes=1)


@pytest.fixture
def spread(settings: Settings, redis_client: redis.Redis) -> list[Batch]:
    """Six minutes: published, expired, drained only, unknown, silent, published."""
    batches = minutes(6)
    published(settings, redis_client, {batches[0]: LIKES[:40], batches[1]: LIKES[40:70]})
    fill(redis_client, LIKES[90:100], batches[2])
    drain(settings, batches[2])
    published(settings, redis_client, {batches[5]: LIKES[70:90]})
    folder = manifests.folder_of(settings.lake_path, batches[1])
    manifest = manifests.read(folder)
    assert manifest is not None
    manifests.expire(
        folder, manifest, manifests.Expired(at=batches[5].end, by="test", audit="none", manifest_sha256="")
    )
    record_silence(settings.lake_path, batches[4])
    return batches


def rows(settings: Settings, *options: str) -> list[dict[str, object]]:
    done = firehose("batches", "--json", *options, home=settings.home, lake=settings.lake, batch_minutes=1)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_interval_is_listed_with_its_state(settings: Settings, spread: list[Batch]) -> None:
    begin, end = f"{spread[0].start:%Y-%m-%dT%H:%M:%SZ}", f"{spread[5].end:%Y-%m-%dT%H:%M:%SZ}"
    found = rows(settings, "--from", begin, "--to", end)
    assert [(row["batch"], row["state"], row["raw"]) for row in found] == [
        (spread[0].id, "published", "kept"),
        (spread[1].id, "published", "expired"),
        (spread[2].id, "unpublished", "kept"),
        (spread[3].id, "missing", "none"),
        (spread[4].id, "skipped", "none"),
        (spread[5].id, "published", "kept"),
    ]
    for row, count in zip(found, (40, 30, 10, None, None, 20), strict=True):
        assert row["received"] == count
    for path in Path(settings.lake).glob("_ledger/date=*/batch=*.json"):
        entry = json.loads(path.read_text())
        row = next(row for row in found if row["batch"] == entry["batch"])
        for figure in ("received", "good", "quarantined", "duplicates"):
            assert row[figure] == sum(counts[figure] for counts in entry["counts"].values())
        assert row["published_at"] == entry["published_at"]
        assert row["took_s"] is not None


def test_choices(settings: Settings, spread: list[Batch]) -> None:
    begin, end = f"{spread[0].start:%Y-%m-%dT%H:%M:%SZ}", f"{spread[5].end:%Y-%m-%dT%H:%M:%SZ}"
    assert [row["batch"] for row in rows(settings, "--missing", "--from", begin, "--to", end)] == [spread[3].id]
    failed = rows(settings, "--failed", "--from", "1h")
    assert [row["batch"] for row in failed] == [spread[2].id]
    later = spread[5].end + timedelta(days=20)
    assert rows(settings, "--from", f"{later:%Y-%m-%dT%H:%M:%SZ}", "--to", f"{later:%Y-%m-%dT%H:%M:%SZ}") == []
    shown = firehose("batches", "--from", "1h", home=settings.home, lake=settings.lake, batch_minutes=1)
    assert spread[0].id in shown.stdout
    assert "1 unpublished" in shown.stderr
    wrong = firehose("batches", "--from", "yesterday", home=settings.home, lake=settings.lake)
    assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1)


def test_a_span_of_long_ago_is_listed_as_well(settings: Settings, redis_client: redis.Redis) -> None:
    old = Batch.of(minutes(1)[0].start - timedelta(days=9), minutes(1)[0].end - timedelta(days=9))
    published(settings, redis_client, {old: LIKES[:40]})
    found = rows(settings, "--from", f"{old.start:%Y-%m-%dT%H:%M:%SZ}", "--to", f"{old.end:%Y-%m-%dT%H:%M:%SZ}")
    assert [(row["batch"], row["received"]) for row in found] == [(old.id, 40)]
