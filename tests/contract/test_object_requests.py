"""How many requests an object store is asked: what a listing costs does not grow with what it does not list."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest

from firehose import parquet
from firehose.batch.lock import at_rest, lock_path, locks_folder
from firehose.errors import LockTaken
from firehose.store.objects import client, locks
from firehose.store.objects.client import Bucket
from tests.support.object_store import ObjectStore


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a listing's page had five keys and not a thousand."""
    monkeypatch.setattr(client, "PAGE", 5)


def test_a_listing_asks_for_what_it_lists_alone(bucket_store: ObjectStore, tmp_path: Path) -> None:
    lake = bucket_store.lake(tmp_path / "lake")
    bucket = Bucket(lake.place)
    hours = [f"year=2026/month=11/day=25/hour={hour:02}/{kind}.parquet" for hour in range(4) for kind in "ab"]
    batches = [f"_raw/date=2026-11-{day}/batch={batch}" for day in (24, 25) for batch in range(9)]
    raw = [f"{batch}/{queue}" for batch in batches for queue in "xy"]
    deep = [f"_staged/batch=1/slices/{number:02}" for number in range(40)]
    for key in (*hours, *raw, *deep, "_staged/batch=1/z"):
        bucket.put(key, b"", etag=None)
    bucket_store.requests()

    assert [path.key_in(lake) for path in lake.find("year=*/month=*/day=*/hour=*/a.parquet")] == hours[::2]
    assert len(bucket_store.requests()) == 2, "two pages of hours, and none of raw batches"
    assert [path.name for path in lake.find("_raw/date=2026-11-25/batch=8/*")] == ["x", "y"]
    assert len(bucket_store.requests()) == 1
    assert [path.name for path in lake.folders("_raw/date=*")] == ["date=2026-11-24", "date=2026-11-25"]
    assert len(bucket_store.requests()) == 2, "one for the folder, one for those in it"
    assert [path.name for path in lake.folders("*")] == ["_raw", "_staged", "year=2026"]
    assert lake.find("*") == []
    assert len(bucket_store.requests()) == 2, "whatever lies below"
    assert len((lake / "_raw").find("date=*/batch=3/*")) == 4
    assert len(bucket_store.requests()) <= 36 / 5 + 1
    assert [path.name for path in (lake / "_staged").find("batch=*/z")] == ["z"]
    assert len(bucket_store.requests()) == 2, "forty keys that lie too deep are jumped over"


def test_a_lake_is_put_at_rest_in_requests_for_the_steps_at_work_alone(
    bucket_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = bucket_store.lake(tmp_path / "lake")
    batches = [f"20261125T{number:06}Z" for number in range(40)]
    for batch in batches:
        with lock_path(lake, batch).lock():
            pass

    def asked() -> int:
        """How many requests one look takes that finds a step at work."""
        with lock_path(lake, batches[7]).lock():
            bucket_store.requests()
            with pytest.raises(LockTaken, match=f"batch-{batches[7]}.lock is locked"), at_rest(lake, 0):
                pass
            return len(bucket_store.requests())

    constant = asked() - 40 // 5
    assert constant < 15, "a page for each five of the locks that were let go, and none for each of them"
    locks_folder(lake).forget_locks()
    assert asked() == constant + 40 // 5, "they were let go just now"
    monkeypatch.setattr(locks, "FORGOTTEN_S", -1)
    with lock_path(lake, batches[9]).lock():
        locks_folder(lake).forget_locks()
        assert lock_path(lake, batches[9]).is_locked()
    left = [path.name for path in locks_folder(lake).find("batch-*.lock")]
    assert left == [f"batch-{batches[9]}.lock"]
    assert asked() == constant + 1, "one page for the two that are there now"


def test_a_parquet_file_is_read_in_ranges(bucket_store: ObjectStore, tmp_path: Path) -> None:
    path = bucket_store.lake(tmp_path / "lake") / "year=2026/posts.parquet"
    rows = pa.table({"a": pa.array(range(1_000_000)), "b": pa.array(range(1_000_000))})
    with path.replacing() as draft:
        pq.write_table(rows, draft, row_group_size=100_000, compression="none", use_dictionary=False)
    bucket_store.requests()
    assert parquet.footer(path).num_rows == 1_000_000
    assert len(bucket_store.requests()) == 1, "the footer comes with the size"
    with parquet.opened(path) as source:
        assert source.read_row_group(3).slice(0, 2).to_pylist() == [
            {"a": 300_000, "b": 300_000},
            {"a": 300_001, "b": 300_001},
        ]
    assert len(bucket_store.requests()) <= 4
    with parquet.opened(path) as source:
        assert source.read() == rows
    assert len(bucket_store.requests()) <= 12, "reading on brings more at a time"


def test_a_file_that_is_replaced_while_it_is_read_is_an_error(bucket_store: ObjectStore, tmp_path: Path) -> None:
    path = bucket_store.lake(tmp_path / "lake") / "file"
    path.write(b"1" * 300_000)
    with path.reading() as stream:
        assert stream.read(10) == b"1" * 10
        path.write(b"2" * 300_000)
        with pytest.raises(OSError, match="was replaced while it was read"):
            stream.read()


def test_the_same_address_opens_the_lake_with_arrow(bucket_store: ObjectStore) -> None:
    lake = bucket_store.lake(Path("/arrow"))
    (lake / "year=2026/file").write(b"x")
    address = f"s3://{lake.place}?region=us-east-1&scheme=http&endpoint_override={bucket_store.url[7:]}"
    system, root = pafs.FileSystem.from_uri(address.replace("s3://s3://", "s3://"))
    [found] = system.get_file_info(pafs.FileSelector(f"{root}/year=2026"))
    assert found.path == "lakes/arrow/year=2026/file" and found.size == 1
