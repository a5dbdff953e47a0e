"""Web pages and foreign host names: a browser on the same machine must not become an attacker's hand."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from clickhouse_http import EndpointProcess
from devstack.embedded.redis import free_port
from tests.support.endpoint import LOADER
from tests.support.waiting import until

from .tools import WAIT_S, ask, endpoint

FRIEND = "https://notebook.example:8443"
OTHER_HOST = "clickhouse.example"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointProcess]:
    home = tmp_path_factory.mktemp("origins")
    with endpoint(home, http_allowed_hosts=f"x.example, {OTHER_HOST}", http_allowed_origins=FRIEND) as made:
        yield made


def _insert(running: EndpointProcess, **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(
        running.url, content="INSERT INTO t.rows VALUES (1, 'x')", headers=sent, auth=LOADER, timeout=WAIT_S
    )


def _rows(running: EndpointProcess) -> int:
    return int(ask(running, "SELECT count() FROM t.rows").text)


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8123", "localhost.evil.example", "evil@localhost", "", "a b"),
        *("[::2]", "0.0.0.0"),  # noqa: S104 - not bound to
    ],
)
def test_a_foreign_host_is_refused(running: EndpointProcess, host: str) -> None:
    """DNS rebinding: the page's own name, made to mean this machine."""
    before = _rows(running)
    answer = _insert(running, Host=host)
    assert answer.status_code == 403
    assert "FIREHOSE_HTTP_ALLOWED_HOSTS" in answer.text
    assert httpx.get(running.url + "/ping", headers={"Host": host}).status_code == 403
    assert _rows(running) == before


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost:1", "127.0.0.1", "127.9.9.9:80", "[::1]", "[::1]:8123", OTHER_HOST]
)
def test_names_of_this_machine_and_listed_ones_are_served(running: EndpointProcess, host: str) -> None:
    assert httpx.get(running.url + "/ping", headers={"Host": host}).text == "Ok.\n"


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://notebook.example", "http://localhost:1"]
)
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
def test_a_foreign_page_cannot_send_a_query(running: EndpointProcess, origin: str, content_type: str) -> None:
    """A browser sends such a request without asking first, and adds the login that it knows."""
    before = _rows(running)
    answer = _insert(running, Origin=origin, Content_Type=content_type)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    assert _rows(running) == before


def test_a_page_of_the_server_itself_and_a_listed_one_may(running: EndpointProcess) -> None:
    before = _rows(running)
    assert _insert(running, Origin=running.url).status_code == 200
    answer = _insert(running, Origin=FRIEND)
    assert answer.headers["access-control-allow-origin"] == FRIEND
    assert _rows(running) == before + 2


def test_preflight_is_answered_for_listed_origins_only(running: EndpointProcess) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,x-a"}
    friend = httpx.options(running.url, headers={"Origin": FRIEND, **asked})
    assert (friend.status_code, friend.headers["access-control-allow-origin"]) == (200, FRIEND)
    assert "authorization" in friend.headers["access-control-allow-headers"]
    foreign = httpx.options(running.url, headers={"Origin": "http://evil.example", **asked})
    assert foreign.status_code == 403
    assert "access-control-allow-origin" not in foreign.headers


@pytest.fixture
def data_docs(tmp_path: Path) -> Iterator[str]:
    """The demo's server of Data Docs, with two pages; and a secret beside the pages."""
    pages = tmp_path / "lake" / "_quality" / "docs"
    pages.mkdir(parents=True)
    (pages.parent / "index.html").write_text("<h1>home</h1>")
    (pages / "index.html").write_text("<h1>docs</h1>")
    (tmp_path / "lake" / "secret.txt").write_text("secret")
    (pages / "link.txt").symlink_to(tmp_path / "lake" / "secret.txt")
    port = free_port()
    environment = {"FIREHOSE_HOME": str(tmp_path), "FIREHOSE_LAKE": str(tmp_path / "lake")}
    environment["FIREHOSE_DOCS_PORT"] = str(port)
    command = [sys.executable, "-m", "devstack.demo.docs_server"]
    with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL) as server:
        url = f"http://127.0.0.1:{port}"
        try:
            until(lambda: _answers(url))
            yield url
        finally:
            server.terminate()


def _answers(url: str) -> bool:
    try:
        httpx.get(url)
    except httpx.TransportError:
        return False
    return True


def test_data_docs_are_for_this_machine_and_read_only(data_docs: str) -> None:
    assert httpx.get(data_docs).text == "<h1>home</h1>"
    assert httpx.get(data_docs + "/docs/", follow_redirects=True).text == "<h1>docs</h1>"
    assert httpx.get(data_docs + "/docs/index.html", headers={"Host": "evil.example"}).status_code == 403
    assert httpx.get(data_docs + "/docs/index.html", headers={"Origin": "http://evil.example"}).status_code == 403
    assert httpx.post(data_docs + "/docs/index.html").status_code == 405
    for path in ("/docs/link.txt", "/..%2fsecret.txt", "/docs/..%2f..%2fsecret.txt", "/%2e%2e/secret.txt"):
        answer = httpx.get(data_docs + path)
        assert (answer.status_code, "secret" in answer.text) == (404, False)
