"""Features that clients combine: forms in blocks, versions of Native and blocks with temporary tables."""

from __future__ import annotations

import datetime
import gzip
import io
from collections.abc import Callable

import httpx
import pyarrow as pa
import pytest

from clickhouse_http import EndpointProcess
from tests.support.endpoint import ANALYST, LOADER

from .conftest import SECONDS
from .test_blocks import MIB, block, unpacked
from .test_native_versions import DRIVER, columns, go
from .test_times import AT

QUERY = "SELECT id, note, name FROM ext JOIN events USING id ORDER BY id"
EXTERNAL = {"query": QUERY, "ext_structure": "id UInt64, note String"}


def _form(http: httpx.Client, data: bytes, **fields: str) -> tuple[bytes, dict[str, str]]:
    """A form with ``data`` as its file, and its header."""
    parts: dict[str, tuple[str | None, bytes]] = {name: (None, value.encode()) for name, value in fields.items()}
    built = http.build_request("POST", "/", files={**parts, "ext": ("ext.tsv", data)})
    return built.read(), {"Content-Type": built.headers["content-type"]}


def _code(response: httpx.Response) -> str:
    return str(response.headers.get("x-clickhouse-exception-code", ""))


@pytest.fixture
def ask(analyst: httpx.Client, request: pytest.FixtureRequest) -> Callable[..., httpx.Response]:
    """The analyst, in a session of this test."""
    session = {"session_id": request.node.name}
    return lambda content, **parameters: analyst.post("/", params={**session, **parameters}, content=content)


@pytest.mark.parametrize("user", [LOADER, ANALYST])
@pytest.mark.parametrize("outer", ["", "gzip"])
def test_external_data_in_a_form_in_blocks(endpoint: EndpointProcess, user: tuple[str, str], outer: str) -> None:
    """Cut anywhere, larger than what stays in memory; the query in the form or the URL."""
    data = b"".join(b"%d\t%s\n" % (n, b"x" * 60) for n in range(40_000))
    with httpx.Client(base_url=endpoint.url, auth=user, timeout=30) as http:
        for fields, said in ((EXTERNAL, {}), ({}, EXTERNAL)):
            form, headers = _form(http, data, **fields)
            sent = b"".join(block(form[at : at + 65_521]) for at in range(0, len(form), 65_521))
            if outer:
                sent, headers = gzip.compress(sent), {**headers, "Content-Encoding": outer}
            asked = {**said, "compress": "1", "decompress": "1", "database": "firehose"}
            answer = http.post("/", params=asked, content=sent, headers=headers)
            plain = unpacked(answer.content)
            assert answer.status_code == 200, plain
            assert plain == b"".join(b"%d\t%s\t%d\n" % (n, b"x" * 60, n) for n in range(1000))


@pytest.mark.parametrize(
    ("spoilt", "code"),
    [
        (lambda form: block(form)[:-1], "33"),
        (lambda form: b"\0" * 16 + block(form)[16:], "40"),
        (lambda form: block(form[:-20]), "36"),
        (lambda form: block(form[:-20]) + block(b" " * MIB, 0x90) * 200, "39"),
        (lambda form: block(form[:-20]) + block(bytes(17 * MIB)), "39"),
        (lambda form: form, "432"),
    ],
    ids=["cut off", "checksum", "half a form", "bomb", "a large block", "not packed"],
)
def test_a_broken_form_in_blocks_is_one_error_in_blocks(
    analyst: httpx.Client, spoilt: Callable[[bytes], bytes], code: str
) -> None:
    form, headers = _form(analyst, b"1\ta\n", **EXTERNAL)
    parameters = {"decompress": "1", "compress": "1"}
    answer = analyst.post("/", params=parameters, content=spoilt(form), headers=headers)
    text = unpacked(answer.content).decode()
    assert (_code(answer), text.count("\n")) == (code, 1), text


def test_a_temporary_table_filled_and_read_in_blocks(ask: Callable[..., httpx.Response]) -> None:
    both = {"compress": "1", "decompress": "1"}
    for statement in (
        b"CREATE TEMPORARY TABLE mine (n UInt64, s String)",
        b"INSERT INTO mine FORMAT TSV\n1\tone\n2\ttwo\n",
        b"INSERT INTO mine SELECT id, name FROM events WHERE id = 3",
    ):
        done = ask(block(statement), **both)
        assert (done.status_code, unpacked(done.content)) == (200, b"")
    rows = ask(block(b"3,three\n") + block(b"4,four\n"), query="INSERT INTO mine FORMAT CSV", **both)
    assert rows.status_code == 200, unpacked(rows.content)
    answer = ask(block(b"SELECT n, s FROM mine ORDER BY n, s"), **both)
    assert unpacked(answer.content) == b"1\tone\n2\ttwo\n3\t3\n3\tthree\n4\tfour\n"


@pytest.mark.parametrize("packed", [False, True])
def test_clickhouse_go_in_the_default_database(ask: Callable[..., httpx.Response], packed: bool) -> None:
    """Its blocks of the analyst's own database, of a temporary table, and of what it brings itself."""
    asked = go(compress=str(int(packed)))
    read = ask("SELECT id, name FROM events WHERE id < 2 ORDER BY id", **asked).content
    assert columns(read, DRIVER, packed=packed) == (["id", "name"], [[0, 1], ["0", "1"]])
    assert (
        ask("CREATE TEMPORARY TABLE mine (a UInt64, b LowCardinality(Nullable(String)))", **asked).content == b""
    )
    rows = ask("SELECT 7::UInt64 AS a, 'x'::LowCardinality(Nullable(String)) AS b FORMAT Native").content
    filled = ask(rows, query="INSERT INTO mine FORMAT Native", **asked)
    assert filled.status_code == 200, filled.text
    read = ask("SELECT a, b FROM mine", **asked).content
    assert columns(read, DRIVER, packed=packed) == (["a", "b"], [[7], ["x"]])
    shown = ask("SHOW TEMPORARY TABLES", **asked).content
    assert columns(shown, DRIVER, packed=packed) == (["name"], [["mine"]])


def test_external_data_come_back_by_version_and_as_times(analyst: httpx.Client) -> None:
    query = "SELECT at, sum(n) AS n FROM ext GROUP BY at ORDER BY at"
    said = {"ext_structure": "at DateTime('UTC'), n UInt8", "query": query}
    files = {"ext": ("ext.tsv", b"2026-11-23 12:00:01\t1\n2026-11-23 12:00:02\t2\n")}
    read = analyst.post("/", params=go(**said), files=files).content
    assert columns(read, DRIVER)[1][1] == [1, 2]
    arrow = analyst.post("/", params={**said, "default_format": "ArrowStream"}, files=files)
    times = pa.ipc.open_stream(io.BytesIO(arrow.content)).read_all()["at"]
    assert pa.types.is_timestamp(times.type)
    assert [time.as_py() for time in times] == [AT, AT + datetime.timedelta(seconds=1)]


def test_a_limit_is_lowered_beside_tables_of_ones_own(ask: Callable[..., httpx.Response]) -> None:
    """As Grafana asks; the session has its own value back, and its database, with totals of its answers too."""
    assert ask("SET extremes = 1").status_code == 200
    assert ask("CREATE TEMPORARY TABLE mine AS SELECT 7 AS a").status_code == 200
    high = {"max_execution_time": "65", "database": "system", "send_progress_in_http_headers": "1"}
    answer = ask("SELECT a, getSetting('max_execution_time'), currentDatabase() FROM mine", **high)
    assert answer.headers["x-firehose-clamped"] == f"max_execution_time={SECONDS}"
    assert answer.text.splitlines()[0] == f"7\t{SECONDS}\tsystem"
    assert ask("SELECT currentDatabase(), count() FROM events").text.splitlines()[0] == "firehose\t1000"


def test_readonly_in_the_url_holds_for_tables_of_ones_own(ask: Callable[..., httpx.Response]) -> None:
    """Data that a query brings end with it, so they change nothing."""
    table = "CREATE TEMPORARY TABLE mine (a UInt8)"
    assert _code(ask(table, readonly="1")) == "164"
    assert ask(table).status_code == 200
    assert _code(ask("1\n", query="INSERT INTO mine FORMAT TSV", readonly="1")) == "164"
    assert ask("SELECT count() FROM mine", readonly="1").text == "0\n"


def test_readonly_takes_external_data(analyst: httpx.Client) -> None:
    brought = analyst.post("/", params={**EXTERNAL, "readonly": "1"}, files={"ext": ("ext.tsv", b"1\ta\n")})
    assert brought.text == "1\ta\t1\n"
