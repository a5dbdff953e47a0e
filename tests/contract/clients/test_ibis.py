"""ibis as an analyst uses it: tables, expressions, memtables, results as pandas and Arrow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ibis
import pandas as pd
import pytest

from clickhouse_http import EndpointProcess
from tests.support.endpoint import ANALYST

from .conftest import address


@pytest.fixture
def connected(endpoint: EndpointProcess) -> Iterator[Any]:
    """ibis names the database ``default`` where its user names none."""
    host, port = address(endpoint)
    backend = ibis.clickhouse.connect(host=host, port=port, user=ANALYST[0], password=ANALYST[1])
    yield backend
    backend.disconnect()


def test_it_finds_its_way(connected: Any) -> None:
    assert connected.list_tables() == ["events", "posts"]
    assert {"firehose", "ops"} <= set(connected.list_databases())
    assert connected.current_database == "firehose"
    assert list(connected.table("posts").schema()) == ["id", "name", "at"]
    assert connected.table("posts", database="firehose").count().execute() == 1000


def test_expressions(connected: Any) -> None:
    posts = connected.table("posts")
    few = posts.filter(posts.id < 10)
    groups = few.group_by(rest=few.id % 2).agg(n=lambda table: table.count()).order_by("rest").to_pandas()
    assert groups["n"].tolist() == [5, 5]
    ranked = posts.mutate(rank=ibis.row_number().over(order_by=posts.id)).order_by("id").limit(2).to_pandas()
    assert ranked["rank"].tolist() == [0, 1]
    minutes = posts.group_by(minute=posts.at.truncate("m")).agg(n=lambda table: table.count())
    assert minutes.to_pandas()["n"].sum() == 1000
    assert posts.name.nunique().execute() == 1000


def test_results_as_arrow(connected: Any) -> None:
    posts = connected.table("posts")
    assert posts.limit(3).to_pyarrow().num_rows == 3
    assert sum(batch.num_rows for batch in posts.to_pyarrow_batches()) == 1000


def test_memtables_are_joined(connected: Any) -> None:
    posts = connected.table("posts")
    mine = ibis.memtable({"id": [1, 2, 5], "note": ["a", "b", "c"]})
    other = ibis.memtable(pd.DataFrame({"id": [2, 5], "more": [1.5, None]}))
    joined = posts.join(mine, "id").join(other, "id").select("name", "note", "more").order_by("name").to_pandas()
    assert joined["note"].tolist() == ["b", "c"]
    assert joined["more"].isna().tolist() == [False, True]
    assert mine.count().execute() == 3


def test_sql_and_temporary_tables(connected: Any) -> None:
    assert connected.raw_sql("SELECT count() FROM posts").result_rows == [(1000,)]
    query = connected.sql("SELECT count() AS n FROM posts", schema={"n": "int64"})
    assert query.to_pandas()["n"].tolist() == [1000]
    posts = connected.table("posts")
    connected.create_table("few", obj=posts.limit(5), temp=True, engine="Memory")
    assert connected.raw_sql("SELECT count() FROM few").result_rows == [(5,)]
