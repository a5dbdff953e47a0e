"""Identifiers: the same ones as the network's, checked against known values and recorded events."""

from __future__ import annotations

import base64
import hashlib
import json

from jetstream_simulator import identifiers
from tests.support.recorded import Recording


def test_tid_round_trips_and_sorts() -> None:
    def decode(tid: str) -> int:
        n = 0
        for character in tid:
            n = n * 32 + identifiers.TID_ALPHABET.index(character)
        return n

    time_us, clock = 1_732_206_349_000_644, 517
    tid = identifiers.tid(time_us, clock)
    assert len(tid) == 13
    assert decode(tid) == time_us << 10 | clock
    assert tid < identifiers.tid(time_us + 1, 0)


def test_dids_differ_by_account_and_seed() -> None:
    did = identifiers.did(1, 2)
    assert did == identifiers.did(1, 2)
    assert len({did, identifiers.did(1, 3), identifiers.did(2, 2)}) == 3
    assert did.startswith("did:plc:") and len(did) == 32


def test_iso_has_milliseconds() -> None:
    assert identifiers.iso(1_732_206_349_001_999) == "2024-11-21T16:25:49.001Z"


def test_cid_is_the_hash_of_the_dag_cbor() -> None:
    # Written out by hand: a map of two, its keys sorted by length, then {"a": 1, "bb": link to nothing}.
    blob = identifiers.blob_cid(bytes(32))
    link = b"\xd8\x2a\x58\x25\x00\x01\x55\x12\x20" + bytes(32)
    cbor = b"\xa2" + b"\x61a" + b"\x01" + b"\x62bb" + link
    digest = b"\x01\x71\x12\x20" + hashlib.sha256(cbor).digest()
    expected = "b" + base64.b32encode(digest).decode().lower().rstrip("=")
    assert identifiers.record_cid({"bb": {"$link": blob}, "a": 1}, links=True) == expected
    assert expected.startswith("bafyrei")


def test_cids_are_those_of_recorded_events(recording: Recording) -> None:
    checked = 0
    for line in (line for path in recording.v1 for line in path.read_bytes().splitlines()):
        commit = json.loads(line).get("commit", {})
        if "record" in commit:
            assert identifiers.record_cid(commit["record"], links=True) == commit["cid"]
            checked += 1
    assert checked > 900
