"""The analyst may read. Everything else is refused by the engine, or by its parser before that."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx
import pytest

from clickhouse_http import EndpointProcess
from tests.support.endpoint import ANALYST, LOADER, logged

from .conftest import SECONDS

OUTSIDE = "/etc/passwd"
WRITES = [
    "INSERT INTO firehose.events VALUES (1, 'x')",
    "INSERT INTO firehose.events FORMAT CSV\n1,x\n",
    "INSERT INTO firehose.events SELECT 1, 'x'",
    "INSERT INTO FUNCTION file('/tmp/firehose-never.csv') SELECT 1",
    "CREATE TABLE firehose.mine (a UInt8) ENGINE = Memory",
    "CREATE TABLE firehose.mine ENGINE = File(CSV, '/etc/passwd')",
    "CREATE TEMPORARY TABLE mine (a String) ENGINE = File(CSV, '/etc/passwd')",
    "CREATE VIEW firehose.mine AS SELECT 1",
    "CREATE OR REPLACE VIEW firehose.likes AS SELECT 1",
    "CREATE MATERIALIZED VIEW firehose.mine ENGINE = Memory AS SELECT 1",
    "CREATE DATABASE mine",
    "CREATE DICTIONARY firehose.mine (a UInt64) PRIMARY KEY a SOURCE(FILE(path '/etc/passwd' format 'CSV')) "
    "LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE FUNCTION mine AS (x) -> x",
    "CREATE USER mine",
    "CREATE ROLE mine",
    "CREATE NAMED COLLECTION mine AS a = 1",
    "DROP TABLE firehose.events",
    "DROP VIEW firehose.likes",
    "DROP DATABASE firehose",
    "DETACH TABLE firehose.events",
    "ATTACH TABLE firehose.mine",
    "UNDROP TABLE firehose.events",
    "TRUNCATE TABLE firehose.events",
    "RENAME TABLE firehose.events TO firehose.mine",
    "EXCHANGE TABLES firehose.events AND firehose.likes",
    "ALTER TABLE firehose.events DELETE WHERE 1",
    "ALTER TABLE firehose.events UPDATE name = '' WHERE 1",
    "ALTER TABLE firehose.events DROP PARTITION tuple()",
    "DELETE FROM firehose.events WHERE 1",
    "OPTIMIZE TABLE firehose.events",
    "BACKUP TABLE firehose.events TO File('/tmp/firehose-never')",
    "RESTORE TABLE firehose.events FROM File('/tmp/firehose-never')",
    "SYSTEM FLUSH LOGS",
    "SYSTEM STOP MERGES",
    "SYSTEM SHUTDOWN",
    "KILL QUERY WHERE 1",
    "GRANT SELECT ON *.* TO default",
    "GRANT loader TO default",
    "REVOKE ALL ON *.* FROM default",
    "SET ROLE loader",
    "SET ROLE ALL",
    "SET DEFAULT ROLE loader TO default",
    "EXECUTE AS default SELECT 1",
    "BEGIN TRANSACTION",
    "CHECK TABLE firehose.events",
    "SELECT 1 INTO OUTFILE '/tmp/firehose-never'",
    "SELECT 1; DROP TABLE firehose.events",
    "EXPLAIN SELECT 1; DROP TABLE firehose.events",
]
READS = [
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT * FROM FILE('/etc/passwd', LineAsString)",
    "SELECT * FROM `file`('/etc/passwd', 'LineAsString')",
    "SELECT * FROM /* file */ file /* ( */ ('/etc/passwd', 'LineAsString')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM default.`/etc/passwd`",
    "SELECT * FROM filesystem('/etc')",
    "DESCRIBE file('/etc/passwd')",
    "EXPLAIN SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "EXPLAIN PLAN SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT * FROM view(SELECT * FROM file('/etc/passwd', 'LineAsString'))",
    "SELECT * FROM loop(file('/etc/passwd', 'LineAsString')) LIMIT 1",
    "SELECT (SELECT count() FROM file('/etc/passwd', 'LineAsString'))",
    "WITH x AS (SELECT * FROM file('/etc/passwd', 'LineAsString')) SELECT * FROM x",
    "SELECT 1 IN (SELECT 1 FROM file('/etc/passwd', 'LineAsString'))",
    "SELECT 1 UNION ALL SELECT 1 FROM file('/etc/passwd', 'LineAsString')",
    "SELECT * FROM eval('SELECT * FROM file(''/etc/passwd'', ''LineAsString'')')",
    "SELECT file('/etc/passwd')",
    "SELECT `file`('/etc/passwd')",
    "SELECT * APPLY file FROM (SELECT '/etc/passwd' AS x)",
    "SELECT arrayMap(file, ['/etc/passwd'])",
    "SELECT arrayMap(x -> file(x), ['/etc/passwd'])",
    "SELECT id FROM firehose.events "
    "SETTINGS additional_table_filters = {'firehose.events': 'file(''/etc/passwd'') != '''''}",
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "SELECT * FROM s3('http://127.0.0.1:1/bucket/key', 'CSV', 'a String')",
    "SELECT * FROM remote('127.0.0.1:1', system.one)",
    "SELECT * FROM remoteSecure('127.0.0.1:1', system.one)",
    "SELECT * FROM postgresql('127.0.0.1:1', 'd', 't', 'u', 'p')",
    "SELECT * FROM mysql('127.0.0.1:1', 'd', 't', 'u', 'p')",
    "SELECT * FROM mongodb('127.0.0.1:1', 'd', 'c', 'u', 'p', 'a String')",
    "SELECT * FROM redis('127.0.0.1:1', 'k', 'k String, v String')",
    "SELECT * FROM executable('id', 'TSV', 'a String')",
    "SELECT * FROM executable('../../../../bin/id', 'TSV', 'a String')",
    "SELECT * FROM Python(os)",
    "SELECT * FROM python('os')",
    "SELECT 1 FORMAT Template SETTINGS format_template_resultset = '/etc/passwd'",
    "SELECT 1 AS a FORMAT Protobuf SETTINGS format_schema = '/etc/passwd:x'",
    "SELECT * FROM system.users",
    "SELECT * FROM firehose.invoked",
    "SELECT addressToLine(1)",
]
ABOVE = ["max_memory_usage = 100000000000", f"max_execution_time = {SECONDS + 1}"]
SETTINGS = [
    *ABOVE,
    "readonly = 0",
    "readonly = 1",
    "profile = 'default'",
    "profile = 'loader'",
    "max_memory_usage = 0",
    "max_execution_time = 0",
    "max_untracked_memory = 100000000000",
    "timeout_overflow_mode = 'break'",
    "allow_experimental_eval_table_function = 1",
    "dialect = 'prql'",
    "log_comment = 'x'",
]
#: Accepted and without effect, or lowered to the ceiling, as the documentation says.
_HARMLESS_IN_URL = ("log_comment = 'x'", "readonly = 1", *ABOVE)


def _refused(response: httpx.Response) -> None:
    assert response.status_code >= 400, response.text
    assert "root:" not in response.text


@pytest.mark.parametrize("statement", WRITES)
def test_the_analyst_changes_nothing(analyst: httpx.Client, loader: httpx.Client, statement: str) -> None:
    response = analyst.post("/", content=statement)
    _refused(response)
    assert response.headers["x-clickhouse-exception-code"] in ("164", "497", "358", "62")
    assert loader.post("/", content="SELECT count(), sum(id) FROM firehose.events").text == "1000\t499500\n"
    assert not list(Path("/tmp").glob("firehose-never*"))  # the statements that name a file name this one


@pytest.mark.parametrize("statement", READS)
def test_the_analyst_reads_nothing_else(analyst: httpx.Client, statement: str) -> None:
    response = analyst.post("/", content=statement)
    _refused(response)
    # Refused for want of a right (497, 446, 452, 164, 344), or there is nothing to be had (1: no such script,
    # 46/47/60: no such name).
    code = response.headers["x-clickhouse-exception-code"]
    assert code in ("497", "446", "452", "164", "344", "1", "46", "47", "60"), response.text


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM sqlite('{}', 't')",
        "SELECT * FROM `sql\\x69te`('{}', 't')",
        "SELECT 1 IN (SELECT * FROM SQLite('{}', 't'))",
        "EXPLAIN SELECT * FROM sqlite('{}', 't')",
        "DESCRIBE sqlite('{}', 't')",
        "DESCRIBE TABLE (SELECT * FROM sqlite('{}', 't'))",
        "SHOW TABLES FROM firehose WHERE name IN (SELECT * FROM `sql\\x69te`('{}', 't'))",
        "SHOW COLUMNS FROM firehose.events WHERE field IN (SELECT * FROM sqlite('{}', 't'))",
        "SELECT 1 FROM firehose.events "
        "SETTINGS additional_result_filter = '1 IN (SELECT * FROM sqlite(''{}'', ''t''))'",
        "SELECT * FROM viewExplain('EXPLAIN', '', (SELECT * FROM sqlite('{}', 't')))",
    ],
)
def test_no_refused_statement_leaves_a_file(analyst: httpx.Client, tmp_path: Path, statement: str) -> None:
    """sqlite() creates its file before it asks for the right to read it."""
    _refused(analyst.post("/", content=statement.replace("{}", str(tmp_path / "made"))))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("way", ["set", "clause", "url"])
def test_the_analyst_cannot_loosen_a_setting(endpoint: EndpointProcess, setting: str, way: str) -> None:
    name, value = (part.strip(" '") for part in setting.split("="))
    if way == "url" and setting in _HARMLESS_IN_URL:
        pytest.skip("not refused: another test sees that it loosens nothing")
    asked = {
        "set": ({}, f"SET {setting}"),
        "clause": ({}, f"SELECT 1 SETTINGS {setting}"),
        "url": ({name: value}, "SELECT 1"),
    }
    parameters, statement = asked[way]
    with httpx.Client(base_url=endpoint.url, auth=ANALYST) as http:
        session = {"session_id": f"{way}-{setting}"}
        before = http.post("/", params=session, content=_read(name)).text
        _refused(http.post("/", params={**session, **parameters}, content=statement))
        assert http.post("/", params=session, content=_read(name)).text == before
        _refused(http.post("/", params=session, content="INSERT INTO firehose.events VALUES (1, 'x')"))


@pytest.mark.parametrize("setting", ABOVE)
def test_a_limit_of_a_url_above_the_ceiling_loosens_nothing(analyst: httpx.Client, setting: str) -> None:
    name, value = setting.split(" = ")
    session = {"session_id": f"above {setting}"}
    before = analyst.post("/", params=session, content=_read(name)).text
    lowered = analyst.post("/", params={**session, name: value}, content=_read(name)).text
    assert int(lowered) <= int(before)
    assert analyst.post("/", params=session, content=_read(name)).text == before
    _refused(analyst.post("/", params={**session, name: value}, content=f"SELECT 1 SETTINGS {setting}"))


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_subquerys_setting_is_clamped_or_refused(analyst: httpx.Client, setting: str) -> None:
    """There the engine does not refuse, it clamps. So the endpoint refuses by the syntax tree."""
    read = _read(setting.split(" ")[0])
    response = analyst.post("/", content=f"SELECT * FROM ({read} SETTINGS {setting})")
    if not setting.startswith(("max_memory_usage", "max_execution_time")):
        assert response.headers["x-clickhouse-exception-code"] in ("452", "115")
    elif setting.endswith("= 0"):
        assert response.text == "1\n"  # the least that is allowed, not "no limit"
    else:
        assert response.text == analyst.post("/", content=read).text


def _read(name: str) -> str:
    return "SELECT currentRoles()" if name == "profile" else f"SELECT getSetting('{name}')"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count() FROM firehose.events",
        "SELECT count() FROM firehose.likes WHERE year = 2026",
        "SELECT e.id, l.did FROM firehose.events AS e JOIN firehose.likes AS l ON e.id = l.time_us",
        "SELECT count() FROM firehose.events SETTINGS max_threads = 1, max_execution_time = 1",
        "SELECT count() FROM firehose.events SETTINGS max_memory_usage = 100000000",
        "SHOW TABLES FROM firehose",
        "SHOW CREATE TABLE firehose.events",
        "DESCRIBE firehose.likes",
        "EXISTS firehose.events",
        "EXPLAIN SELECT * FROM firehose.events",
        "USE firehose",
        "SET max_threads = 1",
        "SELECT name FROM system.tables",
        "SELECT * FROM numbers(3)",
        "SELECT 'INSERT INTO x; DROP TABLE y; file(''/etc/passwd'')'",
    ],
)
def test_the_analyst_does_its_work(analyst: httpx.Client, statement: str) -> None:
    response = analyst.post("/", content=statement)
    assert response.status_code == 200, response.text


#: Table functions that an analyst may use: they read nothing but their arguments and tables it may read anyway.
HARMLESS = {
    *(
        "values",
        "SQLStandardValues",
        "format",
        "null",
        "view",
        "viewIfPermitted",
        "viewExplain",
        "numbers",
        "zeros",
    ),
    *("mergeTreeIndex", "mergeTreeProjection", "mergeTreeCodecBlockCounts", "mergeTreeTextIndex", "merge", "loop"),
    *("mergeTreeAnalyzeIndexes", "generateRandom", "fuzzJSON", "fuzzQuery", "dictionary"),
}


_ARGUMENTS = (f"'{OUTSIDE}'", f"'{OUTSIDE}', 'LineAsString'", "firehose, events", "'id', 'TSV', 'a String'")


def test_no_other_table_function_gives_anything(loader: httpx.Client, analyst: httpx.Client) -> None:
    names = loader.post("/", content="SELECT name FROM system.table_functions").text.split()
    listener = socket.create_server(("127.0.0.1", 0))
    host = f"127.0.0.1:{listener.getsockname()[1]}"
    assert {"file", "url", "s3", "executable", "python"} <= set(names)
    given = set()
    for name in names:
        for arguments in (*_ARGUMENTS, f"'{host}', 'd', 't', 'u', 'p'", f"'http://{host}/b/k', 'CSV', 'a String'"):
            response = analyst.post("/", content=f"SELECT * FROM {name}({arguments}) LIMIT 1")
            if response.status_code == 200:
                given.add(name)
    assert given <= HARMLESS
    listener.setblocking(False)
    with listener, pytest.raises(BlockingIOError):
        listener.accept()  # nothing has come: no table function reached the network


def test_the_loader_may_do_everything_but_read_files_by_function(loader: httpx.Client) -> None:
    for statement in (
        "CREATE DATABASE IF NOT EXISTS other",
        "CREATE TABLE other.t (a UInt8) ENGINE = MergeTree ORDER BY a",
        "ALTER TABLE other.t ADD COLUMN b String DEFAULT ''",
        "SYSTEM FLUSH LOGS",
        "SELECT * FROM firehose.invoked",
        "DROP DATABASE other SYNC",
    ):
        response = loader.post("/", content=statement)
        assert response.status_code == 200, response.text
    assert loader.post("/", content="SELECT file('/etc/passwd')").headers["x-clickhouse-exception-code"] == "446"


@pytest.mark.parametrize("user", [LOADER, ANALYST])
def test_three_ways_to_log_in(endpoint: EndpointProcess, user: tuple[str, str]) -> None:
    name, password = user
    query = {"query": "SELECT 1"}
    assert httpx.get(endpoint.url, params=query, auth=user).text == "1\n"
    headers = {"X-ClickHouse-User": name, "X-ClickHouse-Key": password}
    assert httpx.get(endpoint.url, params=query, headers=headers).text == "1\n"
    assert httpx.get(endpoint.url, params={**query, "user": name, "password": password}).text == "1\n"


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("loader", "wrong"),
        ("loader", ""),
        ("loader", ANALYST[1]),
        ("default", ""),
        ("nobody", LOADER[1]),
        ("x", "ü"),
    ],
)
def test_wrong_credentials_are_403_and_516(endpoint: EndpointProcess, user: str, password: str) -> None:
    attempts = [
        httpx.get(endpoint.url, params={"query": "SELECT 1"}, auth=(user, password)),
        httpx.get(endpoint.url, params={"query": "SELECT 1", "user": user, "password": password}),
        httpx.post(
            endpoint.url, content="SELECT 1", headers={"X-ClickHouse-User": user, "X-ClickHouse-Key": "no"}
        ),
    ]
    for response in attempts:
        assert (response.status_code, response.headers["x-clickhouse-exception-code"]) == (403, "516")


def test_no_credentials_at_all_are_401_and_ask_for_some(endpoint: EndpointProcess) -> None:
    response = httpx.post(endpoint.url, content="SELECT 1")
    assert (response.status_code, response.headers["x-clickhouse-exception-code"]) == (401, "194")
    assert response.headers["www-authenticate"].startswith("Basic")


def test_no_password_is_ever_logged(endpoint: EndpointProcess) -> None:
    for password in (LOADER[1], "not-the-" + LOADER[1]):
        httpx.get(endpoint.url, params={"query": "SELECT 1", "user": LOADER[0], "password": password})
        last = httpx.get(endpoint.url, params={"query": "SELEC", "user": LOADER[0], "password": password})
    right = httpx.get(endpoint.url, params={"query": "SELEC", "user": LOADER[0], "password": LOADER[1]})
    assert (last.status_code, right.status_code) == (403, 400)
    assert "of loader" in logged(endpoint, right)
    assert LOADER[1] not in endpoint.log.read_text()
