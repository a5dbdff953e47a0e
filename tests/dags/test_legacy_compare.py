"""The daily comparison in a real Airflow: its result is a quality record of the day, and an alert."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from firehose.batch.interval import Batch
from firehose.lake.ledger import LedgerEntry, entry_path, write_entry
from firehose.legacy.compare import kept
from firehose.legacy.compare.outcome import Found
from firehose.store import LocalLake
from tests.support.old_posts import key, write_post
from tests.support.sinks import Webhook
from tests.support.warm import Warm

DAY = date(2024, 10, 5)


@pytest.mark.timeout(600)
def test_a_day_is_compared_kept_and_told(warm_airflow: Warm, webhook: Webhook, tmp_path: Path) -> None:
    """Two posts of the day are in the old store, none in the lake, which listened all day."""
    old, lake = tmp_path / "old", LocalLake(tmp_path / "lake")
    for number in (0, 1, 2):  # the one in the middle is of another day
        write_post(old / "cache", number)
    before = {path: path.stat().st_mtime_ns for path in old.rglob("*")}
    start = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
    batch = Batch.of(start, start + timedelta(days=1))
    write_entry(
        entry_path(lake, batch),
        LedgerEntry(batch=batch.id, start=batch.start, end=batch.end, published_at=batch.end, counts={}, hours={}),
    )
    done = warm_airflow.airflow(
        *("dags", "test", "firehose_legacy_compare", f"{DAY}T06:10:00Z"),
        FIREHOSE_LAKE=str(lake),
        FIREHOSE_LEGACY=str(old),
        FIREHOSE_ALERT_WEBHOOK_URL=webhook.url(),
    )
    assert done.returncode == 0, done.stdout[-3000:]
    (result,) = kept.newest(lake)
    posts = result.types["posts"]
    assert (result.day, result.heard, posts.only_old, posts.both) == (DAY, "24.0 h", 2, 0)
    assert {each.uri.rpartition("/")[2] for each in posts.examples if each.found is Found.ONLY_OLD} == {
        key(0),
        key(2),
    }
    assert not result.passed
    (alert,) = webhook.bodies
    assert str(DAY) in alert["title"]
    assert "2 only old, at most 0 allowed" in alert["reason"]
    page = kept.folder(lake, old) / f"date={DAY}" / "index.html"
    assert key(0) in Path(str(page)).read_text()
    assert {path: path.stat().st_mtime_ns for path in old.rglob("*")} == before
