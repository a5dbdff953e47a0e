"""clickhouse-connect, as the pipeline and analysts use it."""

from __future__ import annotations

import datetime
import uuid

import pandas as pd
import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError

from clickhouse_http import EndpointProcess
from tests.support.endpoint import ANALYST, LOADER

from .conftest import connect


@pytest.fixture
def table(client: Client) -> str:
    name = f"firehose.t_{uuid.uuid4().hex}"
    client.command(f"CREATE TABLE {name} (id UInt64, at DateTime64(6), tags Array(String), note Nullable(String)) "
                   "ENGINE = MergeTree ORDER BY id")  # fmt: skip
    return name


ROWS = [
    [1, datetime.datetime(2026, 11, 23, 12, 0, 0, 5), ["a", "b's"], None],
    [2, datetime.datetime(2026, 11, 23, 12, 0, 1), [], "tab\t newline\n ünï\0"],
]


def test_rows_go_in_and_come_out(client: Client, table: str) -> None:
    summary = client.insert(table, ROWS, column_names=["id", "at", "tags", "note"])
    assert summary.written_rows == 2
    assert [list(row) for row in client.query(f"SELECT * FROM {table} ORDER BY id").result_rows] == ROWS


@pytest.mark.parametrize("method", ["lz4", "zstd", "gzip", False])
def test_compression_both_ways(endpoint: EndpointProcess, table: str, method: str | bool) -> None:
    client = connect(endpoint.url, LOADER, compress=method)
    client.insert(table, ROWS * 5000, column_names=["id", "at", "tags", "note"])
    result = client.query(f"SELECT * FROM {table} ORDER BY id")
    assert len(result.result_rows) == 10_000
    assert list(result.result_rows[-1]) == ROWS[1]


def test_data_frames_and_arrow(client: Client, table: str) -> None:
    frame = pd.DataFrame({"id": range(100_000), "note": [f"n{i}" for i in range(100_000)]})
    client.insert_df(table, frame)
    client.insert_arrow(table, pa.table({"id": pa.array([100_000], pa.uint64()), "note": ["last"]}))
    back = client.query_df(f"SELECT id, note FROM {table} ORDER BY id")
    assert back["note"].iloc[-1] == "last"
    arrow = client.query_arrow(f"SELECT id, note FROM {table}")
    assert arrow.num_rows == 100_001
    with client.query_arrow_stream(f"SELECT id, note FROM {table}") as batches:
        assert sum(batch.num_rows for batch in batches) == 100_001


def test_parameters_settings_and_commands(client: Client) -> None:
    query = "SELECT name FROM firehose.events WHERE id IN {ids:Array(UInt64)} AND name != {not:String} ORDER BY id"
    assert client.query(query, parameters={"ids": [1, 2], "not": "o'1"}).result_rows == [("1",), ("2",)]
    setting = client.query("SELECT getSetting('max_threads')", settings={"max_threads": 3})
    assert setting.result_rows == [(3,)]
    assert client.command("SELECT count() FROM firehose.events") == 1000
    assert client.ping()


def test_streams(client: Client) -> None:
    with client.query_row_block_stream("SELECT number, toString(number) FROM numbers(500000)") as blocks:
        assert sum(len(block) for block in blocks) == 500_000
    with client.query_df_stream("SELECT number FROM numbers(500000)") as frames:
        assert sum(len(frame) for frame in frames) == 500_000


def test_raw_query_and_insert(client: Client, table: str) -> None:
    client.raw_insert(table, column_names=["id", "note"], insert_block=b"7,seven\n8,eight\n", fmt="CSV")
    assert client.raw_query(f"SELECT id, note FROM {table} ORDER BY id", fmt="CSV") == b'7,"seven"\n8,"eight"\n'


def test_the_query_may_travel_as_a_form(endpoint: EndpointProcess) -> None:
    client = connect(endpoint.url, LOADER, form_encode_query_params=True)
    assert client.query("SELECT {x:String}", parameters={"x": "y" * 100_000}).result_rows == [("y" * 100_000,)]


def test_errors_carry_code_and_text(client: Client) -> None:
    with pytest.raises(DatabaseError, match=r"Code: 60\..*UNKNOWN_TABLE"):
        client.query("SELECT * FROM firehose.nope")
    with pytest.raises(DatabaseError, match=r"Code: 27\.|Code: 6\.|Code: 117\.|Code: 72\."):
        client.raw_insert("firehose.events", insert_block=b"not a number,x\n", fmt="CSV")


def test_an_error_in_the_middle_of_a_stream_is_raised(client: Client) -> None:
    query = "SELECT throwIf(number = 190000, 'too late') FROM numbers(200000) SETTINGS max_block_size = 1000"
    with (
        pytest.raises((StreamFailureError, DatabaseError), match="too late"),
        client.query_rows_stream(query) as rows,
    ):
        for _ in rows:
            pass


def test_a_wrong_password_is_refused(endpoint: EndpointProcess) -> None:
    with pytest.raises(DatabaseError, match=r"Code: 516\."):
        connect(endpoint.url, ("loader", "wrong"))


def test_the_analyst_reads_views_over_the_lake(endpoint: EndpointProcess) -> None:
    analyst = connect(endpoint.url, ANALYST)
    assert analyst.query("SELECT did, hour FROM firehose.likes WHERE day = 23 ORDER BY did").result_rows == [
        ("did:plc:a", 0),
        ("did:plc:b", 0),
    ]
    assert analyst.query_df("SELECT count() AS n FROM firehose.likes")["n"].tolist() == [2]
    with pytest.raises(DatabaseError, match="READONLY"):
        analyst.insert(
            "firehose.events", [[1, "x"]], column_names=["id", "name"], column_type_names=["UInt64", "String"]
        )
    with pytest.raises(DatabaseError, match="READONLY"):
        analyst.command("DROP TABLE firehose.events")
