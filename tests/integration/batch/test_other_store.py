"""A lake in an object store: the whole way of a batch through it gives the same rows as on a local disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pyarrow.parquet as pq
import pytest
import redis

from firehose import schema
from firehose.batch import manifest as manifests
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.batch.raw import spans
from firehose.errors import LakeChanged
from firehose.lake import layout
from firehose.lake.check import check
from firehose.lake.ledger import read_ledger
from firehose.lake.publish import publish
from firehose.lake.rebuild import differing, rebuild
from firehose.lake.verify import verify
from firehose.quality.quarantine import quarantine_path
from firehose.quality.result import staged_folder
from firehose.quality.validate import validate
from firehose.settings import Settings
from firehose.store import LakePath
from jetstream_simulator import generate
from tests.support.object_store import ObjectStore

Fill = Callable[[Iterable[bytes], Batch], None]
EVENTS = [
    # Of one type: each has files of its own, and each file takes a dozen requests.
    *(
        line
        for line in generate.events(400, seed=7, start_us=1_780_002_000_000_000, rate=2.5)
        if b'"collection":"app.bsky.feed.like"' in line
    ),
    b'{"did":"no account","time_us":1780002000000000,"kind":"commit"}',
]


def rows_of(lake: LakePath) -> dict[str, list[str]]:
    """Every row of the lake, sorted, by the key of its file."""
    found = {}
    for record_type in schema.TYPES:
        for path in layout.hour_files(lake, record_type):
            with path.reading_by_arrow() as stream:
                found[path.key_in(lake)] = sorted(map(str, pq.read_table(stream).to_pylist()))
    return found


def run(settings: Settings, batches: Iterable[Batch]) -> LakePath:
    lake: LakePath = settings.lake_path
    for batch in batches:
        drain(settings, batch)
        validate(settings, batch)
        publish(settings, batch)
    return lake


def test_batches_go_through_another_storage_as_through_a_local_disk(
    settings: Settings, batches: list[Batch], fill: Fill, redis_client: redis.Redis, bucket_store: ObjectStore
) -> None:
    stored = Settings(home=settings.home, lake=bucket_store.uri("other-store"), redis_url=settings.redis_url)
    halves = {batches[0]: EVENTS[:80], batches[1]: EVENTS[60:]}
    lakes: list[LakePath] = []
    for one in (settings, stored):
        for batch, lines in halves.items():
            fill(lines, batch)
        lakes.append(run(one, halves))
        redis_client.flushall()
    local, other = lakes
    assert rows_of(other) == rows_of(local)
    assert [path.key_in(other) for path in other.find("*/*/*/*")] == [
        path.key_in(local) for path in local.find("*/*/*/*")
    ]
    assert quarantine_path(other, batches[1]).exists() and not staged_folder(other, batches[1]).find("*")
    for lake in lakes:  # what a manifest of an earlier version does not have is found in the file
        folder = manifests.folder_of(lake, batches[0])
        manifest = manifests.read(folder)
        assert manifest is not None
        for queue in manifest.queues.values():
            assert list(spans(folder / queue.name, 1)) == list(spans(folder / queue.name, 1, queue.index))
    report = verify(other)
    assert report.ok and report.batches == 2, report.problems
    assert len(read_ledger(other)) == 2
    before = rows_of(other)
    validate(stored, batches[0])
    assert publish(stored, batches[0]) == publish(stored, batches[0])
    lost = layout.hour_files(other, schema.LIKES)[0]
    lost.remove()
    assert len(check(other, days=1).differences) == 1
    hour = layout.hour_of_file(lost)
    assert differing(other, [hour]) == {schema.LIKES: [hour]}
    with pytest.raises(LakeChanged, match="the file is missing"):
        validate(stored, batches[1])
        publish(stored, batches[1])
    rebuild(other, schema.LIKES, [hour], reason="lost")
    publish(stored, batches[1])
    assert rows_of(other) == before
    assert verify(other).ok
