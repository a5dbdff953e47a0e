"""The quick way and the general way of decoding give the same rows, whatever a line holds."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firehose import schema
from firehose.events import plain
from firehose.events.rows import decode_rows, to_table
from firehose.records.registry import BY_COLLECTION, BY_QUEUE
from ingester.contract import wire
from jetstream_simulator import generate
from tests.support.events import first_synthetic

BATCH = datetime(2026, 11, 23, 20, 40, tzinfo=UTC)
SEED = 4
#: Types of which the simulator, as the network, sends one event in hundreds.
RARE = [of.name for of in BY_QUEUE[wire.OTHER] if of.collections]


def rows_of(record_type: str, lines: Sequence[bytes]) -> list[tuple[bytes, dict[str, Any] | str]]:
    """Each line with its row, or with the reason why it is not one, in the order of the lines' bytes."""
    rows, kept, failed = decode_rows(record_type, lines)
    found: list[tuple[bytes, dict[str, Any] | str]] = [(one.raw, one.reason) for one in failed]
    found += zip(kept, to_table(record_type, rows, BATCH).to_pylist(), strict=True)
    return sorted(found, key=lambda one: one[0])


def both_ways(record_type: str, lines: Sequence[bytes], monkeypatch: pytest.MonkeyPatch) -> int:
    """Decode in both ways and compare; returns how many lines went the quick way."""
    quick = rows_of(record_type, lines)
    taken = len(plain.divide(record_type, lines)[0])
    with monkeypatch.context() as patched:
        patched.setattr(plain, "divide", lambda _, lines: ([], [], list(lines)))
        assert quick == rows_of(record_type, lines)
    return taken


def type_of(line: bytes) -> str:
    for name, record_type in BY_COLLECTION.items():
        if b'"collection":"%s"' % name.encode() in line:
            return record_type
    return schema.OTHER


@pytest.fixture(scope="module")
def of_type() -> dict[str, list[bytes]]:
    """Made-up events of each type, a dozen at least."""
    found: dict[str, list[bytes]] = {}
    for line in generate.events(6000, seed=SEED, malformed=0.05):
        found.setdefault(type_of(line), []).append(line)
    for line in first_synthetic(80_000):
        if (record_type := type_of(line)) in RARE:
            found.setdefault(record_type, []).append(line)
    return found


@pytest.mark.parametrize("record_type", schema.COLLECTIONS)
def test_made_up_events(
    record_type: str, of_type: dict[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = of_type[record_type]
    taken = both_ways(record_type, lines, monkeypatch)
    deletes = sum(b'"operation":"delete"' in line for line in lines)
    assert len(lines) >= 12, "raise the share of the type in MIX of jetstream_simulator/records.py"
    assert 0.5 * len(lines) < taken <= len(lines) - deletes, "most of them go the quick way, and no delete does"


@pytest.mark.parametrize("record_type", schema.COLLECTIONS)
def test_damaged_events(
    record_type: str, of_type: dict[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(SEED)
    lines = of_type[record_type][:400]
    both_ways(record_type, [_damaged(rng, line) for line in lines], monkeypatch)


def _damaged(rng: random.Random, line: bytes) -> bytes:
    start = rng.randrange(len(line))
    piece = rng.choice([b"", b"null", b'"', b"{}", b"[1]", b"7", b"\\ud83d", b"\xff", line[:start], b',"x":1'])
    return line[:start] + piece + line[start + rng.randrange(4) :]


ref = {"uri": "at://did:plc:a/app.bsky.feed.post/b", "cid": "bafy"}
odd = st.sampled_from(
    [None, 1, True, "text", [], {}, [1], {"uri": "u"}, ref, {**ref, "x": 1}, {"a": [{"b": None}]}]
)
records = st.fixed_dictionaries(
    {},
    optional={
        "$type": st.sampled_from([*BY_COLLECTION]) | odd,
        "createdAt": st.just("2026-05-25T14:23:28.778Z") | odd,
        "subject": st.sampled_from([ref, "did:plc:a"]) | odd,
        "via": st.just(ref) | odd,
        "text": st.just("text") | odd,
        "langs": st.just(["en"]) | odd,
        "reply": st.just({"parent": ref, "root": ref}) | odd,
        "embed": st.just({"$type": "app.bsky.embed.record", "record": ref}) | odd,
        "facets": st.just([{"features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "Sky"}]}]) | odd,
        "tags": odd,
        **dict.fromkeys(["displayName", "description", "website", "purpose", "name"], st.just("text") | odd),
        **dict.fromkeys(["avatar", "banner"], st.just({"$type": "blob", "size": 1}) | odd),
        **dict.fromkeys(["pinnedPost", "joinedViaStarterPack"], st.just(ref) | odd),
        **dict.fromkeys(["descriptionFacets", "feeds"], st.just([{"uri": "at://b"}]) | odd),
        "list": st.just("at://did:plc:a/app.bsky.graph.list/b") | odd,
    },
)
commits = st.fixed_dictionaries(
    {"rev": st.just("3mmoojp7vgo2g"), "operation": st.sampled_from(["create", "update", "delete", "upsert"])},
    optional={
        "collection": st.sampled_from([*BY_COLLECTION]) | odd,
        "rkey": st.sampled_from(["3mmoojp7etg2g", "self"]) | odd,
        "record": records | odd,
        "cid": st.just("b") | odd,
        "resync": st.booleans() | odd,
    },
)
events = st.fixed_dictionaries(
    {"did": st.just("did:plc:a") | odd, "kind": st.sampled_from(["commit", "account"]), "commit": commits | odd},
    optional={"time_us": st.sampled_from([1, 2**63, -(2**63)]) | odd, "identity": odd, "account": odd}
    | {"displayed_us": st.sampled_from([5, -5, 2**63, -(2**63), 1.0, 1e300]) | odd},
)


@pytest.mark.parametrize("record_type", schema.COLLECTIONS)
@settings(max_examples=60)  # 60 for each of nine types
@given(made=st.lists(events, min_size=1, max_size=20))
def test_events_of_any_shape(record_type: str, made: list[dict[str, Any]]) -> None:
    lines = [msgspec.json.encode(event) for event in made]
    with pytest.MonkeyPatch.context() as monkeypatch:
        both_ways(record_type, lines, monkeypatch)
