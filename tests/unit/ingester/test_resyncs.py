"""Records that a resync sends again are marked, new ones are not, and what is remembered is bounded."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ingester.buffer.buffers import Buffer, BufferV2
from ingester.contract.resyncs import MOST, Resyncs, marked
from ingester.contract.wire import join_lines
from ingester.position.position import AfterEvent

METHOD = "network.bsky.jetstream.subscribeEvents"
DID, REV = "did:plc:casemaaaaaaaaaaaaaaaaaaa", "3mmoylkzlm223"
HERE = AfterEvent(1, 7, "h", "v2")
TIME_US = 1_780_000_000_000_000


def v1(kind: str, did: str = DID, rev: str = REV, operation: str = "create", rkey: str = "k") -> bytes:
    """An event in v1's form."""
    part: dict[str, Any] = {"rev": rev, "operation": operation, "collection": "a.b.c", "rkey": rkey}
    if kind == "sync":
        part = {"did": did, "rev": rev, "seq": 5, "time": "2026-05-25T17:23:29.950Z"}
    return msgspec.json.encode({"did": did, "time_us": TIME_US, "kind": kind, kind: part})


def v2(kind: str, did: str = DID, rev: str = REV, operation: str = "create", **more: Any) -> bytes:
    """The same as a v2 frame."""
    part: dict[str, Any] = {"rev": rev, "operation": operation, "collection": "a.b.c", "rkey": "k", "cid": "c"}
    if kind == "sync":
        part = {"sync": {"did": did, "rev": rev, "seq": 5}}
    payload = {"$type": f"{METHOD}#{kind}", "seq": 5, "did": did, "time": "2026-05-25T17:23:29.950000Z"}
    return msgspec.json.encode({"$type": "message", "payload": payload | part | more})


FORMS: list[tuple[Any, Any]] = [(Buffer, v1), (BufferV2, v2)]


def marks(buffer: Buffer) -> list[bool]:
    """Whether each line of a buffer bears the mark."""
    lines = [line for queue in buffer._lines.values() for line in queue]
    return [msgspec.json.decode(line).get("commit", {}).get("resync", False) for line in lines]


@pytest.mark.parametrize(("kind", "form"), FORMS, ids=["v1", "v2"])
def test_creates_under_the_revision_of_a_sync_event_are_marked(kind: Any, form: Any) -> None:
    buffer = kind(HERE, "h")
    buffer.begin(form("commit"))  # before the sync event: nothing has announced it
    buffer.placed = True
    for event in (
        *(form("sync"), form("commit"), form("commit", rev="3mmoylkzlm224"), form("commit", did=DID + "b")),
        *(form("commit", operation="update"), form("commit", operation="delete")),
    ):
        buffer.add(event)
    assert marks(buffer) == [False, False, True, False, False, False, False]
    later = buffer.fresh()
    later.add(form("commit"))
    assert marks(later) == [True], "the next flush goes on with what is known"


def test_a_frame_with_unknown_fields_is_marked_too() -> None:
    buffer = BufferV2(HERE, "h")
    buffer.placed = True
    for frame in (v2("sync"), v2("commit", sig="x")):
        buffer.add(frame)
    assert marks(buffer) == [False, True]


def test_a_marks_line_is_else_the_same() -> None:
    line = v1("commit")
    record = b'{"text": "a\\u0026b" , "n":1.0}'
    line = line.replace(b'"rkey":"k"', b'"rkey":"k","record":' + record)
    after = marked(line)
    assert record in after and join_lines([after]) == after + b"\n"
    before = msgspec.json.decode(line)
    assert msgspec.json.decode(after) == before | {"commit": before["commit"] | {"resync": True}}


def test_what_is_remembered_is_bounded_and_those_at_work_stay() -> None:
    resyncs = Resyncs()
    resyncs.announce(DID, REV)
    for number in range(5 * MOST):
        resyncs.announce(f"did:plc:{number}", f"{number:013}")
        assert resyncs.has(DID, REV), "its records are still coming"
    assert len(msgspec.json.decode(resyncs.state)) == MOST
    assert not resyncs.has("did:plc:0", f"{0:013}") and not resyncs.may_have(b'"0000000000000"')
    assert resyncs.has(f"did:plc:{5 * MOST - 1}", f"{5 * MOST - 1:013}")


def test_the_next_process_knows_what_this_one_knew() -> None:
    first, second = Resyncs(), Resyncs()
    assert first.state == b"[]"
    first.take(v1("sync"))
    second.learn(first.state)
    assert second.has(DID, REV) and second.state == first.state
    for nonsense in (b"", b"nonsense", b'{"a":1}', b"[[1,2]]"):
        second.learn(nonsense)
    assert second.has(DID, REV)


def test_two_accounts_of_one_revision_are_told_apart() -> None:
    resyncs = Resyncs()
    resyncs.announce("did:plc:a", REV)
    resyncs.announce("did:plc:b", REV)
    for number in range(MOST - 1):
        resyncs.announce(f"did:plc:{number}", f"{number:013}")
    assert not resyncs.has("did:plc:a", REV) and resyncs.has("did:plc:b", REV)
    assert resyncs.may_have(b'"%b"' % REV.encode())


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"{", b'{"did":1,"kind":"sync"}', b'{"did":"d","kind":"commit"}', b"\xff"]
)
def test_whatever_else_comes_stays_as_it_is(line: bytes) -> None:
    resyncs = Resyncs()
    resyncs.announce("d", "r")
    assert resyncs.take(line) == line
