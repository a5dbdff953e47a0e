"""clickhouse-connect as an analyst uses it: external data, temporary tables, the async client, SQLAlchemy."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

import clickhouse_connect
import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.external import ExternalData

from clickhouse_http import EndpointProcess
from tests.support.endpoint import ANALYST

from .conftest import address

NAMES = "SELECT name FROM posts WHERE id IN ids ORDER BY id"


def _options(endpoint: EndpointProcess) -> dict[str, object]:
    host, port = address(endpoint)
    return {"host": host, "port": port, "username": ANALYST[0], "password": ANALYST[1]}


@pytest.fixture
def client(endpoint: EndpointProcess) -> Iterator[Client]:
    made = clickhouse_connect.get_client(**_options(endpoint))  # type: ignore[arg-type]
    yield made
    made.close()


@pytest.fixture
def ids() -> ExternalData:
    data = ExternalData(file_name="ids.csv", data=b"1\n2\n", fmt="CSV", structure="id UInt64")
    data.add_file(file_name="more.tsv", data=b"5\ta\n", types=["UInt64", "LowCardinality(String)"])
    return data


def test_the_default_database_needs_no_name(client: Client) -> None:
    assert client.command("SELECT currentDatabase()") == "firehose"
    assert client.query("SELECT count() FROM posts").result_rows == [(1000,)]


def test_external_data_by_every_kind_of_query(client: Client, ids: ExternalData) -> None:
    assert client.query(NAMES, external_data=ids).result_rows == [("1",), ("2",)]
    assert client.query("SELECT * FROM more", external_data=ids).result_rows == [(5, "a")]
    frame = client.query_df(f"SELECT * FROM ({NAMES}) WHERE name != {{no:String}}", {"no": "1"}, external_data=ids)
    assert frame["name"].tolist() == ["2"]
    assert client.query_arrow(NAMES, external_data=ids)["name"].to_pylist() == ["1", "2"]
    assert client.raw_query("SELECT count() FROM ids", external_data=ids) == b"2\n"
    assert client.command("SELECT count() FROM ids", external_data=ids) == 2


def test_external_data_beside_parameters_of_a_form(endpoint: EndpointProcess, ids: ExternalData) -> None:
    client = clickhouse_connect.get_client(**_options(endpoint), form_encode_query_params=True)  # type: ignore[arg-type]
    query = "SELECT {x:String}, count() FROM ids"
    assert client.query(query, {"x": "y" * 100_000}, external_data=ids).result_rows == [("y" * 100_000, 2)]
    client.close()


def test_a_large_external_table_is_joined(client: Client) -> None:
    """Larger than a statement may be."""
    rows = b"".join(b"%d\tsome text that makes the row longer\n" % number for number in range(600_000))
    assert len(rows) > 16 * 1024 * 1024
    data = ExternalData(file_name="many", data=rows, structure="id UInt64, note String")
    assert client.query("SELECT count() FROM posts JOIN many USING id", external_data=data).result_rows == [
        (1000,)
    ]


def test_a_temporary_table_is_filled_in_every_way_and_joined(client: Client, ids: ExternalData) -> None:
    client.command("CREATE TEMPORARY TABLE mine (id UInt64, note String)")
    assert client.insert("mine", [[1, "a"], [2, "b"]], column_names=["id", "note"]).written_rows == 2
    client.insert_df("mine", pd.DataFrame({"id": [3], "note": ["c"]}))
    client.insert_arrow("mine", pa.table({"id": pa.array([4], pa.uint64()), "note": ["d"]}))
    client.command("INSERT INTO mine SELECT id, 'e' FROM ids", external_data=ids)
    client.command("INSERT INTO mine VALUES (7, 'it''s')")
    rows = client.query("SELECT id, note, name FROM mine JOIN posts USING id ORDER BY id, note").result_rows
    expected = [(1, "a"), (1, "e"), (2, "b"), (2, "e"), (3, "c"), (4, "d"), (7, "it's")]
    assert rows == [(*row, str(row[0])) for row in expected]
    with client.query_arrow_stream("SELECT * FROM mine") as batches:
        assert sum(batch.num_rows for batch in batches) == 7
    client.command("DROP TABLE mine")
    assert client.query("SHOW TEMPORARY TABLES").result_rows == []


def test_the_async_client(endpoint: EndpointProcess, ids: ExternalData) -> None:
    async def work() -> None:
        options = {**_options(endpoint), "session_id": "async"}  # it makes none of its own
        client = await clickhouse_connect.get_async_client(**options)  # type: ignore[arg-type]
        try:
            assert (await client.query(NAMES, external_data=ids)).result_rows == [("1",), ("2",)]
            await client.command("CREATE TEMPORARY TABLE mine (id UInt64)")
            await client.insert("mine", [[3]], column_names=["id"])
            frame = await client.query_df("SELECT name FROM posts JOIN mine USING id")
            assert frame["name"].tolist() == ["3"]
        finally:
            await client.close()

    asyncio.run(work())


@pytest.mark.parametrize("database", ["", "/firehose", "/default"])
def test_sqlalchemy_as_superset_uses_it(endpoint: EndpointProcess, database: str) -> None:
    host, port = address(endpoint)
    engine = sa.create_engine(f"clickhousedb://{ANALYST[0]}:{ANALYST[1]}@{host}:{port}{database}")
    looked = sa.inspect(engine)
    assert {"firehose", "ops"} <= set(looked.get_schema_names())
    assert looked.get_table_names("firehose") == ["events", "posts"]
    assert looked.get_view_names("firehose") == ["posts"]
    assert [column["name"] for column in looked.get_columns("posts", "firehose")] == ["id", "name", "at"]
    posts = sa.Table("posts", sa.MetaData(), schema="firehose", autoload_with=engine)
    with engine.connect() as connection:
        count = connection.execute(sa.select(sa.func.count()).select_from(posts).where(posts.c.id < 10)).scalar()
        bound = connection.execute(sa.text("SELECT name FROM posts WHERE id = :id"), {"id": 3}).fetchall()
    assert (count, [tuple(row) for row in bound]) == (10, [("3",)])
    assert len(pd.read_sql("SELECT * FROM posts LIMIT 5", engine)) == 5
    engine.dispose()


#: What DBeaver, Grafana, Metabase and Superset ask before anything else.
METADATA = [
    "SELECT version(), timezone(), currentUser(), currentDatabase(), displayName()",
    "SELECT name FROM system.databases ORDER BY name",
    "SELECT name, engine, comment, total_rows, is_temporary FROM system.tables WHERE database = 'firehose'",
    "SELECT name, type, default_kind, comment, position FROM system.columns WHERE database = 'firehose'",
    "SELECT t.name, c.name FROM system.tables AS t JOIN system.columns AS c "
    "ON t.database = c.database AND t.name = c.table WHERE t.database = 'firehose'",
    "SELECT name, value, changed, readonly FROM system.settings",
    "SELECT name, is_aggregate, case_insensitive, alias_to FROM system.functions",
    "SELECT keyword FROM system.keywords",
    "SELECT name, case_insensitive, alias_to FROM system.data_type_families",
    "SELECT name FROM system.formats WHERE is_output",
    "SELECT name FROM system.table_engines",
    "SELECT name FROM system.table_functions",
    "SELECT time_zone FROM system.time_zones",
    "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema = 'firehose'",
    "SELECT column_name, data_type FROM INFORMATION_SCHEMA.COLUMNS WHERE table_name = 'posts'",
]


@pytest.mark.parametrize("query", METADATA)
def test_what_clients_ask_for_their_menus(client: Client, query: str) -> None:
    rows = list(itertools.islice(client.query(query).result_rows, 10))
    assert rows
