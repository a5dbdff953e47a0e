"""INSERT with data: in the text, in the body, compressed, large, broken."""

from __future__ import annotations

import gzip
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from clickhouse_http import EndpointProcess
from tests.support.endpoint import LOADER, MEMORY_MIB

ROW_BYTES = 250
BLOCK_ROWS = 20_000
#: Blocks of the large insert.
LARGE = 200


@pytest.fixture
def table(loader: httpx.Client) -> str:
    name = f"firehose.i_{uuid.uuid4().hex}"
    made = loader.post("/", content=f"CREATE TABLE {name} (id UInt64, s String) ENGINE = MergeTree ORDER BY id")
    assert made.status_code == 200
    return name


def rows(loader: httpx.Client, table: str) -> str:
    return loader.post("/", content=f"SELECT * FROM {table} ORDER BY ALL FORMAT CSV").text


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("INSERT INTO {t} FORMAT CSV", "1,a\n2,b\n"),
        ("INSERT INTO {t} (s, id) FORMAT CSV", "a,1\nb,2\n"),
        ("INSERT INTO {t} FORMAT CSV 1,a\n", "2,b\n"),
        ("INSERT INTO {t} VALUES", "(1, 'a'), (2, 'b')"),
        ("INSERT INTO {t}", "(1, 'a'), (2, 'b')"),
        (
            "INSERT INTO {t} SETTINGS max_insert_threads = 1 FORMAT JSONEachRow",
            '{"id":1,"s":"a"}\n{"id":2,"s":"b"}',
        ),
        ("INSERT INTO {t} VALUES (1, 'a'), (1 + 1, lower('B'))", ""),
        ("", "INSERT INTO {t} VALUES (1, 'a'), (1 + 1, lower('B'));"),
        ("", "-- a comment; FORMAT CSV\nINSERT INTO TABLE {t} FORMAT CSV\n1,a\n2,b\n"),
        ("", '/* VALUES */ insert into {t} (`id`, "s") format TabSeparated\n1\ta\n2\tb\n'),
        ("", "INSERT INTO {t} SELECT number + 1, ['a', 'b'][number + 1] FROM numbers(2)"),
        ("", "INSERT INTO {t} (id, s) WITH 1 AS x SELECT x + number, ['a', 'b'][number + 1] FROM numbers(2)"),
        ("", "INSERT INTO {t} FORMAT Values (1, 'a'), (2, 'b')"),
    ],
)
def test_the_data_is_found_wherever_it_is(loader: httpx.Client, table: str, url: str, body: str) -> None:
    parameters = {"query": url.replace("{t}", table)} if url else {}
    response = loader.post("/", params=parameters, content=body.replace("{t}", table))
    assert response.status_code == 200, response.text
    assert rows(loader, table) == '1,"a"\n2,"b"\n'


def test_parameters_in_an_insert(loader: httpx.Client, table: str) -> None:
    parameters = {"param_t": table.split(".")[1], "param_id": "1", "param_s": "o'k", "database": "firehose"}
    values = "INSERT INTO {t:Identifier} VALUES ({id:UInt64}, {s:String})"
    assert loader.post("/", params=parameters, content=values).status_code == 200
    by_body = {**parameters, "query": "INSERT INTO {t:Identifier} FORMAT CSV"}
    assert loader.post("/", params=by_body, content="2,x\n").status_code == 200
    assert rows(loader, table) == '1,"o\'k"\n2,"x"\n'


def test_binary_data_behind_the_statement_in_one_body(loader: httpx.Client, table: str) -> None:
    native = loader.post("/", content="SELECT toUInt64(7) AS id, unhex('FFFE00') AS s FORMAT Native").content
    assert loader.post("/", content=f"INSERT INTO {table} FORMAT Native\n".encode() + native).status_code == 200
    assert loader.post("/", content=f"SELECT id, hex(s) FROM {table}").text == "7\tFFFE00\n"


def test_the_summary_counts_rows(loader: httpx.Client, table: str) -> None:
    response = loader.post("/", params={"query": f"INSERT INTO {table} FORMAT CSV"}, content="1,a\n2,b\n")
    assert '"written_rows": "2"' in response.headers["x-clickhouse-summary"]


def test_a_compressed_insert(loader: httpx.Client, table: str) -> None:
    response = loader.post(
        "/",
        params={"query": f"INSERT INTO {table} FORMAT CSV"},
        content=gzip.compress(b"1,a\n"),
        headers={"Content-Encoding": "gzip"},
    )
    assert response.status_code == 200, response.text
    assert rows(loader, table) == '1,"a"\n'


def _blocks(blocks: int) -> Iterator[bytes]:
    row = b"x" * ROW_BYTES
    for block in range(blocks):
        start = block * BLOCK_ROWS
        yield b"".join(b"%d\t%s\n" % (number, row) for number in range(start, start + BLOCK_ROWS))


def _peak_mib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) // 1024


def _insert_blocks(loader: httpx.Client, table: str, blocks: int) -> int:
    """Insert that many blocks; returns their size in MiB."""
    response = loader.post(
        "/",
        params={"query": f"INSERT INTO {table} FORMAT TabSeparated", "max_execution_time": "60"},
        content=_blocks(blocks),
    )
    assert response.status_code == 200, response.text
    return blocks * BLOCK_ROWS * ROW_BYTES // 2**20


def test_a_large_insert_is_not_held_in_memory(endpoint: EndpointProcess, loader: httpx.Client, table: str) -> None:
    # A small insert first: the engine's own blocks, their sort and compression take some 350 MiB of any insert.
    assert _insert_blocks(loader, table, LARGE // 4) < MEMORY_MIB
    before = _peak_mib(endpoint.pid)
    size_mib = _insert_blocks(loader, table, LARGE)
    assert size_mib > 3 * MEMORY_MIB
    assert _peak_mib(endpoint.pid) - before < size_mib / 2
    assert loader.post("/", content=f"SELECT count(), max(id) FROM {table}").text == (
        f"{(LARGE + LARGE // 4) * BLOCK_ROWS}\t{LARGE * BLOCK_ROWS - 1}\n"
    )


def test_a_bad_row_is_an_error_of_clickhouse(loader: httpx.Client, table: str) -> None:
    response = loader.post("/", params={"query": f"INSERT INTO {table} FORMAT CSV"}, content="1,a\nnot,a,row\n")
    assert response.status_code == 400
    assert response.text.startswith("Code: 27.")
    unknown = loader.post("/", params={"query": "INSERT INTO firehose.nope FORMAT CSV"}, content="1,a\n")
    assert (unknown.status_code, unknown.headers["x-clickhouse-exception-code"]) == (404, "60")


def test_a_client_that_breaks_off_inserts_nothing(endpoint: EndpointProcess, table: str) -> None:
    def broken() -> Iterator[bytes]:
        yield b"1,a\n" * 100_000
        raise ConnectionError("the client dies")

    with httpx.Client(base_url=endpoint.url, auth=LOADER) as http, pytest.raises(ConnectionError):
        http.post("/", params={"query": f"INSERT INTO {table} FORMAT CSV"}, content=broken())
    with httpx.Client(base_url=endpoint.url, auth=LOADER) as http:
        assert http.post("/", content=f"SELECT count() FROM {table}").text == "0\n"
