"""FORMAT Native for clients that name a protocol version, such as clickhouse-go and with it Grafana.

Read by clickhouse-driver, which knows the same framing from the TCP protocol.
"""

from __future__ import annotations

import datetime
import io
from typing import Any

import httpx
import pytest
from clickhouse_driver.bufferedreader import CompressedBufferedReader  # type: ignore[import-untyped]
from clickhouse_driver.connection import ServerInfo  # type: ignore[import-untyped]
from clickhouse_driver.context import Context  # type: ignore[import-untyped]
from clickhouse_driver.streams.compressed import CompressedBlockInputStream  # type: ignore[import-untyped]
from clickhouse_driver.streams.native import BlockInputStream  # type: ignore[import-untyped]

#: The newest that clickhouse-driver knows, and one with the newer field of a block's head.
DRIVER = 54468
NEWER = 54485
ROWS = 5000  # three blocks
HELLO = "SELECT displayName(), version(), revision(), timezone()"


def columns(body: bytes, revision: int, *, packed: bool = False) -> tuple[list[str], list[list[Any]]]:
    """Names, and the values of each column of all blocks."""
    source = io.BytesIO(body)
    context = Context()
    context.server_info = ServerInfo("", 26, 9, 0, revision, "UTC", "", revision)
    context.settings, context.client_settings = {}, {"use_numpy": False, "strings_as_bytes": False}
    context.client_settings = {
        **context.client_settings,
        "strings_encoding": "utf-8",
        "input_format_null_as_default": 0,
    }
    reader = CompressedBufferedReader(lambda: source.read(65536), 1)
    stream = (CompressedBlockInputStream if packed else BlockInputStream)(reader, context)
    names: list[str] = []
    values: list[list[Any]] = []
    while True:
        try:
            block = stream.read()
        except EOFError:
            return names, values
        names = [name for name, _ in block.columns_with_types]
        values = values or [[] for _ in names]
        for known, more in zip(values, block.get_columns(), strict=True):
            known.extend(more)


def go(**parameters: str) -> dict[str, str]:
    """What clickhouse-go has in every URL."""
    return {"default_format": "Native", "client_protocol_version": str(DRIVER), **parameters}


def test_the_hello_of_clickhouse_go(analyst: httpx.Client) -> None:
    answer = analyst.post("/", params=go(database="firehose"), content=HELLO)
    assert answer.status_code == 200, answer.text
    _, ((name,), (version,), (revision,), (zone,)) = columns(answer.content, DRIVER)
    assert name and version.startswith("26.") and zone == "UTC"
    # From then on it reads by this number, which must know of the byte behind a column's type.
    assert revision >= 54454


def test_its_ping_and_its_compressed_hello(analyst: httpx.Client) -> None:
    names, values = columns(analyst.post("/", params=go(), content="SELECT 1").content, DRIVER)
    assert (names, values) == (["1"], [[1]])
    packed = analyst.post("/", params=go(compress="1"), content=HELLO)
    assert columns(packed.content, DRIVER, packed=True)[1][3] == ["UTC"]


EVERYTHING = f"""
SELECT number AS n, toString(number) AS s, if(n % 3 = 0, NULL, s) AS maybe, toFixedString('abc', 3) AS f,
  arrayMap(x -> toString(x), range(n % 4)) AS strings, [[n], []] AS deep, map('k', n) AS m, (n, s, [s]) AS t,
  CAST(s, 'LowCardinality(String)') AS lc, CAST(maybe, 'LowCardinality(Nullable(String))') AS lcn,
  [CAST(toString(n % 7), 'LowCardinality(String)')] AS lca, toDateTime(n, 'UTC') AS dt, toDate(n % 1000) AS d,
  toDecimal128(n, 3) AS dec, CAST(n % 2 + 1, 'Enum8(\\'a, )\\' = 1, \\'b\\' = 2)') AS e, n % 2 = 0 AS b,
  toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0') AS u, toIPv6('::1') AS ip, (1., 2.)::Point AS p,
  repeat('x', 200) AS long, CAST((n, s), 'Tuple(`a b` UInt64, c String)') AS named, [] AS nothing
FROM numbers({ROWS}) SETTINGS max_block_size = 2000, max_threads = 1
"""


def test_every_type_is_read_as_it_was_written(loader: httpx.Client) -> None:
    content = loader.post("/", params=go(), content=EVERYTHING).content
    names, values = columns(content, DRIVER)
    row = dict(zip(names, (column[7] for column in values), strict=True))
    assert all(len(column) == ROWS for column in values)
    assert row["n"] == 7 and row["s"] == row["maybe"] == row["lc"] == row["lcn"] == "7"
    assert (row["strings"], row["deep"], row["m"]) == (["0", "1", "2"], [[7], []], {"k": 7})
    assert (row["t"], row["lca"], row["named"]) == ((7, "7", ["7"]), ["0"], (7, "7"))
    assert row["dt"].replace(tzinfo=None) == datetime.datetime(1970, 1, 1, 0, 0, 7)
    assert (row["e"], row["b"], row["nothing"]) == ("b", False, [])
    assert values[names.index("maybe")][9] is None
    plain = loader.post("/", params={"default_format": "Native"}, content=EVERYTHING).content
    assert columns(plain, 0) == (names, values)


EXPRESSIONS = {
    "variant": "multiIf(number % 3 = 0, NULL, number % 2, number, [toString(number)])"
    "::Variant(UInt64, Array(String))",
    "dynamic": "multiIf(number % 3 = 0, NULL, number % 2, number::Dynamic, [toString(number)]::Dynamic)",
    "json": '(\'{"a": \' || toString(number) || \', "b c": {"d": [1, 2.5]}}\')::JSON(e Array(String))',
    "jsons": "[('{\"a\": ' || toString(number) || '}')::JSON]",
    "points": "[[(0., 1.), (2., 3.)]]::Polygon",
    "interval": "toIntervalDay(number)",
    "big": "toInt256(number)",
    "decimal": "[toDecimal256(number, 50), toDecimal32(1, 2)]",
    "time": "toDateTime64(number, 6, 'Asia/Tokyo')",
    "nothing": "NULL",
    "empty": "tuple()",
    "maps": "map(CAST('a', 'LowCardinality(String)'), map(number, [(number, 'x')]))",
    "no_rows": "CAST([], 'Array(LowCardinality(String))')",
    "nested": "CAST([(number, 'x')], 'Nested(a UInt64, `b, (` String)')",
    "state": "CAST(number, 'SimpleAggregateFunction(sum, UInt64)')",
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_a_column_ends_where_it_does(loader: httpx.Client, name: str) -> None:
    """Against the same answer without a version, taken apart at the columns' names, which are in no value."""
    query = f"SELECT number AS before, {EXPRESSIONS[name]} AS `the column`, 'last' AS after FROM numbers(100)"
    plain = loader.post("/", params={"default_format": "Native"}, content=query)
    assert plain.status_code == 200, plain.text
    framed = loader.post("/", params=go(client_protocol_version=str(NEWER)), content=query)
    assert framed.status_code == 200, framed.text
    expected = b"\x01\x00\x02\xff\xff\xff\xff\x03\x00\x00" + plain.content
    for column in (b"before", b"the column", b"after"):
        head, name_, rest = expected.partition(bytes([len(column)]) + column)
        size = rest[0] if rest[0] < 128 else (rest[0] & 127) + 128 * rest[1]
        end = size + (1 if rest[0] < 128 else 2)
        expected = head + name_ + rest[:end] + b"\x00" + rest[end:]
    assert framed.content == expected


@pytest.mark.parametrize("statement", ["SHOW DATABASES", "DESCRIBE firehose.events", "EXPLAIN SELECT 1"])
def test_answers_that_do_not_stream_are_framed_too(analyst: httpx.Client, statement: str) -> None:
    answer = analyst.post("/", params=go(), content=statement)
    assert answer.status_code == 200, answer.text
    assert columns(answer.content, DRIVER)[1][0]


@pytest.mark.parametrize("statement", ["SHOW DATABASES FORMAT CSV", "DESCRIBE firehose.events FORMAT CSV"])
def test_another_format_than_native_is_left_as_it_is(analyst: httpx.Client, statement: str) -> None:
    with_version = analyst.post("/", params=go(), content=statement)
    assert with_version.status_code == 200, with_version.text
    assert with_version.content == analyst.post("/", content=statement).content


def test_what_cannot_be_framed_is_one_error(analyst: httpx.Client) -> None:
    states = analyst.post("/", params=go(), content="SELECT sumState(number) AS a, 1 FROM numbers(10)")
    assert states.headers["x-clickhouse-exception-code"] == "48", states.text
    assert "AggregateFunction" in states.text
    bad = analyst.post("/", params=go(client_protocol_version="-1"), content="SELECT 1")
    assert bad.headers["x-clickhouse-exception-code"] == "36"


def test_native_data_of_a_version_is_inserted_as_without_one(loader: httpx.Client) -> None:
    """clickhouse-go names a version in the URL of an INSERT, and sends blocks without one."""
    loader.post("/", content="CREATE TABLE firehose.from_go (n UInt64, s String) ENGINE = MergeTree ORDER BY n")
    rows = loader.post("/", content="SELECT number AS n, toString(n) AS s FROM numbers(10) FORMAT Native").content
    done = loader.post("/", params=go(query="INSERT INTO firehose.from_go FORMAT Native"), content=rows)
    assert done.status_code == 200, done.text
    assert loader.post("/", content="SELECT count(), max(s) FROM firehose.from_go").text == "10\t9\n"
    loader.post("/", content="DROP TABLE firehose.from_go")
