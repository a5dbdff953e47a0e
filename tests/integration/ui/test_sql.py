"""Statements through the page: as the analyst and no more; progress, cancel, a limit in the page, downloads."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest

from tests.integration.ui.conftest import Site
from tests.support.waiting import until


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[httpx.Client]:
    with site.client() as client:
        yield client


def run(client: httpx.Client, sql: str, query: str = "q") -> list[dict[str, Any]]:
    answer = client.post("/api/sql", json={"sql": sql, "id": query})
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def rows(lines: list[dict[str, Any]]) -> list[Any]:
    return [row for line in lines for row in line.get("rows", [])]


def test_names_types_rows_and_an_end(client: httpx.Client) -> None:
    lines = run(client, "SELECT number AS n, toString(number) AS s FROM numbers(3)")
    assert rows(lines) == [["n", "s"], ["UInt64", "String"], ["0", "0"], ["1", "1"], ["2", "2"]]
    assert lines[-1] == {"end": "whole"}


def test_large_numbers_and_broken_text_arrive_whole(client: httpx.Client) -> None:
    lines = run(client, "SELECT 18446744073709551615 AS n, '\\xff<b>' AS s, NULL AS x, [1, 2] AS a")
    assert rows(lines)[2] == ["18446744073709551615", "\ufffd<b>", None, [1, 2]]


def test_the_page_has_the_first_rows_only(client: httpx.Client) -> None:
    lines = run(client, "SELECT number FROM numbers(1000000)")
    assert len(rows(lines)) == 1002 and lines[-1] == {"end": "cut"}


def test_an_answer_in_ones_own_format_is_text(client: httpx.Client) -> None:
    lines = run(client, "SELECT 1 AS a FORMAT CSVWithNames")
    assert "".join(line.get("text", "") for line in lines) == '"a"\n1\n'


def test_a_long_statement_says_how_far_it_is_and_can_be_stopped(site: Site, client: httpx.Client) -> None:
    seen: list[dict[str, Any]] = []

    def read() -> None:
        sql = "SELECT count() FROM numbers(100000000000) WHERE cityHash64(number) = 1"
        with site.client() as other, other.stream("POST", "/api/sql", json={"sql": sql, "id": "long"}) as answer:
            seen.extend(json.loads(line) for line in answer.iter_lines())

    reader = threading.Thread(target=read)
    reader.start()
    until(lambda: client.post("/api/sql/cancel", json={"id": "other"}).json() == {"cancelled": False})
    until(lambda: client.post("/api/sql/cancel", json={"id": "long"}).json()["cancelled"], what="it runs")
    reader.join(30)
    assert not reader.is_alive() and seen[-1] == {"end": "stopped"}
    log = f"{site.settings.home}/logs/clickhouse.log"
    with open(log) as stream:  # noqa: PTH123 - it is read while it grows
        until(lambda: "394" in stream.read() or "cancel" in stream.read(), what="the endpoint has cancelled it")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 +",
        "SELECT * FROM nowhere",
        "INSERT INTO firehose.events_by_minute VALUES (1)",
        "DROP TABLE firehose.events_by_minute",
        "CREATE TABLE firehose.mine (a UInt8) ENGINE = Memory",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT 1 SETTINGS max_execution_time = 0",
        "SELECT query FROM system.query_log",
        "SET ROLE loader",
        "SELECT 1 FORMAT Protobuf SETTINGS output_format_schema = '/tmp/x'",
        "KILL QUERY WHERE 1",
        "SELECT 1; SELECT 2",
    ],
)
def test_what_an_analyst_may_not_do_the_page_does_not(site: Site, client: httpx.Client, sql: str) -> None:
    direct = httpx.post(
        f"{site.settings.clickhouse_url}/",
        params={"default_format": "JSONCompactEachRowWithNamesAndTypes"},
        content=sql,
        auth=("analyst", "reads"),
        timeout=60,
    )
    assert direct.status_code != 200, "this list is of what is refused"
    code = int(direct.headers["x-clickhouse-exception-code"])
    (line,) = (line for line in run(client, sql) if "error" in line)
    assert line["error"]["code"] == code and line["error"]["kind"] == "refused"
    for output in ("csv", "parquet", "json"):
        answer = client.post("/api/download", data={"sql": sql, "format": output})
        assert answer.status_code == 400 and answer.json()["error"]["code"] == code


def test_a_limit_comes_with_what_to_do(client: httpx.Client) -> None:
    lines = run(client, "SELECT groupArray(number) FROM numbers(1000000000) SETTINGS max_memory_usage = 100000000")
    assert lines[-1]["error"]["code"] == 241 and "hour_start" in lines[-1]["error"]["text"]


def test_an_error_in_the_middle_ends_the_rows_that_had_come(client: httpx.Client) -> None:
    sql = "SELECT throwIf(number = 900, 'late') FROM numbers(2000) SETTINGS max_block_size = 100"
    lines = run(client, sql)
    assert "late" in lines[-1]["error"]["text"]


def test_downloads_have_all_rows(client: httpx.Client) -> None:
    sql = "SELECT number AS n FROM numbers(5000)"
    answers = {
        output: client.post("/api/download", data={"sql": sql, "format": output})
        for output in ("csv", "parquet", "json")
    }
    for output, answer in answers.items():
        assert answer.status_code == 200
        assert answer.headers["content-disposition"].endswith(f'.{output}"')
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert answers["csv"].text.splitlines() == ['"n"', *map(str, range(5000))]
    assert pq.read_table(io.BytesIO(answers["parquet"].content))["n"].to_pylist() == list(range(5000))
    assert [json.loads(line) for line in answers["json"].text.splitlines()] == [{"n": n} for n in range(5000)]


def test_the_cookbook_is_at_hand(client: httpx.Client) -> None:
    recipes = client.get("/api/cookbook").json()
    assert len(recipes) > 40 and all(recipe["title"] and recipe["sql"] for recipe in recipes)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"sql": 1}', b"\xff", b'{"sql": "' + b"x" * (3 << 20) + b'"}']
)
def test_a_question_that_is_none_is_refused_in_words(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/api/sql", content=body)
    assert answer.status_code == 400 and answer.json()["error"]["kind"] == "value"
