"""An object store that refuses, fails or goes away: a bounded number of attempts, one line, nothing lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
import redis

from firehose.batch import manifest as manifests
from firehose.batch.drain import drain
from firehose.errors import StoreAway, StoreRefused
from firehose.settings import Settings, SettingsError, checked
from firehose.store import ObjectLake, Place
from firehose.store.objects import connection
from ingester.contract import wire
from jetstream_simulator import generate
from tests.support import frames
from tests.support.frames import minutes
from tests.support.object_store import ObjectStore, object_store


def test_an_answer_that_fails_is_asked_for_again_and_then_one_line(
    bucket_store: ObjectStore, tmp_path: Path
) -> None:
    path = bucket_store.lake(tmp_path / "lake") / "file"
    path.write(b"old")
    before = bucket_store.failed()
    for status in (503, 500, 0):
        bucket_store.fail(status, 1, containing="/file")
        assert path.read_bytes() == b"old"
        bucket_store.fail(status, 1, containing="/sessions/")
        path.write(b"old")
    assert bucket_store.failed() == before + 6
    bucket_store.fail(503, 99, containing="/file")
    with pytest.raises(StoreAway, match=r"^s3://[^\n]*/file: cannot read: the object store answers 503[^\n]*$"):
        path.read_bytes()
    assert bucket_store.failed() == before + 8, "AWS_MAX_ATTEMPTS"
    with pytest.raises(StoreAway, match="cannot write"):
        path.write(b"new")
    bucket_store.fail(0, 0)
    assert path.read_bytes() == b"old"


def test_what_is_refused_is_one_line_that_says_what_to_do(
    bucket_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bucket_store.lake(tmp_path / "lake") / "file"
    bucket_store.fail(403, 1, containing="/file")
    with pytest.raises(
        StoreRefused, match=r"^[^\n]*/file: cannot read: [^\n]*refuses it \(403[^\n]*rights[^\n]*$"
    ):
        path.read_bytes()
    other = ObjectLake(path.place._replace(bucket="no-such-bucket"), path.spool)
    tries: list[Callable[[], object]] = [
        (other / "x").exists, (other / "x").read_bytes, lambda: other.find("*"), lambda: (other / "x").write(b""),
    ]  # fmt: skip
    for attempt in tries:
        with pytest.raises(StoreRefused, match=r"^s3://no-such-bucket/[^\n]*there is no such bucket[^\n]*$"):
            attempt()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(connection, "_description", boto3.session.Session)  # not the one that knew them
    anonymous = ObjectLake(path.place._replace(prefix="anonymous"), path.spool)
    with pytest.raises(StoreRefused, match=r"^[^\n]*no credentials; set AWS_ACCESS_KEY_ID[^\n]*$"):
        (anonymous / "x").read_bytes()


@pytest.mark.parametrize(
    ("uri", "wrong"),
    [
        ("s3://user:hidden@bucket/lake", "must not hold a login"),
        ("gs://bucket/lake", "gs:// is not offered"),
        ("s3://bucket", "must be s3://BUCKET/PREFIX"),
        ("s3://bucket/year=2026", "must be s3://BUCKET/PREFIX"),
        ("s3://bucket/a/../b", "must be s3://BUCKET/PREFIX"),
        ("s3://bucket/lake?secret_key=hidden", "has the option 'secret_key'"),
        ("s3://bucket/lake?endpoint_override=http://user:hidden@host", "has an endpoint that is not HOST:PORT"),
    ],
)
def test_an_address_that_is_none_is_refused_at_the_start(uri: str, wrong: str) -> None:
    with pytest.raises(SettingsError, match=wrong) as raised:
        checked(Settings(lake=uri))
    assert "hidden@" not in str(raised.value) and "\n" not in str(raised.value)


def test_addresses() -> None:
    place = Place.of("s3://bucket/a/lake?region=eu-central-1")
    assert (str(place), place.url) == ("s3://bucket/a/lake", "https://bucket.s3.eu-central-1.amazonaws.com/a/lake")
    place = Place.of("s3://bucket/lake?endpoint_override=store:9000&scheme=http")
    assert (
        place.url
        == "http://store:9000/bucket/lake"
        == Place.of(f"s3://bucket/lake?endpoint_override={place.endpoint}").url
    )
    remote, local = Settings(lake="s3://bucket/lake"), Settings(lake="/tmp/lake")
    assert remote.lake_folder is None and local.lake_folder == local.local_lake == Path("/tmp/lake")
    assert remote.clickhouse_lake_root == "https://bucket.s3.amazonaws.com/lake"
    with pytest.raises(SettingsError, match="needs a lake in a folder"):
        _ = remote.local_lake


def test_a_drain_deletes_nothing_until_the_store_has_it(
    redis_url: str, redis_client: redis.Redis, bucket_store: ObjectStore, free_port: int, tmp_path: Path
) -> None:
    batch = minutes(1)[0]
    lines = list(generate.events(60, seed=3))
    frames.fill(redis_client, lines, batch)

    def at(store: ObjectStore) -> Settings:
        return Settings(home=str(tmp_path), lake=store.uri("drained"), redis_url=redis_url)

    def waiting() -> int:
        return sum(redis_client.xlen(wire.stream_key(queue)) for queue in wire.QUEUES)

    there = waiting()
    for point in ("batch-", "/likes.jsonl", "manifest.json"):
        bucket_store.fail(0, 99, containing=point)
        before = bucket_store.failed()
        with pytest.raises(StoreAway, match=r"^[^\n]*does not answer[^\n]*$"):
            drain(at(bucket_store), batch)
        assert bucket_store.failed() > before and waiting() == there, "nothing has left Redis"
        bucket_store.fail(0, 0)
    with object_store(free_port) as gone:
        settings = at(gone)
    with pytest.raises(StoreAway):
        drain(settings, batch)
    assert waiting() == there
    settings = at(bucket_store)
    assert drain(settings, batch).events == len(lines) and not waiting()
    manifest = manifests.read(manifests.folder_of(settings.lake_path, batch))
    assert manifest is not None and manifest.events == len(lines)
