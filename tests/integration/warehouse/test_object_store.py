"""ClickHouse's views over a lake in an object store: the rows that they show over a folder, and no secret."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from devstack.embedded import clickhouse
from devstack.embedded.redis import free_port
from firehose.errors import FirehoseError
from firehose.settings import Settings
from firehose.store import LocalLake
from firehose.warehouse.client import clickhouse_errors, connect
from firehose.warehouse.migrate import migrate
from firehose.warehouse.summaries import refresh
from tests.integration.warehouse.lakes import LakeBuilder
from tests.support.object_store import ENVIRONMENT, ObjectStore


@pytest.fixture
def stored(
    settings: Settings, small_lake: LakeBuilder, bucket_store: ObjectStore, tmp_path: Path
) -> Iterator[Settings]:
    """The settings of an endpoint over a copy of the small lake in an object store."""
    url = f"http://127.0.0.1:{free_port()}"
    uri = bucket_store.uri("warehouse")
    stored = msgspec.structs.replace(settings, home=str(tmp_path), lake=uri, clickhouse_url=url)
    local = LocalLake(small_lake.root)
    for path in (*local.find("year=*/*/*/*/*.parquet"), *local.find("_*/*/*.json"), *local.find("_*/*/*/*.json")):
        (stored.lake_path / path.key_in(local)).write(path.read_bytes())
    with clickhouse.start(stored):
        yield stored


def test_views_over_an_object_store_show_what_they_show_over_a_folder(
    client: Client, stored: Settings, bucket_store: ObjectStore
) -> None:
    with closing(connect(stored)) as loader:
        migrate(loader, stored)
        assert not migrate(loader, stored).views, "the text of a view is the same each time"
        bucket_store.requests()
        for name in ("posts", "likes", "events"):  # of one type, of one without the catch-all's rows, and of all
            digest = f"SELECT count(), groupBitXor(cityHash64(*)) FROM firehose.{name}"
            assert loader.query(digest).result_rows == client.query(digest).result_rows, name
        assert not [asked for asked in bucket_store.requests() if asked.startswith("unsigned")]
        hours = loader.query(
            "SELECT hour, sum(time_us) FROM firehose.likes GROUP BY hour ORDER BY hour"
        ).result_rows
        bucket_store.requests()
        hour, expected = hours[0]
        of_hour = f"SELECT sum(time_us) FROM firehose.likes WHERE hour = {hour}"
        assert loader.query(of_hour).result_rows == [(expected,)]
        opened = [asked for asked in bucket_store.requests() if ".parquet" in asked.partition("?")[0]]
        assert len(hours) > 1 and opened and all(f"/hour={hour:02}/" in asked for asked in opened)
        assert refresh(stored).batches and not refresh(stored).batches
        texts = loader.query("SELECT create_table_query FROM system.tables WHERE database = 'firehose'")
        assert texts.result_rows
        assert not [text for (text,) in texts.result_rows if ENVIRONMENT["AWS_SECRET_ACCESS_KEY"] in text]
    with closing(connect(stored, role="analyst")) as analyst:
        assert int(str(analyst.command("SELECT count() FROM firehose.likes"))) > 0
        with pytest.raises(FirehoseError), clickhouse_errors():
            analyst.query(f"SELECT * FROM s3('{stored.clickhouse_lake_root}/_ledger/*/*.json', 'RawBLOB')")
