"""Temporary tables and external data bring the analyst no file, no right and no memory that it did not have."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from .canaries import MARK
from .conftest import Box

FILE = "file('{cwd}/canary.csv', 'LineAsString')"
REFUSED = [
    "CREATE TEMPORARY TABLE x (a String) ENGINE = File(CSV, '{cwd}/canary.csv')",
    "CREATE TEMPORARY TABLE x (a String) ENGINE = URL('http://127.0.0.1:1/', CSV)",
    "CREATE TEMPORARY TABLE x (a String) ENGINE = MergeTree ORDER BY a",
    "CREATE TEMPORARY TABLE x (a String) ENGINE = Log",
    "CREATE TEMPORARY TABLE x (a String) ENGINE = Set",
    "CREATE TEMPORARY TABLE x (a String) ENGINE = Buffer(firehose, events, 1, 1, 1, 1, 1, 1, 1)",
    "CREATE TEMPORARY TABLE x (a String) ENGINE = Merge(system, '.*')",
    "CREATE TEMPORARY TABLE x (a String) ENGINE = Memory SETTINGS compress = 1",
    "CREATE TEMPORARY TABLE x (a String) ENGINE = Memory ORDER BY a",
    "CREATE TEMPORARY TABLE x (a String) ENGINE = Memory COMMENT 'x'",
    "CREATE TEMPORARY TABLE x (a String) ENGINE = Memory AS SELECT * FROM " + FILE,
    "CREATE TEMPORARY TABLE x AS SELECT * FROM " + FILE,
    "CREATE TEMPORARY TABLE x AS SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "CREATE TEMPORARY TABLE x AS " + FILE,
    "CREATE TEMPORARY TABLE x AS firehose.events",
    "CREATE TEMPORARY TABLE x CLONE AS firehose.events",
    "CREATE TEMPORARY TABLE x AS SELECT file('{cwd}/canary.csv')",
    "CREATE TEMPORARY TABLE x AS SELECT * APPLY file FROM (SELECT '{cwd}/canary.csv')",
    "CREATE TEMPORARY TABLE x AS SELECT dictGet('{cwd}/canary.csv', 'a', 1)",
    "CREATE TEMPORARY TABLE x AS SELECT * FROM system.processes",
    "CREATE TEMPORARY TABLE x AS SELECT 1 SETTINGS output_format_schema = '{cwd}/made'",
    "CREATE TEMPORARY TABLE x AS SELECT * FROM (SELECT 1 SETTINGS format_schema = 'a:b')",
    "CREATE TEMPORARY TABLE x AS SELECT 1 INTO OUTFILE '{cwd}/made'",
    "CREATE TEMPORARY TABLE x (a String DEFAULT file('{cwd}/canary.csv'))",
    "CREATE TEMPORARY TABLE x (a String MATERIALIZED 'a')",
    "CREATE TEMPORARY TABLE x (a String ALIAS 'a')",
    "CREATE TEMPORARY TABLE x (a String EPHEMERAL)",
    "CREATE TEMPORARY TABLE x (a String CODEC(ZSTD))",
    "CREATE TEMPORARY TABLE x (a Date TTL a + 1)",
    "CREATE TEMPORARY TABLE x (a String STATISTICS(uniq))",
    "CREATE TEMPORARY TABLE x (a String SETTINGS(max_compress_block_size = 1))",
    "CREATE TEMPORARY TABLE x (a String PRIMARY KEY)",
    "CREATE TEMPORARY TABLE x (a String, INDEX i a TYPE minmax)",
    "CREATE TEMPORARY TABLE x (a String, CONSTRAINT c CHECK a = '')",
    "CREATE TEMPORARY TABLE x (a String, PROJECTION p (SELECT a ORDER BY a))",
    "CREATE TEMPORARY TABLE firehose.x (a String)",
    "CREATE TEMPORARY TABLE {{n:Identifier}} (a String)",
    "CREATE TEMPORARY TABLE x UUID '00000000-0000-0000-0000-000000000001' (a String)",
    "CREATE TEMPORARY TABLE x ON CLUSTER c (a String)",
    "CREATE TEMPORARY VIEW x AS SELECT 1",
    "ATTACH TEMPORARY TABLE x (a String)",
    "CREATE TABLE x (a String) ENGINE = Memory",
    "CREATE OR REPLACE TABLE mine (a String) ENGINE = Memory",
    "INSERT INTO mine SELECT * FROM " + FILE,
    "INSERT INTO mine SELECT file('{cwd}/canary.csv')",
    "INSERT INTO mine SELECT message FROM system.errors",
    "INSERT INTO mine SELECT 'a' SETTINGS rename_files_after_processing = 'x'",
    "INSERT INTO mine SETTINGS input_format_record_errors_file_path = '{cwd}/made' VALUES ('a')",
    "INSERT INTO mine SETTINGS async_insert = 1 VALUES ('a')",
    "INSERT INTO mine FROM INFILE '{cwd}/canary.csv' FORMAT LineAsString",
    "INSERT INTO mine VALUES (file('{cwd}/canary.csv'))",
    "INSERT INTO mine VALUES ((SELECT * FROM " + FILE + "))",
    "INSERT INTO mine (a) VALUES (dictGet('{cwd}/canary.csv', 'a', 1))",
    "INSERT INTO FUNCTION file('{cwd}/made', 'CSV') SELECT * FROM mine",
    "INSERT INTO FUNCTION file('{cwd}/made', 'CSV') VALUES ('a')",
    "INSERT INTO events SELECT 1, 'x'",
    "INSERT INTO firehose.events FORMAT CSV\n1,x\n",
    "INSERT INTO firehose.mine VALUES ('a')",
    "INSERT INTO {{n:Identifier}} VALUES ('a')",
    "DROP TABLE events",
    "DROP TABLE mine, events",
    "DROP TABLE firehose.events",
    "DROP VIEW mine",
    "DROP DICTIONARY mine",
    "DROP TEMPORARY TABLE {{n:Identifier}}",
    "DROP TABLE mine ON CLUSTER c",
    "DETACH TABLE mine",
    "TRUNCATE TABLE events",
    "TRUNCATE DATABASE firehose",
    "TRUNCATE ALL TABLES FROM firehose",
    "ALTER TABLE mine ADD COLUMN b String DEFAULT file('{cwd}/canary.csv')",
    "ALTER TABLE mine DELETE WHERE 1",
    "RENAME TABLE mine TO firehose.mine",
    "EXCHANGE TABLES mine AND events",
    "OPTIMIZE TABLE mine",
    "BACKUP TEMPORARY TABLE mine TO File('{cwd}/made')",
    "CREATE TEMPORARY TABLE x (a UInt8); DROP TABLE firehose.events",
    "SET ROLE loader",
]


@pytest.fixture
def ask(box: Box) -> Callable[..., httpx.Response]:
    """The analyst, in a session that has the table ``mine``."""
    session = {"session_id": "own"}

    def post(content: str, **parameters: str) -> httpx.Response:
        return box.analyst.post("/", params={**session, **parameters}, content=content)

    post("DROP TEMPORARY TABLE IF EXISTS mine")
    post("DROP TEMPORARY TABLE IF EXISTS x")
    assert post("CREATE TEMPORARY TABLE mine (a String)").status_code == 200
    return post


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("statement", REFUSED)
def test_no_more_than_a_table_in_memory(box: Box, ask: Callable[..., httpx.Response], statement: str) -> None:
    refused = ask(statement.format(cwd=box.tree.cwd), param_n="mine")
    codes = ("164", "497", "446", "452", "344", "62", "358", "48")
    assert refused.headers.get("x-clickhouse-exception-code") in codes, refused.text
    assert MARK not in refused.text
    assert ask("SELECT (SELECT count() FROM mine), currentRoles()").text == "0\t['analyst']\n"
    kept = box.loader.post("/", content="SELECT count(), sum(id) FROM firehose.events").text
    assert kept == "1000\t499500\n"
    assert box.loader.post("/", content="EXISTS firehose.x").text == "0\n"


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TEMPORARY TABLE x AS SELECT * FROM sqlite('{}', 't')",
        "CREATE TEMPORARY TABLE x ENGINE = Memory AS SELECT 1 IN (SELECT * FROM `sql\\x69te`('{}', 't'))",
        "CREATE TEMPORARY TABLE x AS sqlite('{}', 't')",
        "CREATE TEMPORARY TABLE x (a String DEFAULT (SELECT * FROM sqlite('{}', 't')))",
        "CREATE TEMPORARY TABLE x (a String) ENGINE = SQLite('{}', 't')",
        "INSERT INTO mine SELECT * FROM sqlite('{}', 't')",
        "INSERT INTO mine VALUES ((SELECT * FROM sqlite('{}', 't')))",
        "INSERT INTO mine VALUES ('a'), ((SELECT * FROM sqlite('{}', 't')))",
        "INSERT INTO FUNCTION sqlite('{}', 't') SELECT 'a'",
        "WITH (SELECT * FROM sqlite('{}', 't')) AS a INSERT INTO mine SELECT a",
    ],
)
def test_no_refused_statement_leaves_a_file(box: Box, ask: Callable[..., httpx.Response], statement: str) -> None:
    """sqlite() makes its file before it asks, where even the sandbox would let it."""
    made = box.tree.home / "clickhouse" / "spool" / "made"
    assert ask(statement.replace("{}", str(made))).status_code != 200
    assert not made.exists()


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("kind", ["structure", "types"])
@pytest.mark.parametrize(
    "columns",
    [
        "a String) ENGINE = File(CSV, '{cwd}/canary.csv') --",
        "a String) ENGINE = Memory AS SELECT * FROM file('{cwd}/canary.csv') --",
        "a String DEFAULT file('{cwd}/canary.csv')",
        "a String MATERIALIZED (SELECT max(a) FROM sqlite('{cwd}/made', 't'))",
        "a String TTL now() + 1",
        "a String CODEC(ZSTD)",
        "a Enum('x') = 1) --' = 1)",
        "a String, INDEX i a TYPE minmax",
        "a` String",
        "",
        "*",
        "auto",
    ],
)
def test_the_columns_of_external_data_are_columns(box: Box, kind: str, columns: str) -> None:
    text = columns.format(cwd=box.tree.cwd)
    said = {"query": "SELECT * FROM ext", f"ext_{kind}": text.removeprefix("a ") if kind == "types" else text}
    refused = box.analyst.post("/", params=said, files={"ext": ("ext", b"x\n")})
    assert refused.status_code != 200
    assert MARK not in refused.text


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", ["x`; DROP TABLE firehose.events", "a b", "../x", "{x:Identifier}"])
def test_the_name_of_external_data_is_a_name(box: Box, name: str) -> None:
    said = {"query": "SHOW TEMPORARY TABLES", f"{name}_structure": "a UInt8"}
    answer = box.analyst.post("/", params=said, files={name: ("f", b"1\n")})
    assert answer.status_code == 200, answer.text
    assert len(answer.text.splitlines()) == 1
    assert box.loader.post("/", content="SELECT count() FROM firehose.events").text == "1000\n"


def test_a_setting_of_the_request_is_judged_with_external_data_too(box: Box) -> None:
    said = {
        "query": "SELECT * FROM ext",
        "ext_structure": "a UInt8",
        "format_schema": "a:b",
        "ext_format": "Protobuf",
    }
    refused = box.analyst.post("/", params=said, files={"ext": ("ext", b"x\n")})
    assert refused.headers["x-clickhouse-exception-code"] == "452"


def test_get_makes_no_table(box: Box) -> None:
    refused = box.analyst.get("/", params={"session_id": "g", "query": "CREATE TEMPORARY TABLE x (a UInt8)"})
    assert refused.headers["x-clickhouse-exception-code"] == "164"
