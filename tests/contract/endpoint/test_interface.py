"""ClickHouse's HTTP interface by any HTTP client: queries, formats, headers, errors, compression, sessions."""

from __future__ import annotations

import gzip
import io
import json
import zlib

import httpx
import lz4.frame  # type: ignore[import-untyped]  # it has neither stubs nor py.typed
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd

from clickhouse_http import EndpointProcess
from tests.support.endpoint import logged

ROWS = 200_000  # several of the engine's blocks


@pytest.mark.parametrize("path", ["/ping", "/replicas_status", "/"])
def test_health_needs_no_login(endpoint: EndpointProcess, path: str) -> None:
    response = httpx.get(endpoint.url + path)
    assert (response.status_code, response.text) == (200, "Ok.\n")


def test_an_unknown_path_is_404(endpoint: EndpointProcess) -> None:
    assert httpx.get(endpoint.url + "/play").status_code == 404


def test_a_query_comes_by_url_by_body_or_by_both(loader: httpx.Client) -> None:
    assert loader.get("/", params={"query": "SELECT 1 + 1"}).text == "2\n"
    assert loader.post("/", params={"query": "SELECT 1 + 1"}).text == "2\n"
    assert loader.post("/", content="SELECT 1 + 1").text == "2\n"
    assert (
        loader.post("/", params={"query": "SELECT 1 + 1 AS x"}, content="FORMAT CSVWithNames").text == '"x"\n2\n'
    )


def test_a_form_may_hold_query_and_parameters(loader: httpx.Client) -> None:
    fields = {"query": (None, "SELECT {x:UInt8} * 2"), "param_x": (None, "21")}
    assert loader.post("/", files=fields).text == "42\n"


def test_response_headers(loader: httpx.Client) -> None:
    response = loader.post("/", params={"query_id": "mine"}, content="SELECT * FROM firehose.events")
    assert response.headers["x-clickhouse-query-id"] == "mine"
    assert response.headers["x-clickhouse-format"] == "TabSeparated"
    assert response.headers["x-clickhouse-timezone"] == "UTC"
    assert response.headers["x-clickhouse-server-display-name"]
    assert response.headers["content-type"].startswith("text/tab-separated-values")
    assert json.loads(response.headers["x-clickhouse-summary"])["read_rows"] == "1000"


@pytest.mark.parametrize(
    ("query", "extra", "used"),
    [
        ("SELECT 1 FORMAT JSONEachRow", {}, "JSONEachRow"),
        ("SELECT 1", {"default_format": "JSONCompact"}, "JSONCompact"),
        ("SELECT 1 FORMAT CSV", {"default_format": "JSONCompact"}, "CSV"),
        ("SELECT 1 SETTINGS max_threads = 1 FORMAT CSV", {}, "CSV"),
        ("SHOW DATABASES FORMAT JSON", {"default_format": "JSON"}, "JSON"),
    ],
)
def test_the_format_is_the_querys_or_the_default(
    loader: httpx.Client, query: str, extra: dict[str, str], used: str
) -> None:
    response = loader.post("/", params=extra, content=query)
    assert response.status_code == 200, response.text
    assert response.headers["x-clickhouse-format"] == used


@pytest.mark.parametrize(
    "output",
    [
        *("TabSeparated", "TabSeparatedWithNames", "TabSeparatedWithNamesAndTypes", "CSV", "CSVWithNames"),
        *("CSVWithNamesAndTypes", "JSONEachRow", "JSONCompactEachRow", "JSONCompactEachRowWithNamesAndTypes"),
        *("JSON", "JSONCompact", "Values", "XML", "Markdown", "RowBinaryWithNamesAndTypes", "TSKV"),
    ],
)
def test_many_blocks_make_one_document(loader: httpx.Client, output: str) -> None:
    """Against the same query in one block, whose document the engine makes itself."""
    query = f'SELECT number AS `a \n "b`, toString(number) AS s FROM numbers({ROWS})'
    common = {"output_format_write_statistics": "0", "default_format": output, "max_threads": "1"}
    many = loader.post("/", params=common, content=query)
    one = loader.post("/", params={**common, "max_block_size": str(2 * ROWS)}, content=query)
    assert many.status_code == one.status_code == 200, many.text[:300] + one.text[:300]
    assert many.content == one.content


def test_arrow_and_parquet(loader: httpx.Client) -> None:
    query = f"SELECT number AS n FROM numbers({ROWS}) FORMAT "
    stream = pa.ipc.open_stream(loader.post("/", content=query + "ArrowStream").content).read_all()
    file = pa.ipc.open_file(loader.post("/", content=query + "Arrow").content).read_all()
    parquet = pq.read_table(io.BytesIO(loader.post("/", content=query + "Parquet").content))
    for table in (stream, file, parquet):
        assert table.num_rows == ROWS
        assert table["n"].to_pylist()[-1] == ROWS - 1


def test_totals_are_kept(loader: httpx.Client) -> None:
    query = "SELECT number % 2 AS k, count() FROM numbers(10) GROUP BY k WITH TOTALS ORDER BY k"
    assert loader.post("/", content=query).text == "0\t5\n1\t5\n\n0\t10\n"


def test_an_empty_result_has_its_header(loader: httpx.Client) -> None:
    assert loader.post("/", content="SELECT 1 AS a WHERE 0 FORMAT CSVWithNames").text == '"a"\n'
    assert loader.post("/", content="SELECT 1 AS a WHERE 0").text == ""


def test_parameters_are_bound_by_the_engine(loader: httpx.Client) -> None:
    parameters = {"param_name": "it's; DROP TABLE firehose.events --", "param_list": "[1,2]", "param_tab": "a\\tb"}
    query = "SELECT {name:String}, {list:Array(UInt8)}, {tab:String} FORMAT JSONCompactEachRow"
    response = loader.post("/", params=parameters, content=query)
    assert response.json() == ["it's; DROP TABLE firehose.events --", [1, 2], "a\tb"]


def test_database_and_settings_by_url(loader: httpx.Client) -> None:
    response = loader.post("/", params={"database": "firehose"}, content="SELECT count() FROM events")
    assert response.text == "1000\n"
    response = loader.post("/", params={"max_result_rows": "1"}, content="SELECT * FROM firehose.events")
    assert response.headers["x-clickhouse-exception-code"] == "396"
    assert loader.post("/", params={"max_threads": "3"}, content="SELECT getSetting('max_threads')").text == "3\n"


@pytest.mark.parametrize(
    ("query", "extra", "status", "code", "name"),
    [
        ("SELEC 1 2", {}, 400, 62, "SYNTAX_ERROR"),
        ("SELECT * FROM nope", {}, 404, 60, "UNKNOWN_TABLE"),
        ("SELECT * FROM nope.nope", {}, 404, 81, "UNKNOWN_DATABASE"),
        ("SELECT nope", {}, 404, 47, "UNKNOWN_IDENTIFIER"),
        ("SELECT nope(1)", {}, 404, 46, "UNKNOWN_FUNCTION"),
        ("SELECT 1 FORMAT Nope", {}, 404, 73, "UNKNOWN_FORMAT"),
        ("SELECT 1", {"no_such_setting": "1"}, 404, 115, "UNKNOWN_SETTING"),
        ("SELECT 1", {"database": "nope"}, 404, 81, "UNKNOWN_DATABASE"),
        ("SELECT throwIf(1)", {}, 500, 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("SELECT {x:UInt8}", {}, 400, 456, "UNKNOWN_QUERY_PARAMETER"),
        ("SELECT {x:UInt8}", {"param_x": "no"}, 400, 457, "BAD_QUERY_PARAMETER"),
        ("SELECT 1; SELECT 2", {}, 400, 62, "SYNTAX_ERROR"),
        (" ", {}, 400, 62, "SYNTAX_ERROR"),
        ("SELECT 1 INTO OUTFILE '/tmp/firehose-never'", {}, 500, 358, "INTO_OUTFILE_NOT_ALLOWED"),
        ("SELECT 1", {"role": "loader"}, 501, 48, "NOT_IMPLEMENTED"),
        ("SELECT 1", {"a=1, readonly": "1"}, 400, 36, "BAD_ARGUMENTS"),
    ],
)
def test_errors_have_clickhouses_code_status_and_text(
    loader: httpx.Client, query: str, extra: dict[str, str], status: int, code: int, name: str
) -> None:
    response = loader.post("/", params=extra, content=query)
    assert response.headers.get("x-clickhouse-exception-code") == str(code), response.text
    assert response.status_code == status
    assert response.text.startswith(f"Code: {code}. DB::Exception: ")
    assert f"({name})" in response.text
    assert "(version 26." in response.text


@pytest.mark.parametrize(
    "body",
    [
        b"SELECT 'sesame\xff'",
        b"SELECT 'sesame' FORMAT Arrow -- \xff",
        b"INSERT INTO `sesame\xff` FORMAT CSV\n1\n",
    ],
)
def test_a_query_that_is_not_utf_8_is_one_error(
    endpoint: EndpointProcess, loader: httpx.Client, analyst: httpx.Client, body: bytes
) -> None:
    for user in (loader, analyst):
        refused = user.post("/", content=body)
        assert (refused.status_code, refused.text.count("\n")) == (400, 1), refused.text
        assert refused.text.startswith("Code: 62. DB::Exception: The query is not valid UTF-8.")
        logged(endpoint, refused)
    assert "sesame" not in endpoint.log.read_text()


def test_a_syntax_error_counts_positions_in_the_clients_text(loader: httpx.Client) -> None:
    assert "failed at position 7 (1)" in loader.post("/", content="SELEC 1").text


def test_get_changes_nothing(loader: httpx.Client) -> None:
    for query in (
        "INSERT INTO firehose.events VALUES (1, 'x')",
        "DROP TABLE firehose.events",
        "CREATE TABLE firehose.z (a Int8)",
    ):
        response = loader.get("/", params={"query": query})
        assert response.headers["x-clickhouse-exception-code"] == "164"
        assert "method GET implies readonly" in response.text
    assert loader.get("/", params={"query": "SELECT count() FROM firehose.events"}).text == "1000\n"


def test_an_error_after_the_first_bytes_is_a_tagged_block_and_a_broken_body(loader: httpx.Client) -> None:
    query = f"SELECT throwIf(number = {ROWS - 1}) FROM numbers({ROWS}) SETTINGS max_block_size = 1000"
    received = b""
    with loader.stream("POST", "/", content=query) as response:
        assert response.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            for piece in response.iter_raw():
                received += piece
    tag = response.headers["x-clickhouse-exception-tag"].encode()
    assert received.endswith(tag + b"\r\n__exception__\r\n")
    assert b"Code: 395." in received.split(b"__exception__\r\n" + tag)[1]


def test_wait_end_of_query_gives_a_late_error_its_status(loader: httpx.Client) -> None:
    query = f"SELECT throwIf(number = {ROWS - 1}) FROM numbers({ROWS}) SETTINGS max_block_size = 1000"
    response = loader.post("/", params={"wait_end_of_query": "1"}, content=query)
    assert (response.status_code, response.headers["x-clickhouse-exception-code"]) == (500, "395")
    whole = loader.post("/", params={"wait_end_of_query": "1"}, content=f"SELECT number FROM numbers({ROWS})")
    assert whole.text.splitlines()[-1] == str(ROWS - 1)


UNPACK = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "zstd": zstd.decompress,
    "lz4": lz4.frame.decompress,
}


@pytest.mark.parametrize("method", UNPACK)
def test_response_compression(loader: httpx.Client, method: str) -> None:
    for query, status in ((f"SELECT 'the same' FROM numbers({ROWS})", 200), ("SELECT nope", 404)):
        plain = loader.post("/", content=query, headers={"Accept-Encoding": method})
        assert "content-encoding" not in plain.headers
        request = loader.build_request(
            "POST",
            "/",
            params={"enable_http_compression": "1"},
            content=query,
            headers={"Accept-Encoding": method},
        )
        response = loader.send(request, stream=True)
        packed = b"".join(response.iter_raw())
        assert (response.status_code, response.headers["content-encoding"]) == (status, method)
        if status == 200:
            assert len(packed) < len(plain.content) / 2
            assert UNPACK[method](packed) == plain.content
        else:
            assert b"Code: 47." in UNPACK[method](packed)


@pytest.mark.parametrize(
    ("method", "packed"),
    [
        ("gzip", gzip.compress(b"SELECT ", mtime=0) + gzip.compress(b"42", mtime=0)),
        ("deflate", zlib.compress(b"SELECT 42")),
        ("zstd", zstd.compress(b"SELECT ") + zstd.compress(b"42")),
        ("lz4", lz4.frame.compress(b"SELECT 42")),
    ],
)
def test_request_compression(loader: httpx.Client, method: str, packed: bytes) -> None:
    assert loader.post("/", content=packed, headers={"Content-Encoding": method}).text == "42\n"
    cut = loader.post("/", content=packed[:-3], headers={"Content-Encoding": method})
    assert cut.headers["x-clickhouse-exception-code"] == "271"
    broken = loader.post("/", content=b"no such thing", headers={"Content-Encoding": method})
    assert broken.headers["x-clickhouse-exception-code"] == "271"


def test_a_session_keeps_temporary_tables_and_set_but_not_the_urls_settings(loader: httpx.Client) -> None:
    session = {"session_id": "one"}

    def ask(query: str, **extra: str) -> httpx.Response:
        return loader.post("/", params={**session, **extra}, content=query)

    assert ask("CREATE TEMPORARY TABLE mine (a UInt8)").status_code == 200
    assert ask("INSERT INTO mine VALUES (7)").status_code == 200
    assert ask("SET max_threads = 5").status_code == 200
    assert ask("SELECT getSetting('max_threads')", max_threads="2").text == "2\n"
    assert ask("SELECT a, getSetting('max_threads') FROM mine").text == "7\t5\n"
    other = loader.post("/", params={"session_id": "two"}, content="SELECT * FROM mine")
    assert other.headers["x-clickhouse-exception-code"] == "60"
    assert ask("SELECT 1", close_session="1").text == "1\n"
    assert ask("SELECT * FROM mine").status_code == 404


def test_a_session_with_extremes_stays_usable(loader: httpx.Client) -> None:
    """What the endpoint asks for itself on the session's connection has extremes then, too."""
    session = {"session_id": "extremes"}
    for query in ("SET extremes = 1", "SELECT 1", "SET max_threads = 2"):
        assert loader.post("/", params={**session, "database": "system"}, content=query).status_code == 200
    answer = loader.post("/", params={**session, "max_threads": "1"}, content="SELECT getSetting('max_threads')")
    assert answer.text == "1\n\n1\n1\n"
    assert loader.post("/", params=session, content="SELECT getSetting('max_threads')").text == "2\n\n2\n2\n"


def test_a_sessions_setting_of_bytes_and_line_ends_comes_back(analyst: httpx.Client) -> None:
    """Put back after a request that had another value."""
    session = {"session_id": "bytes"}
    read = "SELECT hex(getSetting('bool_true_representation'))"
    value = "\\xff\\\\x41\u2028\\r\\n"
    done = analyst.post("/", params=session, content=f"SET bool_true_representation = '{value}'")
    assert done.status_code == 200, done.text
    before = analyst.post("/", params=session, content=read).text
    other = analyst.post("/", params={**session, "bool_true_representation": "yes"}, content="SELECT true")
    assert (other.status_code, other.text) == (200, "yes\n")
    assert analyst.post("/", params=session, content=read).text == before == "FF5C783431E280A80D0A\n"


def test_a_session_that_should_exist_and_one_in_use(loader: httpx.Client) -> None:
    missing = loader.post("/", params={"session_id": "none", "session_check": "1"}, content="SELECT 1")
    assert missing.headers["x-clickhouse-exception-code"] == "372"
    bad = loader.post("/", params={"session_id": "none", "session_timeout": "99999"}, content="SELECT 1")
    assert bad.headers["x-clickhouse-exception-code"] == "374"
    busy = {"session_id": "busy"}
    with loader.stream("POST", "/", params=busy, content="SELECT number FROM numbers(100000000)") as first:
        assert first.status_code == 200
        second = loader.post("/", params=busy, content="SELECT 1")
        assert second.headers["x-clickhouse-exception-code"] == "373"


def test_sessions_of_two_users_are_apart(loader: httpx.Client, analyst: httpx.Client) -> None:
    name = {"session_id": "shared-name"}
    assert loader.post("/", params=name, content="CREATE TEMPORARY TABLE secret (a UInt8)").status_code == 200
    assert "secret" not in analyst.post("/", params=name, content="SHOW TEMPORARY TABLES").text
    assert analyst.post("/", params=name, content="SELECT currentRoles()").text == "['analyst']\n"
