"""What is an event and what is not, with the reason and the bytes that came over the wire."""

from __future__ import annotations

import pytest

from firehose.events.envelope import Undecodable, decode_event
from ingester.contract.wire import dead_letter

COMMIT = b'{"did":"did:plc:a","time_us":5,"kind":"commit","commit":{"rev":"r","operation":"delete",'
COMMIT += b'"collection":"c","rkey":"k"}}'


def test_a_delete_has_neither_record_nor_cid() -> None:
    event = decode_event(COMMIT)
    assert event.commit is not None
    assert (bytes(event.commit.record), event.commit.cid) == (b"", None)


def test_unknown_keys_are_no_error() -> None:
    assert decode_event(COMMIT.replace(b'"did"', b'"cursor":31234567890,"did"', 1)).time_us == 5


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "truncated"),
        (b'{"did":1,"time_us":5,"kind":"commit"}', "$.did"),
        (b'{"did":"d","time_us":5,"kind":"commit"}', "without its part"),
        (b'{"did":"d","time_us":5,"kind":"identity","commit":null}', "without its part"),
        (b'{"did":"d","time_us":5,"kind":"sync"}', "'sync'"),
        (b'{"did":"d","kind":"commit"}', "time_us"),
        (b'{"did":"d","time_us":NaN,"kind":"commit"}', "envelope"),
        (b"[" * 20_000, "envelope"),
    ],
)
def test_a_line_that_is_no_event_says_why(line: bytes, reason: str) -> None:
    with pytest.raises(Undecodable) as caught:
        decode_event(line)
    assert reason in caught.value.reason
    assert caught.value.raw == line


def test_a_dead_letter_gives_the_message_back_as_it_came() -> None:
    message = b'{"did": \xff\xfe broken'
    with pytest.raises(Undecodable) as caught:
        decode_event(dead_letter(message, "invalid UTF-8", 77))
    assert (caught.value.raw, caught.value.time_us) == (message, 77)
    assert "invalid UTF-8" in caught.value.reason


def test_an_event_that_speaks_of_dead_letters_is_still_an_event() -> None:
    tricky = COMMIT.replace(b'"rkey":"k"', b'"rkey":"k","record":{"kind":"#undecodable"}')
    assert decode_event(tricky).time_us == 5
