"""A file of the lake is gone: the summaries leave what they have, and an analyst sees what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from devstack.embedded import clickhouse as endpoint
from devstack.embedded.redis import free_port
from firehose import schema
from firehose.batch.interval import Batch
from firehose.errors import LakeChanged
from firehose.lake.ledger import read_ledger
from firehose.lake.publish import publish
from firehose.lake.rebuild import rebuild
from firehose.settings import Settings
from firehose.warehouse.client import connect
from firehose.warehouse.cookbook import recipes
from firehose.warehouse.migrate import migrate
from firehose.warehouse.summaries import refresh
from tests.security.lake.lakes import EDGE_HOUR
from tests.security.lake.spoil import gone, likes


@pytest.fixture
def served(settings: Settings) -> Iterator[Settings]:
    """The lake behind the real engine, migrated and loaded."""
    ready = msgspec.structs.replace(
        settings,
        clickhouse_url=f"http://127.0.0.1:{free_port()}",
        clickhouse_loader_password="loads",
        clickhouse_analyst_password="reads",
    )
    with endpoint.start(ready):
        with closing(connect(ready)) as client:
            migrate(client, ready)
        refresh(ready)
        yield ready


def missing(analyst: Client) -> dict[str, int]:
    """What the cookbook's accounting says is missing, by type."""
    accounting = next(recipe for recipe in recipes() if recipe.name.endswith("accounting"))
    found = analyst.query(accounting.sql)
    assert {row[found.column_names.index("unaccounted")] for row in found.result_rows} == {0}
    return {row[0]: row[-1] for row in found.result_rows if row[-1]}


def of_hours(analyst: Client) -> list[tuple[object, ...]]:
    """Events by hour and type in the summaries."""
    query = (
        "SELECT toStartOfHour(minute), type, sum(events) FROM firehose.events_by_minute GROUP BY ALL ORDER BY ALL"
    )
    return [tuple(row) for row in analyst.query(query).result_rows]


def test_the_summaries_keep_what_they_have_and_the_accounting_shows_what_is_missing(
    served: Settings, batches: list[Batch]
) -> None:
    with closing(connect(served, "analyst")) as analyst:
        assert missing(analyst) == {}
        publish(served, batches[2])
        assert missing(analyst) == {}, "rows that are not loaded yet are not missing"
        before = of_hours(analyst)
        of_likes = "SELECT sum(rows) FROM ops.hours FINAL WHERE type = 'likes'"
        stolen = analyst.command(f"{of_likes} AND hour = {EDGE_HOUR * 3600}")
        assert analyst.command(f"{of_likes} AND hour != {EDGE_HOUR * 3600}"), "there are others"
        gone(likes(served))
        assert missing(analyst) == {"likes": stolen}
        with pytest.raises(LakeChanged, match=r"likes: .* missing; 1 batches that wrote there are not loaded"):
            refresh(served)
        assert of_hours(analyst) == before
        loaded = analyst.query("SELECT id FROM ops.batches FINAL").result_rows
        assert batches[2].id not in [name for (name,) in loaded]
        with pytest.raises(LakeChanged):
            refresh(served)  # until it is made again

        rebuild(served.lake_path, schema.LIKES, [EDGE_HOUR], reason="")
        result = refresh(served)
        assert set(result.batches) == {entry.batch for entry in read_ledger(served.lake_path)}
        assert missing(analyst) == {}
        rows = analyst.query("SELECT type, count() FROM firehose.events GROUP BY type").result_rows
        summed = analyst.query("SELECT type, sum(events) FROM firehose.events_by_minute GROUP BY type").result_rows
        assert dict(map(tuple, rows)) == dict(map(tuple, summed))
