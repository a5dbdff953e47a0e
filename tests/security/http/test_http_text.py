"""Control characters in what a client sends: an error, never a line of the log or a header."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest

from clickhouse_http import EndpointProcess
from tests.support.endpoint import ANALYST, LOADER

from .tools import WAIT_S, Socket, ask, code, endpoint

FORGED = "forged-line-of-the-log"
#: NUL, line ends of all kinds, escape sequences of a terminal, text that runs backwards.
CONTROLS = ["\0", "\n", "\r\n", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u202e"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointProcess]:
    with endpoint(tmp_path_factory.mktemp("text")) as made:
        yield made
        log = made.log.read_text()
        assert FORGED not in log
        assert "Traceback" not in log


@pytest.mark.parametrize("control", CONTROLS, ids=ascii)
@pytest.mark.parametrize(
    "name",
    [
        *("query_id", "session_id", "default_format", "database", "user", "password", "quota_key", "log_comment"),
        *("max_threads", "session_timeout", "role", "no_such_setting", "wait_end_of_query"),
    ],
)
def test_a_control_character_in_a_parameter_is_400(running: EndpointProcess, name: str, control: str) -> None:
    with httpx.Client(base_url=running.url, timeout=WAIT_S) as http:
        target = f"/?{name}={quote(f'a{control}{FORGED}')}"
        answer = http.post(target, content="SELECT 1", auth=ANALYST)
        assert (answer.status_code, code(answer)) == (400, "36"), answer.text
        assert name in answer.text
        # A refused body costs its connection at most; the next one is served.
        assert http.post("/", content="SELECT 1", auth=ANALYST).text == "1\n"


@pytest.mark.parametrize("control", CONTROLS, ids=ascii)
def test_nor_may_a_name_have_one(running: EndpointProcess, control: str) -> None:
    target = f"{running.url}/?{quote(f'max_threads{control}{FORGED}')}=1"
    answer = httpx.post(target, content="SELECT 1", auth=ANALYST, timeout=WAIT_S)
    assert (answer.status_code, code(answer)) == (400, "36")


@pytest.mark.parametrize("control", ["\0", "\x1b", "\x7f"], ids=ascii)
@pytest.mark.parametrize("name", ["query", "param_x"])
def test_text_may_have_line_ends_and_no_other_control(running: EndpointProcess, name: str, control: str) -> None:
    query = {"query": "SELECT\n\t{x:String}\r\n", "param_x": "one\\ntwo"}
    assert httpx.post(running.url, params=query, auth=ANALYST).text == "one\\ntwo\n"
    refused = httpx.post(running.url, params={**query, name: query[name] + control}, auth=ANALYST)
    assert (refused.status_code, code(refused)) == (400, "36")


def test_a_login_with_a_control_character(running: EndpointProcess) -> None:
    answer = ask(running, "SELECT 1", (f"a\n{FORGED}", "b"))
    assert (answer.status_code, code(answer)) == (400, "36")


def test_a_form_is_no_way_around(running: EndpointProcess) -> None:
    fields = {"query": (None, "SELECT 1"), "query_id": (None, f"a\n{FORGED}")}
    answer = httpx.post(running.url, files=fields, auth=LOADER, timeout=WAIT_S)
    assert (answer.status_code, code(answer)) == (400, "36")


@pytest.mark.parametrize("header", ["X-ClickHouse-Database", "X-ClickHouse-Format", "X-ClickHouse-User"])
def test_headers_neither(running: EndpointProcess, header: str) -> None:
    tab = httpx.post(running.url, content="SELECT 1", headers={header: f"a\t{FORGED}"}, auth=LOADER)
    assert tab.status_code == 400
    with Socket(running) as sending:
        sending.send(f"GET /ping HTTP/1.1\r\nHost: localhost\r\n{header}: a\0{FORGED}\r\n\r\n".encode())
        assert b" 400 " in sending.received()


def test_a_response_is_not_split(running: EndpointProcess) -> None:
    """What a client names comes back in headers only as it may stand there."""
    answer = ask(running, "SELECT 1 AS `a\r\nX-Forged: 1` FORMAT TabSeparatedWithNames", ANALYST, query_id="mine")
    assert "x-forged" not in answer.headers
    assert answer.headers["x-clickhouse-query-id"] == "mine"
    accented = ask(running, "SELECT 1", ANALYST, query_id="één")
    assert (accented.status_code, accented.text) == (200, "1\n")


def test_a_delimiter_may_be_a_tab(running: EndpointProcess) -> None:
    answer = ask(running, "SELECT 1, 2 FORMAT CSV", ANALYST, format_csv_delimiter="\t")
    assert answer.text == "1\t2\n"


def test_parameters_have_a_number_and_names_a_length(running: EndpointProcess) -> None:
    many = "&".join(f"param_p{number}=1" for number in range(2000))
    for target in (f"/?{many}", f"/?{'n' * 1000}=1", f"/?query_id={'i' * 1000}"):
        answer = httpx.post(running.url + target, content="SELECT 1", auth=ANALYST, timeout=WAIT_S)
        assert (answer.status_code, code(answer)) == (400, "36")


@pytest.mark.parametrize(
    "text",
    ["/*" * 100_000, "'\\" * 100_000, "\"'`" * 80_000, "INSERT INTO t.rows " + "(" * 200_000],
    ids=["comments", "escapes", "quotes", "brackets"],
)
def test_a_text_without_end_takes_no_time(running: EndpointProcess, text: str) -> None:
    """Looking for the end of each comment or quote again and again took minutes."""
    answer = ask(running, text, ANALYST)
    assert answer.status_code in (400, 413, 500)
