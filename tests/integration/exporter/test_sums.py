"""The exporter's sums against the same files, read and added up without it; and that they only rise."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis

from firehose import metrics, observed
from firehose.batch.interval import Batch
from firehose.exporter.sums import Sums
from firehose.lake.ledger import entry_path
from firehose.settings import Settings
from firehose.store import LocalLake
from tests.support.frames import minutes
from tests.support.maintained import LIKES, published

Values = dict[str, dict[tuple[str, ...], float]]


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    return Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=redis_url, batch_minutes=1)


@pytest.fixture
def batches(settings: Settings, redis_client: redis.Redis) -> list[Batch]:
    """Three published batches, the last of which has copies of events of the first."""
    three = minutes(3)
    published(settings, redis_client, dict(zip(three, (LIKES[:60], LIKES[60:90], LIKES[30:120]), strict=True)))
    return three


def sums(settings: Settings, keep: bool = True) -> Sums:
    return Sums(settings.lake_path, LocalLake(settings.home_path / "exporter" / "sums.json"), keep=keep)


def totals(found: Sums) -> Values:
    found.advance(datetime.now(UTC), 60)
    assert found.whole
    return found.values()


def on_disk(settings: Settings) -> Counter[str]:
    """The same by plain Python."""
    lake, found = Path(settings.lake), Counter[str]()
    for path in lake.glob("_ledger/*/*.json"):
        for counts in json.loads(path.read_text())["counts"].values():
            found.update(
                {name: counts[name] for name in ("received", "good", "duplicates", "stored", "quarantined")}
            )
        found["batches"] += 1
    for path in lake.glob("_raw/*/*/manifest.json"):
        manifest = json.loads(path.read_text())
        found["heard"] += 60 * manifest["minutes_heard"]
        for queue in manifest["queues"].values():
            found.update({f"drained {name}": queue[name] for name in ("events", "frames", "size", "late")})
    return found


def named(values: Values) -> Counter[str]:
    names = {
        "received": metrics.RECEIVED,
        "good": metrics.GOOD,
        "duplicates": metrics.DUPLICATES,
        "stored": metrics.STORED,
        "quarantined": metrics.QUARANTINED,
        "batches": observed.PUBLISHED,
        "heard": metrics.MINUTES_HEARD,
        "drained events": metrics.DRAINED,
        "drained frames": metrics.DRAINED_FRAMES,
        "drained size": metrics.DRAINED_BYTES,
        "drained late": metrics.LATE,
    }
    return Counter({name: int(sum(values[metric.name].values())) for name, metric in names.items()})


def change(settings: Settings, batch: Batch, duplicates: int) -> None:
    """As if the batch had been run again with another outcome."""
    path = entry_path(settings.lake_path, batch)
    entry = json.loads(path.read_bytes())
    entry["counts"]["likes"]["duplicates"] = duplicates
    path.write(json.dumps(entry).encode())


def test_they_are_what_the_files_add_up_to(settings: Settings, batches: list[Batch]) -> None:
    assert +named(totals(sums(settings))) == +on_disk(settings)


def test_a_restart_goes_on_where_the_process_before_was(settings: Settings, batches: list[Batch]) -> None:
    before = totals(sums(settings))
    assert totals(sums(settings)) == before
    assert totals(sums(settings, keep=False)) == before


def test_a_batch_that_is_run_again_adds_only_what_is_more(settings: Settings, batches: list[Batch]) -> None:
    found = sums(settings)

    def duplicates() -> float:
        return totals(found)[metrics.DUPLICATES.name][("likes",)]

    first = duplicates()
    change(settings, batches[0], 7)
    more = duplicates()
    change(settings, batches[0], 2)
    assert duplicates() == more, "it never falls"
    assert totals(sums(settings))[metrics.DUPLICATES.name][("likes",)] == more, "nor over a restart"
    change(settings, batches[0], 5)
    assert duplicates() == more + 3
    assert more > first


def test_an_entry_that_cannot_be_read_costs_its_day_only(settings: Settings, batches: list[Batch]) -> None:
    found = sums(settings)
    before, drained = totals(found), on_disk(settings)["drained events"]
    entry_path(settings.lake_path, batches[0]).write(b"{")
    assert totals(found) == before
    assert named(totals(sums(settings)))["drained events"] == drained


def test_a_file_that_cannot_be_read_is_made_again(settings: Settings, batches: list[Batch]) -> None:
    before = totals(sums(settings))
    LocalLake(settings.home_path / "exporter" / "sums.json").write(b"no sums")
    assert totals(sums(settings)) == before


def test_without_time_it_says_that_it_is_not_whole(settings: Settings, batches: list[Batch]) -> None:
    found = sums(settings)
    found.advance(datetime(2000, 1, 1, tzinfo=UTC), 0)
    assert not found.whole
    assert +named(totals(found)) == +on_disk(settings)
