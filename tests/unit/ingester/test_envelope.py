"""Queue, cursor and line of each kind of message, and of everything that is none."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingester.contract import wire
from ingester.contract.frame import time_us_of
from ingester.jetstream.envelope import PLAUSIBLE_US, classify, dead_letter

NOW = 1_700_000_000_000_000


def commit(collection: str, record: bytes = b"{}") -> bytes:
    """A commit in ``collection``."""
    head = b'{"did":"did:plc:x","time_us":%d,"kind":"commit","commit":{"operation":"create","collection":"' % NOW
    return head + collection.encode() + b'","record":' + record + b"}}"


@pytest.mark.parametrize(("collection", "queue"), wire.COLLECTION_QUEUES.items())
def test_collections_have_their_queue(collection: str, queue: str) -> None:
    assert classify(commit(collection), 0) == (queue, NOW, commit(collection))


@pytest.mark.parametrize(("kind", "queue"), wire.KIND_QUEUES.items())
def test_kinds_have_their_queue(kind: str, queue: str) -> None:
    message = b'{"time_us":5,"kind":"%s","%s":{"seq":1}}' % (kind.encode(), kind.encode())
    assert classify(message, 0) == (queue, 5, message)


@pytest.mark.parametrize(
    "message",
    [
        commit("app.bsky.actor.profile"),
        commit(""),
        b'{"time_us":7,"kind":"commit"}',
        b'{"time_us":7,"kind":"commit","commit":null}',
        b'{"time_us":7,"kind":"commit","commit":{}}',
        b'{"time_us":7,"kind":"sync"}',
        b'{"time_us":7}',
        # An account event never becomes a post, whatever else it holds.
        b'{"time_us":7,"kind":"sync","commit":{"collection":"app.bsky.feed.post"}}',
    ],
)
def test_what_has_no_queue_of_its_own_goes_to_other_as_it_is(message: bytes) -> None:
    queue, _, line = classify(message, 0)
    assert (queue, line) == (wire.OTHER, message)


@pytest.mark.parametrize(
    "record",
    [
        b'{"t":"\\u0000"}',
        b'{"n":123456789012345678901234567890}',
        b'{"t":"\xff"}',
        b'[1,2,"\\n"]',
    ],
    ids=["nul", "big", "bad-utf8", "array"],
)
def test_the_record_is_not_looked_at(record: bytes) -> None:
    message = commit("app.bsky.feed.post", record)
    assert classify(message, 0) == (wire.POSTS, NOW, message)


@pytest.mark.parametrize(
    ("message", "time_us"),
    [
        (b"", NOW),
        (b"nonsense", NOW),
        (b"[]", NOW),
        (b'"time_us"', NOW),
        (b'{"kind":"commit"}', NOW),
        (b'{"time_us":-5}', NOW),
        (b'{"time_us":"1"}', NOW),
        (b'{"time_us":1.5}', NOW),
        (b'{"time_us":%d,' % (NOW + 9), NOW + 9),
        (b'{"time_us" : %d, "kind":' % (NOW + 9), NOW + 9),
        # A cursor far off would skip events, or repeat a day of them.
        (b'{"time_us":%d,' % (NOW + PLAUSIBLE_US + 1), NOW),
        (b'{"time_us":12,', NOW),
        (b'{"time_us":99999999999999999999999999', NOW),
        (commit("a", b"NaN"), NOW),
        (commit("a", b'"\\ud83d"'), NOW),  # a lone surrogate
        (commit("a", b"[" * 20_000 + b"]" * 20_000), NOW),
    ],
)
def test_what_is_no_event_is_kept_as_a_dead_letter(message: bytes, time_us: int) -> None:
    queue, found, line = classify(message, NOW)
    letter = msgspec.json.decode(line)
    assert (queue, found, letter["kind"], letter["time_us"]) == (
        wire.OTHER,
        time_us,
        wire.DEAD_LETTER_KIND,
        time_us,
    )
    assert msgspec.convert(letter["bytes"], bytes) == message
    assert letter["error"]


def test_the_first_message_of_all_may_name_any_cursor() -> None:
    assert dead_letter(b'{"time_us":12345,', ValueError("x"), 0)[1] == 12345


@given(st.binary() | st.text().map(str.encode), st.integers(0, 2**60))
def test_never_raises_and_every_line_has_a_cursor(message: bytes, last_us: int) -> None:
    queue, time_us, line = classify(message, last_us)
    assert queue in wire.QUEUES
    assert time_us_of(line) == time_us
