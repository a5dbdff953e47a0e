"""Attacks of the analyst that worked once: files written, moved and read, and what others do seen."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import clickhouse_connect
import httpx
import pytest

from clickhouse_http.rights import policy
from devstack.embedded.clickhouse import USERS_XML
from tests.support.endpoint import ANALYST, LOADER
from tests.support.waiting import until

from .canaries import MARK
from .conftest import Box

WAYS = ["clause", "deep", "union", "in", "explain", "describe", "show", "url", "get", "form", "set"]
#: Settings that wrote, moved or read files, or could, with a value that would show it.
FILE_SETTINGS = {
    "output_format_schema": "{cwd}/made",
    "rename_files_after_processing": "moved_%f",
    "input_format_record_errors_file_path": "{cwd}/made",
    "format_schema": "{cwd}/canary.proto:Canary",
    "format_template_row": "{cwd}/canary.txt",
    "filesystem_cache_name": "x",
    "additional_result_filter": "1",
    "compatibility": "24.1",
}


def _ask(box: Box, way: str, name: str, value: str) -> list[httpx.Response]:
    """A query of the lake and one of a schema format, with a setting given in ``way``."""
    setting = f"SETTINGS {name} = '{value}'"
    lake, schema = "SELECT count(), max(did) FROM firehose.likes", "SELECT 1 AS a FORMAT Protobuf"
    post = box.analyst.post
    if way == "url":
        return [post("/", params={name: value}, content=each) for each in (lake, schema)]
    if way == "get":
        return [box.analyst.get("/", params={name: value, "query": each}) for each in (lake, schema)]
    if way == "form":
        forms = [{name: (None, value), "query": (None, each)} for each in (lake, schema)]
        return [post("/", files=form) for form in forms]
    if way == "set":
        return [post("/", content=f"SET {name} = '{value}'")]
    wrapped = {
        "clause": [f"{lake} {setting}", f"{schema} {setting}"],
        "deep": [f"SELECT * FROM (SELECT * FROM (SELECT did FROM firehose.likes {setting}))"],
        "union": [f"SELECT 1 UNION ALL (SELECT count() FROM firehose.likes {setting})"],
        "in": [f"SELECT 1 WHERE 'a' IN (SELECT did FROM firehose.likes {setting})"],
        "explain": [f"EXPLAIN header = 1 SELECT * FROM firehose.likes {setting}"],
        "describe": [
            f"DESCRIBE (SELECT * FROM firehose.likes {setting})",
            f"DESCRIBE firehose.likes FORMAT Protobuf {setting}",
            f"SHOW CREATE TABLE firehose.likes FORMAT Protobuf {setting}",
        ],
        "show": [f"SHOW TABLES FROM firehose WHERE name IN (SELECT did FROM firehose.likes {setting})"],
    }
    return [post("/", content=statement) for statement in wrapped[way]]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", FILE_SETTINGS)
def test_a_setting_that_is_not_listed_is_refused_wherever_it_stands(box: Box, name: str, way: str) -> None:
    for response in _ask(box, way, name, FILE_SETTINGS[name].format(cwd=box.tree.cwd)):
        assert response.headers["x-clickhouse-exception-code"] in ("452", "48", "62"), response.text
        assert MARK not in response.text


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "statement",
    [
        "EXISTS DICTIONARY default.`{path}`",
        "EXISTS DICTIONARY `{path}`",
        "SHOW CREATE DICTIONARY default.`{path}`",
        "SHOW DICTIONARIES",
        "SELECT dictGet('{path}', 'a', 1)",
        "SELECT dictGet('default.{path}', 'a', 1)",
        "SELECT dictHas('{path}', 1)",
        "SELECT * FROM dictionary('{path}')",
        "SELECT * FROM dictionary('default.{path}')",
        "SELECT * APPLY dictGet FROM (SELECT '{path}')",
        "DESCRIBE dictionary('{path}')",
    ],
)
@pytest.mark.parametrize("file", ["canary", "canary.csv", "canary.json"])
def test_no_dictionary_is_a_file(box: Box, statement: str, file: str) -> None:
    """Neither at once, nor by what the engine would remember of the file."""
    response = box.analyst.post("/", content=statement.replace("{path}", f"{box.tree.cwd}/{file}"))
    assert response.headers["x-clickhouse-exception-code"] == "497", response.text
    for table in ("system.errors", "system.schema_inference_cache"):
        kept = box.loader.post("/", content=f"SELECT * FROM {table}")
        assert kept.status_code == 200
        assert MARK not in kept.text


def test_a_dictionary_of_the_loader_is_not_the_analysts(box: Box) -> None:
    made = box.loader.post(
        "/",
        content="CREATE DICTIONARY firehose.names (id UInt64, name String) PRIMARY KEY id "
        "SOURCE(CLICKHOUSE(TABLE 'events' DB 'firehose')) LAYOUT(FLAT()) LIFETIME(0)",
    )
    assert made.status_code == 200, made.text
    try:
        for statement in (
            "SELECT dictGet('firehose.names', 'name', toUInt64(1))",
            "SELECT * FROM dictionary('firehose.names')",
            "EXISTS DICTIONARY firehose.names",
        ):
            refused = box.analyst.post("/", content=statement)
            assert refused.headers["x-clickhouse-exception-code"] == "497"
    finally:
        box.loader.post("/", content="DROP DICTIONARY firehose.names")


@contextmanager
def _loaders_query(box: Box) -> Iterator[None]:
    """While the loader runs a query with a canary in it."""
    query = (
        f"SELECT '{MARK}', sleepEachRow(1) FROM numbers(100) SETTINGS max_block_size = 1, max_execution_time = 100"
    )
    runs = (
        "FROM system.processes WHERE query LIKE '%sleepEachRow(1) FROM numbers(100)%' AND query NOT LIKE '%LIKE%'"
    )
    thread = threading.Thread(
        target=lambda: httpx.post(box.running.url, content=query, auth=LOADER, timeout=200), daemon=True
    )
    thread.start()
    until(lambda: box.loader.post("/", content=f"SELECT count() {runs}").text == "1\n", pause_s=0.05)
    try:
        yield
    finally:
        box.loader.post("/", content=f"KILL QUERY WHERE query LIKE '%{MARK}%' AND query NOT LIKE '%KILL%'")
        thread.join(30)


def test_others_queries_and_errors_are_not_seen(box: Box) -> None:
    box.loader.post("/", content=f"SELECT throwIf(1, '{MARK}')")
    tables = ("processes", "errors", "query_log", "stack_trace", "schema_inference_cache", "user_processes")
    with _loaders_query(box):
        for table in tables:
            for statement in (
                f"SELECT * FROM system.{table}",
                f"SELECT * FROM system.`{table}`",
                f"SELECT * FROM view(SELECT * FROM system.{table})",
                f"SELECT * FROM loop(system.{table})",
                f"SELECT * FROM merge('system', '^{table}$')",
                f"SELECT 1 IN (SELECT 1 FROM system.{table})",
                f"WITH x AS (SELECT * FROM system.{table}) SELECT * FROM x",
                f"EXPLAIN SELECT * FROM system.{table}",
                "SHOW PROCESSLIST",
            ):
                response = box.analyst.post("/", content=statement)
                assert response.status_code >= 400, (statement, response.text)
                assert MARK not in response.text
            # Hidden from the syntax tree; there is nothing to see all the same.
            for parameters in (
                {"database": "system", "query": f"SELECT * FROM {table}"},
                {"param_x": "system", "query": f"SELECT * FROM {{x:Identifier}}.{table}"},
            ):
                response = box.analyst.get("/", params=parameters)
                assert MARK not in response.text
                assert response.status_code >= 400 or response.text == ""


def test_only_the_named_tables_of_system_are_readable(box: Box) -> None:
    named = policy.load(USERS_XML).system_tables
    tables = set(
        box.loader.post("/", content="SELECT name FROM system.tables WHERE database = 'system'").text.split()
    )
    assert named <= tables
    for table in sorted(tables - named):
        response = box.analyst.post("/", content=f"SELECT * FROM system.{table} LIMIT 1")
        assert response.headers["x-clickhouse-exception-code"] == "497", response.text
    for table in sorted(named):
        response = box.analyst.post("/", content=f"SELECT * FROM system.{table} LIMIT 1")
        assert response.status_code == 200, response.text
        assert response.text or table in ("collations", "data_skipping_indices")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("max_execution_time", "5"), ("max_result_rows", "1000"), ("result_overflow_mode", "break")),
        *(("max_block_size", "1000"), ("readonly", "1"), ("readonly", "2"), ("session_timezone", "Asia/Tokyo")),
        *(("date_time_input_format", "best_effort"), ("join_use_nulls", "1"), ("extremes", "1")),
        *(("output_format_json_quote_64bit_integers", "1"), ("output_format_native_write_json_as_string", "1")),
        *(("send_progress_in_http_headers", "1"), ("http_headers_progress_interval_ms", "5000")),
        *(("enable_http_compression", "1"), ("wait_end_of_query", "1"), ("log_comment", "dashboard")),
        *(("cancel_http_readonly_queries_on_client_close", "1"), ("max_threads", "2"), ("database", "firehose")),
    ],
)
def test_what_clients_send_is_accepted(analyst: httpx.Client, name: str, value: str) -> None:
    response = analyst.get("/", params={"query": "SELECT 1", name: value})
    assert response.status_code == 200, response.text


def test_a_client_of_the_analyst_works_as_before(box: Box) -> None:
    client = clickhouse_connect.get_client(
        dsn=box.running.url, username=ANALYST[0], password=ANALYST[1], settings={"max_threads": 1}
    )
    assert client.query("SELECT id FROM firehose.events ORDER BY id LIMIT 2").result_rows == [(0,), (1,)]
    assert client.query_arrow("SELECT did FROM firehose.likes").num_rows == 2
    assert client.query_df("SELECT * FROM firehose.likes").shape == (2, 6)
    assert client.command("EXISTS firehose.events") == 1
    client.close()


def test_a_table_function_that_acts_before_it_asks_makes_no_file(box: Box) -> None:
    """sqlite(): refused by the syntax tree alone; the sweep leaves it out."""
    for statement in ("SELECT * FROM sqlite('{}', 't')", "DESCRIBE sqlite('{}', 't')"):
        made = box.tree.home / "clickhouse" / "spool" / "made"  # where even the sandbox would let it
        response = box.analyst.post("/", content=statement.replace("{}", str(made)))
        assert response.headers["x-clickhouse-exception-code"] == "497"
        assert not made.exists()


def test_a_statement_too_deep_to_be_judged_is_refused(analyst: httpx.Client) -> None:
    """The engine would still run it: its own limit is a little further."""
    response = analyst.post("/", content="SELECT " + "+".join(["1"] * 450))
    assert response.headers["x-clickhouse-exception-code"] == "306", response.text
    assert analyst.post("/", content="SELECT " + "+".join(["1"] * 200)).text == "200\n"
