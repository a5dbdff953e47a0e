"""An analyst's default database, temporary tables and external data."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import httpx
import pytest

from devstack.embedded import clickhouse
from tests.support.endpoint import ANALYST, LOADER

from .conftest import MakeSettings

Files = dict[str, tuple[str | None, bytes]]


def _text(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return response.text


def _code(response: httpx.Response) -> str:
    return str(response.headers.get("x-clickhouse-exception-code", ""))


@pytest.fixture
def ask(analyst: httpx.Client, request: pytest.FixtureRequest) -> Callable[..., httpx.Response]:
    """The analyst, in a session of this test."""
    session = {"session_id": request.node.name}
    return lambda content, **parameters: analyst.post("/", params={**session, **parameters}, content=content)


@pytest.mark.parametrize("named", [{}, {"database": "firehose"}, {"database": "default"}])
def test_the_analysts_default_database_is_the_firehose(analyst: httpx.Client, named: dict[str, str]) -> None:
    """Clients whose user names no database say ``default``, where an analyst may do nothing."""
    query = "SELECT currentDatabase(), count() FROM events"
    assert _text(analyst.post("/", params=named, content=query)) == "firehose\t1000\n"
    assert _text(analyst.get("/", params={**named, "query": query})) == "firehose\t1000\n"


def test_another_database_can_be_named_and_used(ask: Callable[..., httpx.Response], loader: httpx.Client) -> None:
    assert _text(loader.post("/", content="SELECT currentDatabase()")) == "default\n"
    assert _text(ask("SELECT currentDatabase()", database="system")) == "system\n"
    assert _text(ask("SELECT currentDatabase()")) == "firehose\n"
    _text(ask("USE system", database="firehose"))
    assert _text(ask("SELECT count() FROM one")) == "1\n"
    assert _text(ask("SELECT currentDatabase()", database="firehose")) == "firehose\n"
    assert _text(ask("SELECT currentDatabase()")) == "system\n"
    assert _code(ask("SELECT 1", database="nope")) in ("81", "497")


def test_before_the_first_bootstrap_the_analyst_is_answered(make_settings: MakeSettings) -> None:
    with clickhouse.start(make_settings()) as running:
        answer = httpx.post(running.url, content="SELECT 1", auth=ANALYST)
        assert _text(answer) == "1\n"
        missing = httpx.post(running.url, content="SELECT * FROM posts", auth=ANALYST)
        assert _code(missing) == "60"


@pytest.mark.parametrize(
    ("statement", "first"),
    [
        ("SHOW TABLES", "events"),
        ("SHOW TABLES WHERE name = 'likes'", "likes"),
        ("SHOW TABLES WHERE engine = 'View' AND name LIKE 'l%'", "likes"),
        ("SHOW TABLES FROM firehose LIKE 'l%'", "likes"),
        ("SHOW TABLES IN firehose NOT LIKE '%e%'", None),
        ("SHOW TABLES ILIKE 'EV%' LIMIT 1", "events"),
        ("SHOW FULL TABLES", "events\tMergeTree"),
        ("SHOW TABLES FROM firehose LIKE 'ev%' FORMAT CSV", '"events"'),
        ("SHOW DATABASES LIKE 'fire%'", "firehose"),
        ("SHOW COLUMNS FROM events", "id\tUInt64\tNO\tPRI SOR\t\\N\t"),
        ("SHOW FULL COLUMNS FROM events FROM firehose LIKE 'n%'", None),
        ("SHOW CREATE TABLE events", None),
        ("SHOW CREATE likes", None),
        ("SHOW CREATE DATABASE firehose", None),
        ("SHOW INDEX FROM events", None),
        ("SHOW SETTINGS LIKE 'max_threads'", None),
        ("SHOW FUNCTIONS LIKE 'uniq'", None),
        ("DESCRIBE events", "id\tUInt64\t\t\t\t\t"),
        ("DESC TABLE likes", "did\tString\t\t\t\t\t"),
        ("EXISTS events", "1"),
        ("EXISTS DATABASE firehose", "1"),
    ],
)
def test_what_people_type_to_look_around(analyst: httpx.Client, statement: str, first: str | None) -> None:
    lines = _text(analyst.post("/", content=statement)).splitlines()
    if first is not None:
        assert lines[0] == first


def test_a_temporary_table_lives_in_its_session(ask: Callable[..., httpx.Response], analyst: httpx.Client) -> None:
    _text(ask("CREATE TEMPORARY TABLE mine (id UInt64, note Nullable(String))"))
    _text(ask("INSERT INTO mine VALUES (1, 'a;b'), (2, NULL)"))
    _text(ask("INSERT INTO mine (note, id) FORMAT CSV\nc,3\n"))
    _text(ask("INSERT INTO mine SELECT id, name FROM events WHERE id = {id:UInt64}", param_id="4"))
    _text(ask('{"id": 5, "note": "d"}\n', query="INSERT INTO mine FORMAT JSONEachRow"))
    rows = "SELECT id, note, name FROM mine JOIN events USING id ORDER BY id"
    assert _text(ask(rows)) == "1\ta;b\t1\n2\t\\N\t2\n3\tc\t3\n4\t4\t4\n5\td\t5\n"
    assert _text(ask("SHOW TEMPORARY TABLES")) == "mine\n"
    assert _text(ask("EXISTS TEMPORARY TABLE mine")) == "1\n"
    for other in ({}, {"session_id": "another"}):
        assert _code(analyst.post("/", params=other, content="SELECT * FROM mine")) == "60"
    _text(ask("TRUNCATE TABLE mine"))
    assert _text(ask("SELECT count() FROM mine")) == "0\n"
    _text(ask("DROP TABLE mine"))
    _text(ask("DROP TEMPORARY TABLE IF EXISTS mine"))
    assert _code(ask("SELECT * FROM mine")) == "60"


def test_a_temporary_table_of_a_query_shadows_and_is_replaced(ask: Callable[..., httpx.Response]) -> None:
    _text(ask("CREATE TEMPORARY TABLE events AS SELECT * FROM firehose.events WHERE id < 3"))
    assert _text(ask("SELECT count() FROM events")) == "3\n"
    _text(ask("CREATE OR REPLACE TEMPORARY TABLE events ENGINE = Memory AS SELECT 1 AS x"))
    _text(ask("CREATE TEMPORARY TABLE IF NOT EXISTS events (a UInt8)"))
    assert _text(ask("SELECT * FROM events")) == "1\n"
    _text(ask("DROP TABLE events"))
    assert _text(ask("SELECT count() FROM events")) == "1000\n"


def test_without_a_session_it_lives_for_its_request(analyst: httpx.Client) -> None:
    _text(analyst.post("/", content="CREATE TEMPORARY TABLE gone (a UInt8)"))
    assert _code(analyst.post("/", content="INSERT INTO gone VALUES (1)")) == "164"


def test_a_name_that_is_not_utf_8_is_one_error_and_ends_the_session(ask: Callable[..., httpx.Response]) -> None:
    _text(ask("CREATE TEMPORARY TABLE mine (a UInt8)"))
    refused = ask(r"CREATE TEMPORARY TABLE `a\xff` (a UInt8)")
    assert (_code(refused), len(refused.text.splitlines())) == ("36", 1), refused.text
    assert _text(ask("SHOW TEMPORARY TABLES")) == ""


def test_what_cannot_be_had_is_said_in_one_line(ask: Callable[..., httpx.Response]) -> None:
    refused = ask("CREATE TEMPORARY TABLE x (a UInt8 DEFAULT 1)")
    assert (refused.status_code, _code(refused)) == (500, "164")
    assert len(refused.text.splitlines()) == 1
    assert "you may CREATE TEMPORARY TABLE (columns of a name and a type" in refused.text


QUERY = "SELECT id, note, name FROM ext JOIN firehose.events USING id ORDER BY id"
DATA: Files = {"ext": ("ext.tsv", b"1\ta\n2\tb\n")}


@pytest.mark.parametrize("user", [LOADER, ANALYST])
@pytest.mark.parametrize("where", ["url", "form"])
def test_data_come_with_a_request(
    loader: httpx.Client, analyst: httpx.Client, user: tuple[str, str], where: str
) -> None:
    http = loader if user == LOADER else analyst
    said = {"query": QUERY + " LIMIT {n:UInt8}", "param_n": "2", "ext_structure": "id UInt64, note String"}
    fields: Files = {name: (None, value.encode()) for name, value in said.items()} if where == "form" else {}
    parameters = said if where == "url" else {}
    assert _text(http.post("/", params=parameters, files={**fields, **DATA})) == "1\ta\t1\n2\tb\t2\n"


def test_several_tables_in_several_formats(analyst: httpx.Client) -> None:
    said = {
        "query": "SELECT a._1, a._2, b.x FROM a JOIN `two words` AS b ON a._1 = b.`the key`",
        "a_types": "UInt8, Tuple(UInt8, Array(String))",
        "a_format": "JSONCompactEachRow",
        "two words_structure": "`the key` UInt8, x Enum('y, z' = 1)",
        "two words_format": "CSV",
    }
    files: Files = {"a": ("a", b'[1, [2, ["s"]]]\n'), "two words": ("b", b'1,"y, z"\n')}
    assert _text(analyst.post("/", params=said, files=files)) == "1\t(2,['s'])\ty, z\n"


def test_they_vanish_with_the_request_and_leave_the_sessions_own(analyst: httpx.Client) -> None:
    session = {"session_id": "brings"}
    _text(analyst.post("/", params=session, content="CREATE TEMPORARY TABLE mine AS SELECT 7 AS a"))
    said = {**session, "query": QUERY, "ext_structure": "id UInt64, note String"}
    for _ in range(2):
        assert _text(analyst.post("/", params=said, files=DATA)) == "1\ta\t1\n2\tb\t2\n"
    assert _text(analyst.post("/", params=session, content="SHOW TEMPORARY TABLES")) == "mine\n"
    clash = {**session, "query": "SELECT 1", "mine_structure": "a UInt8"}
    assert _code(analyst.post("/", params=clash, files={"mine": ("mine", b"1\n")})) == "57"
    assert _text(analyst.post("/", params=session, content="SELECT a FROM mine")) == "7\n"


def test_a_form_may_be_compressed(analyst: httpx.Client) -> None:
    built = analyst.build_request("POST", "/", files=DATA)
    packed = gzip.compress(built.read())
    headers = {"Content-Type": built.headers["content-type"], "Content-Encoding": "gzip"}
    said = {"query": "SELECT count() FROM ext", "ext_types": "UInt64,String"}
    assert _text(analyst.post("/", params=said, content=packed, headers=headers)) == "2\n"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({}, "36"),
        ({"ext_structure": "id UInt64"}, "27"),
        ({"ext_structure": "id UInt64, note String DEFAULT 'x'"}, "36"),
        ({"ext_structure": "id NoSuchType"}, "50"),
        ({"ext_structure": "("}, "62"),
        ({"ext_types": "UInt64, String", "ext_format": "NoSuchFormat"}, "73"),
        ({"ext_types": "UInt64, String", "ext_format": "CSV x"}, "36"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(analyst: httpx.Client, said: dict[str, str], code: str) -> None:
    response = analyst.post("/", params={"query": "SELECT count() FROM ext", **said}, files=DATA)
    assert _code(response) == code, response.text


@pytest.mark.parametrize(
    "body",
    [b"", b"--b\r\n", b"no form", b'--b\r\nContent-Disposition: form-data; name="query"\r\n\r\nSELECT 1\r\n'],
)
def test_a_broken_form_is_refused(analyst: httpx.Client, body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert _code(analyst.post("/", content=body, headers=headers)) == "36"
    assert _code(analyst.post("/", content=body, headers={"Content-Type": "multipart/form-data"})) == "36"
