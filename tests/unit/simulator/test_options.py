"""Options: parameters, limits and matching as v1 has them."""

from __future__ import annotations

import json

import pytest

from jetstream_simulator import options
from jetstream_simulator.options import Filter, InvalidOptions, parse_request, parse_update

DID = "did:plc:" + "a" * 24


def test_nothing_asked_for_means_everything() -> None:
    assert parse_request("", "") == (Filter(), None, False, False)
    assert Filter().wants("", "anything.at.all")


@pytest.mark.parametrize(
    ("wanted", "collection", "expected"),
    [
        (["app.bsky.feed.post"], "app.bsky.feed.post", True),
        (["app.bsky.feed.post"], "app.bsky.feed.postgate", False),
        (["app.bsky.graph.*"], "app.bsky.graph.follow", True),
        (["app.bsky.graph.*"], "app.bsky.graphs.follow", False),
        (["app.bsky.graph.*", "app.bsky.feed.post"], "app.bsky.feed.post", True),
        (["app.bsky.graph.*"], "", True),  # identity and account events have no collection
    ],
)
def test_collections(wanted: list[str], collection: str, expected: bool) -> None:
    assert options.make_filter(wanted, [], 0).wants(DID, collection) is expected


def test_dids_apply_to_every_kind() -> None:
    wanted = options.make_filter(["app.bsky.feed.post"], [DID], 0)
    assert wanted.wants(DID, "")
    assert not wanted.wants("did:plc:other", "")
    assert not wanted.wants(DID, "app.bsky.feed.like")


@pytest.mark.parametrize(("text", "size"), [("", 0), ("abc", 0), ("-5", 0), ("0", 0), ("1000", 1000)])
def test_max_message_size(text: str, size: int) -> None:
    assert parse_request(f"maxMessageSizeBytes={text}", "").filter.max_bytes == size


@pytest.mark.parametrize(
    ("text", "cursor"), [("", None), ("0", 0), ("-1", -1), ("1732206349000644", 1732206349000644)]
)
def test_cursor(text: str, cursor: int | None) -> None:
    assert parse_request(f"cursor={text}", "").cursor == cursor


@pytest.mark.parametrize("text", ["abc", "1.5", "1e15", "0x10", "9" * 19, "9" * 40, "%D9%A1"])
def test_cursor_that_is_no_int64(text: str) -> None:
    with pytest.raises(InvalidOptions, match="invalid cursor"):
        parse_request(f"cursor={text}", "")


@pytest.mark.parametrize(
    ("query", "header", "expected"),
    [("compress=true", "", True), ("", "zstd", True), ("compress=1", "", False), ("", "", False)],
)
def test_compress(query: str, header: str, expected: bool) -> None:
    assert parse_request(query, header).compress is expected


def test_limits() -> None:
    names = [f"com.example.a{i}" for i in range(options.MAX_COLLECTIONS)]
    options.make_filter(names, [], 0)
    with pytest.raises(InvalidOptions, match="collections"):
        options.make_filter([*names, "com.example.*"], [], 0)
    dids = [f"did:plc:{i}" for i in range(options.MAX_DIDS)]
    options.make_filter([], [*dids, dids[0]], 0)
    with pytest.raises(InvalidOptions, match="DIDs"):
        options.make_filter([], [*dids, "did:plc:x"], 0)


@pytest.mark.parametrize(
    "name", ["", "post", "app.bsky", "app.bsky.feed.", "app..feed.post", "*", "app.bsky.feed.po st"]
)
def test_malformed_collections(name: str) -> None:
    with pytest.raises(InvalidOptions):
        options.make_filter([name], [], 0)


@pytest.mark.parametrize("did", ["", "did:", "plc:abc", "did:PLC:abc", "did:plc:abc:"])
def test_malformed_dids(did: str) -> None:
    with pytest.raises(InvalidOptions):
        options.make_filter([], [did], 0)


def test_update() -> None:
    payload = {"wantedCollections": ["app.bsky.feed.*"], "wantedDids": [DID], "maxMessageSizeBytes": 9}
    expected = Filter(frozenset(), ("app.bsky.feed.",), frozenset([DID]), 9)
    assert parse_update(json.dumps({"type": "options_update", "payload": payload})) == expected
    assert parse_update('{"type":"options_update"}') == Filter()
    assert parse_update('{"type":"ping","payload":7}') is None


@pytest.mark.parametrize(
    "message",
    [
        "",
        "{",
        "[]",
        '{"type":"options_update","payload":[]}',
        '{"type":"options_update","payload":{"wantedDids":"x"}}',
        '{"type":"options_update","payload":{"wantedCollections":["x"]}}',
    ],
)
def test_invalid_updates(message: str) -> None:
    with pytest.raises(InvalidOptions):
        parse_update(message)
