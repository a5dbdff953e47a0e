"""A reader who leaves a search ends it at ClickHouse; a download that fails midway is told and is never whole."""

from __future__ import annotations

import json
import os
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from devstack.embedded.browser import Page
from firehose.errors import FirehoseError
from firehose.warehouse.client import clickhouse_errors, connect
from firehose_ui.leaving import Connections
from tests.integration.ui.conftest import END, YESTERDAY, Site
from tests.integration.ui.test_page import fragment, opened, shown, tab
from tests.support.waiting import until

__all__ = ["tab"]
LONG = "SELECT count() FROM numbers(100000000000) WHERE cityHash64(number) = 1"
#: It fails when a part of its rows was sent.
LATE = "SELECT number, throwIf(number = 1500000, 'too late') FROM numbers(2000000)"
SEARCH = {"q": "onerror", "since": str(int(YESTERDAY.timestamp())), "until": str(int(END.timestamp()))}
#: Nothing here waits longer: clients give up as well, so that no thread is left that a test would wait for.
PATIENCE_S = 60


def test_a_closed_connection_ends_the_query_and_lets_no_other_begin(site: Site) -> None:
    connections = Connections()

    def ask() -> None:
        with clickhouse_errors(), closing(connect(site.settings, "analyst", pool=connections.pool())) as client:
            client.query(LONG)

    before = cancelled(site)
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(ask)
        until(lambda: asked.done() or running(site), PATIENCE_S, what="the query runs")
        connections.close()
        with pytest.raises(FirehoseError):
            asked.result(PATIENCE_S)
    until(lambda: cancelled(site) > before, PATIENCE_S, what="the endpoint has cancelled it")


def test_a_search_that_its_reader_left_is_closed_at_clickhouse(site: Site) -> None:
    with frozen(site) as port:
        with site.client() as client, pytest.raises(httpx.ReadTimeout):
            client.post("/api/search/facets", json=SEARCH, timeout=1)
        # The client has closed its connection; the page's to ClickHouse, which has not answered, is closed too.
        until(lambda: not waiting(port), PATIENCE_S, what="the search is cancelled")
    with site.client() as client:
        assert client.post("/api/search/facets", json=SEARCH).json()["counted"] > 0, "the next search runs"


@pytest.mark.parametrize("output", ["csv", "json", "parquet"])
def test_a_download_that_fails_midway_is_cut_off_and_told(site: Site, output: str) -> None:
    def ask() -> dict[str, Any]:
        with site.client() as other:
            return dict(other.post("/api/download/end", json={"id": output}).json())

    form = {"sql": LATE, "format": output, "id": output}
    with ThreadPoolExecutor() as pool, site.client() as client:
        told = pool.submit(ask)
        if output == "parquet":  # the endpoint makes it whole before it sends any: nothing of it comes
            assert client.post("/api/download", data=form).status_code == 204
        else:
            with pytest.raises(httpx.RemoteProtocolError):
                client.post("/api/download", data=form)
    assert "too late" in told.result(PATIENCE_S)["error"]["text"]


def test_a_whole_download_is_told_and_a_wrong_statement_leaves_the_page(site: Site) -> None:
    with site.client() as client:
        good = client.post("/api/download", data={"sql": "SELECT 1 AS a", "format": "csv", "id": "good"})
        assert good.text == '"a"\n1\n'
        assert client.post("/api/download/end", json={"id": "good"}).json() == {"end": "whole"}
        bad = client.post("/api/download", data={"sql": "SELECT nothing", "format": "csv", "id": "bad"})
        assert bad.status_code == 204
        assert "nothing" in client.post("/api/download/end", json={"id": "bad"}).json()["error"]["text"]


def test_a_browser_keeps_no_file_of_it_and_its_page_says_so(site: Site, tab: Page, tmp_path: Path) -> None:
    tab.do("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    opened(tab, f"{site.url}/sql#{fragment(q=LATE)}")
    tab.run("document.querySelector('.take button[value=csv]').click()")
    assert "rows are missing" in shown(tab, "document.querySelector('.undone')?.textContent")
    assert "too late" in tab.run("document.querySelector('.undone').textContent")
    assert tab.run("location.pathname") == "/sql"
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".csv"] == []
    # One that is whole takes the message away.
    tab.run(f"location.hash = {json.dumps(fragment(q='SELECT 1 AS a'))}")
    shown(tab, "document.querySelector('.take [name=sql]').value == 'SELECT 1 AS a'")
    tab.run("document.querySelector('.take button[value=csv]').click()")
    until(lambda: [path.read_text() for path in tmp_path.glob("*.csv")] == ['"a"\n1\n'], what="the file is whole")
    shown(tab, "!document.querySelector('.undone')")


def port_of(site: Site) -> int:
    return urllib.parse.urlsplit(site.settings.clickhouse_url).port or 0


def waiting(port: int) -> list[Any]:
    """Connections of other processes than the tests' to ClickHouse, which these have not closed."""
    theirs = [one for one in psutil.net_connections("tcp") if one.pid != os.getpid()]
    found = [one for one in theirs if one.status in ("ESTABLISHED", "CLOSE_WAIT")]
    return [one for one in found if one.raddr and one.raddr.port == port]


def running(site: Site) -> bool:
    """Whether ClickHouse is at the query that is long."""
    with closing(connect(site.settings, timeout_s=PATIENCE_S)) as client:
        where = "query LIKE '%cityHash64(number)%' AND query NOT LIKE '%system.processes%'"
        return bool(client.query(f"SELECT count() FROM system.processes WHERE {where}").result_rows[0][0])


def cancelled(site: Site) -> int:
    """How many queries of the analyst the endpoint has cancelled, by its log."""
    log = Path(site.settings.home) / "logs" / "clickhouse.log"
    return log.read_text().count(" of analyst: code 394 ")


def endpoint(site: Site) -> psutil.Process:
    port = port_of(site)
    for process in psutil.Process().children(recursive=True):
        if any(one.laddr.port == port and one.status == "LISTEN" for one in process.net_connections("tcp")):
            return process
    raise AssertionError("the endpoint is not a child of the tests")


@contextmanager
def frozen(site: Site) -> Iterator[int]:
    """ClickHouse accepts questions and does not answer: its process is stopped."""
    process = endpoint(site)
    process.suspend()
    try:
        yield port_of(site)
    finally:
        process.resume()
