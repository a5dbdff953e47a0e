"""The small pure parts: delays, URLs, log lines, decompression, judging failures, the notifier's pace."""

from __future__ import annotations

import itertools
import socket
from pathlib import Path

import msgspec
import pytest
import zstandard
from websockets.datastructures import Headers
from websockets.exceptions import (
    ConnectionClosedError,
    InvalidMessage,
    InvalidStatus,
    InvalidURI,
)
from websockets.frames import Close
from websockets.http11 import Response

from ingester.backoff import delays
from ingester.contract.settings import IngesterSettings, SettingsError
from ingester.health import INTERVAL_S, Notifier
from ingester.jetstream import session
from ingester.jetstream.dictionary import TooLarge, from_file
from ingester.jetstream.disconnected import Cause, Disconnected
from ingester.jetstream.hosts import hosts, subscribe_url

DEFAULTS = IngesterSettings(jetstream_url="wss://jet.example/subscribe")
V2_URL = "wss://jet.example/xrpc/network.bsky.jetstream.subscribeEvents"


def url(at: int = 0, *, skip_large: bool = False, dictionary: int = 0, **changes: object) -> str:
    """The subscription's URL with settings that differ by ``changes``."""
    settings = msgspec.structs.replace(DEFAULTS, **changes)
    (host,) = hosts(settings)
    return subscribe_url(settings, host, at, skip_large=skip_large, dictionary=dictionary)


def test_delays_double_up_to_the_maximum() -> None:
    assert list(itertools.islice(delays(1, 5, lambda: 1.0), 5)) == [1, 2, 4, 5, 5]
    assert list(itertools.islice(delays(1, 5, lambda: 0.0), 5)) == [0.5, 1, 2, 2.5, 2.5]
    assert next(delays(1, 0.1, lambda: 1.0)) == 0.1


def test_urls() -> None:
    assert url() == "wss://jet.example/subscribe"
    assert url(8_000_000) == "wss://jet.example/subscribe?cursor=8000000"
    assert url(wanted_collections=" a.b , c.* ,").endswith("?wantedCollections=a.b&wantedCollections=c.%2A")
    assert url(dictionary=7).endswith("?compress=true")
    assert url(skip_large=True, max_message_bytes=5000).endswith("?maxMessageSizeBytes=5000")
    assert url(5_000_000, jetstream_url="ws://h:1/s?x=1").startswith("ws://h:1/s?x=1&cursor=")


def test_v2_urls() -> None:
    assert url(jetstream_url=V2_URL) == V2_URL
    assert url(jetstream_url=V2_URL, wanted_collections="a.b,c.*").endswith("?collections=a.b&collections=c.%2A")
    assert url(12, jetstream_url=V2_URL, dictionary=20260811, skip_large=True, max_message_bytes=5000) == (
        f"{V2_URL}?zstdDictionary=20260811&maxMessageSizeBytes=5000&cursor=12"
    )


@pytest.mark.parametrize("wrong", ["http://h/s", "", "ws://", "jetstream"])
def test_wrong_urls_name_the_setting(wrong: str) -> None:
    for given in (wrong, f"wss://h/subscribe,{wrong}"):
        with pytest.raises(SettingsError, match="FIREHOSE_JETSTREAM_URL"):
            hosts(msgspec.structs.replace(DEFAULTS, jetstream_url=given))


def test_hosts_keep_their_order_and_have_no_login() -> None:
    given = f"wss://u:p@h:9/s, {V2_URL}?kinds=commit,wss://jet.example/subscribe"
    assert [
        (host.name, host.protocol) for host in hosts(msgspec.structs.replace(DEFAULTS, jetstream_url=given))
    ] == [
        ("h:9", "v1"),
        ("jet.example", "v2"),
        ("jet.example", "v1"),
    ]


def refusal(status: int) -> InvalidStatus:
    """The exception for a handshake answered with ``status``."""
    return InvalidStatus(Response(status, "Reason", Headers(), b"why\n"))


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("refused"),
        TimeoutError("late"),
        ConnectionClosedError(None, None),
        ConnectionClosedError(Close(1001, "going"), None),
        InvalidMessage("no HTTP"),
        *map(refusal, (200, 408, 425, 429, 500, 502, 503, 504)),
    ],
    ids=repr,
)
def test_passing_failures(error: Exception) -> None:
    failure = session.classify(error, "ws://h/s")
    cause, reason = failure.cause, failure.text
    assert cause is not Cause.REFUSED
    assert reason and "\n" not in reason
    assert isinstance(error, session.FAILURES)


@pytest.mark.parametrize("error", [*map(refusal, (400, 401, 403, 404)), InvalidURI("x", "bad")], ids=repr)
def test_lasting_failures(error: Exception) -> None:
    failure = session.classify(error, "ws://user:secret@h/s")
    cause, reason = failure.cause, failure.text
    assert cause is Cause.REFUSED
    assert "secret" not in reason and "\n" not in reason
    assert isinstance(error, session.FAILURES)


def test_only_our_own_close_over_size_counts_as_too_large() -> None:
    assert session.classify(ConnectionClosedError(None, Close(1009, "")), "").cause is Cause.OVERSIZE
    assert session.classify(ConnectionClosedError(Close(1009, ""), None), "").cause is Cause.DROPPED


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ConnectionClosedError(Close(1001, "going"), None), Cause.DROPPED),
        (ConnectionRefusedError("refused"), Cause.UNREACHABLE),
        (InvalidStatus(Response(503, "", Headers(), b"starting")), Cause.UNREACHABLE),
        (InvalidStatus(Response(400, "", Headers(), b'{"error":"CursorTooOld"}')), Cause.CURSOR_TOO_OLD),
        (
            InvalidStatus(Response(400, "", Headers(), b'{"error":"UnknownZstdDictionary"}')),
            Cause.UNKNOWN_DICTIONARY,
        ),
    ],
)
def test_causes(error: Exception, cause: Cause) -> None:
    with pytest.raises(Disconnected) as failure, session.disconnecting("ws://h/s"):
        raise error
    assert failure.value.cause is cause


@pytest.mark.parametrize("sized", [True, False], ids=["sized", "unsized"])
def test_decompression_is_bounded(sized: bool, tmp_path: Path) -> None:
    samples: list[bytes | bytearray | memoryview] = [b'{"kind":"commit","n":%d}' % n * 20 for n in range(200)]
    trained = zstandard.train_dictionary(2000, samples)
    (tmp_path / "d").write_bytes(trained.as_bytes())
    decompress = from_file(str(tmp_path / "d"), 1 << 20).decompress
    compress = zstandard.ZstdCompressor(dict_data=trained, write_content_size=sized).compress
    for message in (b"", b"{}", samples[0], b"x" * (1 << 20)):
        assert decompress(compress(message)) == message
    with pytest.raises(TooLarge):
        decompress(compress(b"x" * ((1 << 20) + 1)))
    assert decompress(b'{"plain":1}') == b'{"plain":1}'
    if sized:  # without a size a cut frame is only shorter, and then no JSON
        with pytest.raises(zstandard.ZstdError):
            decompress(compress(samples[0])[:-3])


@pytest.mark.parametrize("content", [None, b"", b"no dictionary"])
def test_wrong_dictionaries_name_the_setting(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "d").write_bytes(content)
    with pytest.raises(SettingsError, match="FIREHOSE_ZSTD_DICTIONARY"):
        from_file(str(tmp_path / "d"), 1 << 20)


def test_the_watchdog_is_fed_at_most_once_an_interval(tmp_path: Path) -> None:
    now = 100.0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "s"))
        systemd.setblocking(False)
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "s")}, lambda: now)
        notifier.ready("up")
        assert systemd.recv(100) == b"READY=1\nSTATUS=up"
        for _ in range(5):
            notifier.progress()
        assert systemd.recv(100) == b"WATCHDOG=1"
        with pytest.raises(BlockingIOError):
            systemd.recv(100)
        now += INTERVAL_S
        notifier.progress()
        assert systemd.recv(100) == b"WATCHDOG=1"
    notifier.progress()


def test_a_dead_notify_socket_is_no_error(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready("up")
    Notifier({}).ready("up")
