"""Identity and account events are known by what they say, not by the number that a relay gives them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from firehose import schema
from firehose.crosscheck.events import read_v1
from firehose.events.rows import decode_rows, to_table
from firehose.lake.identity import identities

DID = "did:plc:casemaaaaaaaaaaaaaaaaaaa"
TIME, LATER = "2026-05-25T17:23:29.950Z", "2026-05-25T17:23:29.951Z"
HANDLE = {"did": DID, "seq": 7, "time": TIME, "handle": "a.example"}
ACTIVE = {"did": DID, "seq": 7, "time": TIME, "active": True}


def names(kind: str, record_type: str, *parts: dict[str, Any]) -> list[str]:
    """The identity of each of these events, in the lake; asserts that crosscheck tells the same ones apart."""
    lines = [msgspec.json.encode({"did": DID, "time_us": 5, "kind": kind, kind: part}) for part in parts]
    rows, _, failed = decode_rows(record_type, lines)
    assert not failed
    found: list[str] = identities(record_type, to_table(record_type, rows, datetime.now(UTC))).to_pylist()
    seen = [read_v1(line) for line in lines]
    compared = [one.identity for one in seen if one is not None]
    assert [compared.index(one) for one in compared] == [found.index(one) for one in found]
    return found


@pytest.mark.parametrize(
    ("kind", "record_type", "part"),
    [("identity", schema.IDENTITIES, HANDLE), ("account", schema.ACCOUNTS, ACTIVE)],
    ids=["identity", "account"],
)
def test_a_relays_number_does_not_tell_events_apart(kind: str, record_type: str, part: dict[str, Any]) -> None:
    """Two relays' copies of an event are one; a relay's events whose numbers are 0 or begin again are several."""
    another_relay = part | {"seq": 900}
    same, copy, later = names(kind, record_type, part, another_relay, part | {"time": LATER})
    assert same == copy != later
    zero = {"seq": 0}
    assert len({*names(kind, record_type, part | zero, part | zero | {"time": LATER})}) == 2


def test_events_of_one_moment_are_told_apart_by_what_they_say() -> None:
    other = HANDLE | {"handle": "b.example"}
    bare = {name: value for name, value in HANDLE.items() if name != "handle"}
    assert len({*names("identity", schema.IDENTITIES, HANDLE, other, bare, HANDLE | {"handle": ""})}) == 4
    gone = ACTIVE | {"active": False}
    assert (
        len({*names("account", schema.ACCOUNTS, ACTIVE, gone, gone | {"status": "deleted"}, ACTIVE | {"x": 1})})
        == 4
    )


def test_without_a_time_the_number_counts() -> None:
    bare = {"did": DID, "seq": 7, "handle": "a.example"}
    first, again, another = names("identity", schema.IDENTITIES, bare, bare, bare | {"seq": 8})
    assert first == again != another
    assert len({*names("identity", schema.IDENTITIES, bare | {"time": ""}, bare | {"time": "", "seq": 8})}) == 2


def test_the_order_of_unknown_fields_makes_no_difference() -> None:
    first, second = names("identity", schema.IDENTITIES, HANDLE | {"a": 1, "b": 2}, HANDLE | {"b": 2, "a": 1})
    assert first == second
