"""Archives that ask for a key, meter, redirect and throttle: what the client sends, to whom, and when it stops."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from firehose.backfill.access import MIB, Budget, Key, key_for, origin
from firehose.backfill.client import ArchiveClient
from firehose.errors import BudgetSpent, FirehoseError, ServiceUnavailable, Throttled
from firehose.jetstream import host_of
from firehose.settings import Settings

SECRET = "k3y-that-nobody-may-read"
Answer = tuple[int, dict[str, str], bytes]


class Asked(NamedTuple):
    """A request that came: ``key`` is its header."""

    method: str
    path: str
    key: str | None


class Server:
    """Answers with these, one after the other, the last one again and again; ``asked`` is what came."""

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.asked = list(answers), list[Asked]()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                server.asked.append(Asked(self.command, self.path, self.headers.get("Authorization")))
                status, headers, body = server.answers[0] if len(server.answers) == 1 else server.answers.pop(0)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    running: list[Server] = []
    yield running
    for one in running:
        one.close()


BLOCK: Answer = (200, {}, b"a block")


def client(url: str, pauses: list[float] | None = None, budget: Budget | None = None) -> ArchiveClient:
    """A client with the key of this host, which does not really sleep."""
    host = host_of(url)
    slept = list[float]() if pauses is None else pauses
    return ArchiveClient(host, sleep=slept.append, key=Key(SECRET, origin(host.base)), budget=budget)


def serve(servers: list[Server], *answers: Answer) -> Server:
    servers.append(Server(*answers))
    return servers[-1]


def test_the_key_goes_with_three_calls_and_to_no_other_host(
    servers: list[Server], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    elsewhere = serve(servers, BLOCK)
    here = serve(servers, (200, {}, b'{"segments":[]}'))
    asking = client(here.url)
    assert asking.segments() == []
    here.answers = [(307, {"Location": f"{elsewhere.url}/file?sig=1"}, b"")]
    assert asking.block("seg_1.jss", 0, "x") == b"a block"
    here.answers = [(302, {"Location": "/moved"}, b""), BLOCK]
    assert asking.block("seg_1.jss", 0, "x") == b"a block"
    plan = b'{"plannedThroughSeq":9,"sealedTipSeq":9,"segments":[]}'
    here.answers = [(308, {"Location": "/plan"}, b""), (200, {}, plan)]
    assert list(asking.plan([], [], 0, 9)) == []
    bearer = f"Bearer {SECRET}"
    assert [one.key for one in here.asked] == [None, *[bearer] * 5]
    assert elsewhere.asked == [Asked("GET", "/file?sig=1", None)]
    assert "sig=" not in caplog.text, "the query of a redirect may be a signature"
    assert [(one.method, one.path) for one in here.asked[3:]] == [
        *(("GET", "/moved"), ("POST", "/xrpc/network.bsky.jetstream.planSnapshot"), ("POST", "/plan"))
    ]


@pytest.mark.parametrize(
    ("location", "status", "said"),
    [
        ("", 307, "not to a valid address"),
        ("ftp://host/x", 307, "not to a valid address"),
        ("http://[bad/x", 307, "not to a valid address"),
        ("http://host:99999/x", 307, "not to a valid address"),
        (f"http://{'a' * 64}.example/x", 307, "not to a valid address"),
        ("http://\u2603.example/x".encode().decode("latin-1"), 307, "not to a valid address"),
        ("http://127.0.0.1:1/x", 303, "would be lost"),
        ("/xrpc/again", 308, "over 5 times"),
    ],
)
def test_a_redirect_that_leads_nowhere_is_an_error(
    servers: list[Server], location: str, status: int, said: str
) -> None:
    here = serve(servers, (status, {"Location": location} if location else {}, b""))
    with pytest.raises(ServiceUnavailable, match=said):
        list(client(here.url).plan([], [], 0, 9))


@pytest.mark.parametrize(("status", "said"), [(401, "does not know the key"), (403, "does not allow it")])
def test_a_refused_key_is_said_once_and_never_shown(
    servers: list[Server], status: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = msgspec.json.encode({"error": "InvalidToken", "message": f"no such key: {SECRET}"})
    here = serve(servers, (status, {}, echo))
    with pytest.raises(FirehoseError, match=said) as caught:
        client(here.url).block("seg_1.jss", 0, "x")
    assert len(here.asked) == 1, "asking again would not help"
    assert SECRET not in f"{caught.value}{caplog.text}{Key(SECRET, origin(here.url))!r}"
    here.answers = [(status, {}, msgspec.json.encode({"message": "x" * 190 + SECRET}))]
    with pytest.raises(FirehoseError) as cut:
        client(here.url).block("seg_1.jss", 0, "x")
    assert SECRET[:5] not in str(cut.value), "nor a part of it, where what is said is cut"
    here.answers = [(401, {}, b"{}")]
    with pytest.raises(FirehoseError, match=r"asks for a key: set FIREHOSE_ARCHIVE_KEY .* FIREHOSE_ARCHIVE_URL"):
        ArchiveClient(host_of(here.url), sleep=lambda _: None).block("seg_1.jss", 0, "x")


def test_a_host_that_asks_to_wait_is_not_asked_before(servers: list[Server]) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    here = serve(servers, (429, {"Retry-After": "7"}, b""), (503, {"Retry-After": at}, b""), (503, {}, b""), BLOCK)
    pauses: list[float] = []
    assert client(here.url, pauses).block("seg_1.jss", 0, "x") == b"a block"
    assert pauses[0] == 7 and 30 < pauses[1] <= 40 and pauses[2] == 0.5


def test_a_host_that_asks_to_wait_for_long_ends_the_run(servers: list[Server]) -> None:
    here = serve(servers, (429, {"Retry-After": "3600"}, b'{"error":"RateLimitExceeded"}'))
    with pytest.raises(
        Throttled, match=r"HTTP 429 RateLimitExceeded; it asks to wait 3600 s: run the backfill again then"
    ):
        client(here.url).block("seg_1.jss", 0, "x")
    assert len(here.asked) == 1
    here.answers = [(429, {"Retry-After": "soon"}, b"")]
    pauses: list[float] = []
    with pytest.raises(Throttled):
        client(here.url, pauses).block("seg_1.jss", 0, "x")
    assert sum(pauses) <= 120, "nobody is asked without end"


def test_every_byte_counts_and_nothing_is_asked_for_beyond_the_budget(servers: list[Server]) -> None:
    kept: list[int] = []
    here = serve(servers, (500, {}, b"{}"), BLOCK)
    asking = client(here.url, budget=Budget(run=10, day=100, today=80, keep=kept.append))
    asking.block("seg_1.jss", 0, "x")
    asking.block("seg_1.jss", 0, "x")
    assert (asking.budget.spent, kept) == (14, [7, 7])
    asked = len(here.asked)
    with pytest.raises(BudgetSpent, match=r"FIREHOSE_ARCHIVE_RUN_MIB=0 leaves no room for a block of seg_1.jss"):
        asking.block("seg_1.jss", 0, "x")
    assert len(here.asked) == asked


@pytest.mark.parametrize(
    ("budget", "wanted", "said"),
    [
        (Budget(run=MIB), 2 * MIB, "RUN_MIB=1 .* 2.0 MiB needed.*; raise it$"),
        (Budget(day=3 * MIB, today=2 * MIB), 2 * MIB, r"DAY_MIB=3 .*run the backfill again tomorrow \(UTC\)"),
        (Budget(run=MIB, day=5 * MIB), MIB, ""),
        (Budget(), 1 << 50, ""),
    ],
)
def test_what_a_budget_allows(budget: Budget, wanted: int, said: str) -> None:
    if not said:
        return budget.allow(wanted, "x")
    with pytest.raises(BudgetSpent, match=said):
        budget.allow(wanted, "x")


def settings(tmp_path: Path, **fields: Any) -> Settings:
    given = {"archive_url": "wss://archive.example/xrpc/network.bsky.jetstream.subscribeEvents"} | fields
    return Settings(home=str(tmp_path), lake=str(tmp_path), **given)


def test_a_key_belongs_to_one_host(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one = settings(tmp_path, archive_key=SECRET)
    key = key_for(one, host_of("https://archive.example"))
    assert key is not None and key.header("https://archive.example:443/a?b") == {
        "Authorization": f"Bearer {SECRET}"
    }
    for url in ("https://archive.example.org", "http://archive.example", "https://archive.example:8443"):
        assert key.header(f"{url}/a") == {} and key_for(one, host_of(url)) is None
    assert "not sent" in caplog.text and SECRET not in caplog.text
    assert key_for(settings(tmp_path), host_of("https://archive.example")) is None
    (tmp_path / "key").write_text(f"{SECRET}\n")
    filed = settings(tmp_path, archive_key_file=str(tmp_path / "key"))
    assert key_for(filed, host_of("https://archive.example")) == key


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"archive_key": SECRET, "archive_url": ""}, "FIREHOSE_ARCHIVE_URL"),
        ({"archive_key": SECRET, "archive_url": "ws://archive.example/subscribe"}, "unencrypted"),
        ({"archive_key": f"{SECRET}\r\nX: y"}, "visible ASCII"),
        ({"archive_key": f"{SECRET}é"}, "visible ASCII"),
        ({"archive_key_file": "nowhere"}, "No such file"),
        ({"archive_key_file": "/dev/null"}, "is empty"),
    ],
)
def test_a_key_that_cannot_be_used_is_one_line_without_it(
    tmp_path: Path, fields: dict[str, str], said: str
) -> None:
    one = settings(tmp_path, **fields)
    with pytest.raises(FirehoseError, match=said) as caught:
        key_for(one, host_of(one.archive_url or "wss://archive.example/subscribe"))
    assert SECRET not in str(caught.value) and "\n" not in str(caught.value)
