"""The archive: files that a reader of the format understands, and plans that miss nothing."""

from __future__ import annotations

import asyncio
import hashlib
import json
import struct
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Any

import libipld
import pytest
import xxhash
import zstandard

from jetstream_simulator import generate, identifiers
from jetstream_simulator.event_log import Event, EventLog
from jetstream_simulator.v2 import segment
from jetstream_simulator.v2.archive import Archive, Plan
from jetstream_simulator.v2.options import Filter, Refused, make_filter
from jetstream_simulator.v2.post import PostReader
from jetstream_simulator.v2.rows import row
from jetstream_simulator.v2.subscriber import Numbers

LINES = list(generate.events(1050, seed=23, malformed=0.02))
EVENTS = [Event(i + 1, line) for i, line in enumerate(LINES)]


def _archive(retention: int = 10_000, page: int = 1000) -> Archive:
    event_log = EventLog(retention, 1 << 30)
    for start in range(0, len(EVENTS), 50):
        event_log.append(EVENTS[start : start + 50])
    return Archive(Numbers(event_log, first=501), segment_events=100, block_events=16, page=page)


def _columns(frame: bytes) -> Iterator[tuple[Any, ...]]:
    """The rows of a block, read by the format's description and not by the code under test."""
    body = zstandard.ZstdDecompressor().decompress(frame)
    (n,) = struct.unpack_from("<I", body)
    layout, offset, fixed = "QqqBBHBBI", 4, []
    for code in layout:
        fixed.append(struct.unpack_from(f"<{n}{code}", body, offset))
        offset += n * struct.calcsize(f"<{code}")
    texts = []
    for lengths in fixed[4:]:
        ends = list(accumulate(lengths, initial=offset))
        texts.append([body[a:b] for a, b in pairwise(ends)])
        offset = ends[-1]
    assert offset == len(body)
    return zip(*fixed[:4], *texts, strict=True)


def test_a_file_holds_what_its_header_says() -> None:
    sealed = asyncio.run(_archive().segments())[3]
    data = sealed.file.data
    assert (data[:4], data[4:12].hex()) == (b"jss0", bytes.fromhex(sealed.file.checksum)[::-1].hex())
    version, blocks, events, _, low, high = struct.unpack_from("<HIIIQQ", data, 12)
    assert (version, blocks, events, low, high) == (1, 7, sealed.file.events, 801, 900)
    footer, blooms, block_blooms, collections, index = struct.unpack_from("<QQQQQ", data, 58)
    assert footer == index and index + 7 * 52 == blooms == block_blooms
    assert xxhash.xxh3_64_intdigest(data[12:256] + data[footer:]) == int(sealed.file.checksum, 16)
    for number in range(blocks):
        offset, stored, plain, _, _, _, _, _ = struct.unpack_from("<QIIIQQqq", data, index + number * 52)
        assert int.from_bytes(data[offset : offset + 8], "little") == stored
        frame = data[offset + 8 : offset + 8 + stored]
        assert frame == sealed.file.frames[number]
        assert zstandard.frame_content_size(frame) == plain
    count, _, _, size = struct.unpack_from("<IIII", data, collections)
    table = zstandard.ZstdDecompressor().decompress(data[collections + 16 :])
    assert len(table) == size and count >= 4


def test_every_valid_event_is_in_the_archive_with_its_cid() -> None:
    rows = [
        one for sealed in asyncio.run(_archive().segments()) for f in sealed.file.frames for one in _columns(f)
    ]
    by_seq = {one[0]: one for one in rows}
    assert [one[0] for one in rows] == sorted(by_seq)
    valid = 0
    for seq, line in enumerate(LINES[:1000], 501):
        if seq not in by_seq:
            continue
        valid += 1
        event = json.loads(line)
        _, witnessed, indexed, kind, collection, did, rkey, rev, payload = by_seq[seq]
        assert (witnessed, indexed, did.decode()) == (event["time_us"], 0, event["did"])
        commit = event.get("commit")
        if commit is None:
            assert libipld.decode_dag_cbor(payload) == event[event["kind"]]
            continue
        assert (collection.decode(), rkey.decode(), rev.decode()) == (
            *(commit["collection"], commit["rkey"]),
            commit["rev"],
        )
        assert kind == {"create": 1, "update": 2, "delete": 3}[commit["operation"]]
        if "cid" in commit and commit["operation"] != "delete" and isinstance(commit["record"], dict):
            assert identifiers.hash_cid(hashlib.sha256(payload).digest()) == commit["cid"]
    assert valid > 980


@pytest.mark.parametrize(
    "line",
    [
        b"garbage",
        b"[]",
        b'{"did":7,"time_us":5,"kind":"identity","identity":{}}',
        b'{"did":"d","kind":"identity","identity":{}}',
        b'{"did":"d","time_us":5,"kind":"gossip","gossip":{}}',
        b'{"did":"d","time_us":5,"kind":"commit","commit":{"operation":"upsert","collection":"a.b.c"}}',
        b'{"did":"d","time_us":5,"kind":"commit","commit":{"rev":"r","operation":"create","collection":"a.b.c",'
        b'"rkey":"k","record":[]}}',
        b'{"did":"d","time_us":5,"kind":"commit","commit":{"rev":"r","operation":"create","collection":"a.b.c",'
        b'"rkey":"%b","record":{}}}' % (b"k" * 256),
    ],
)
def test_what_is_no_event_is_not_archived(line: bytes) -> None:
    assert row(line, 1) is None


def test_links_and_bytes_are_archived_as_such() -> None:
    cid = identifiers.hash_cid(bytes(32))
    record = {"ref": {"$link": cid}, "raw": {"$bytes": "AQI"}}
    commit = {"rev": "r", "operation": "create", "collection": "a.b.c", "rkey": "k", "record": record}
    line = json.dumps({"did": "d", "time_us": 5, "kind": "commit", "commit": commit}).encode()
    archived = row(line, 1)
    assert archived is not None
    assert libipld.decode_dag_cbor(archived.payload) == {
        "ref": bytes(libipld.decode_multibase(cid)[1]),
        "raw": b"\x01\x02",
    }


def test_only_full_and_retained_segments_are_sealed() -> None:
    assert [s.number for s in asyncio.run(_archive().segments())] == list(range(10))
    kept = [s.number for s in asyncio.run(_archive(retention=300).segments())]
    assert kept == [8, 9]
    assert segment.name(42) == "seg_000000002a.jss"


def _plan(archive: Archive, wanted: Filter, after: int | None = None, before: int | None = None) -> Plan:
    return asyncio.run(archive.plan(wanted, after, before))


def test_a_plan_of_everything_names_whole_segments() -> None:
    plan = _plan(_archive(), Filter())
    assert (plan.planned_through, plan.sealed_tip, plan.examined) == (1500, 1500, 10)
    assert all(planned.whole for planned in plan.segments)


def test_a_plan_of_a_range_names_its_blocks() -> None:
    plan = _plan(_archive(), Filter(), after=620, before=720)
    assert (plan.planned_through, plan.sealed_tip) == (720, 720)
    assert [(p.sealed.number, p.ranges, p.whole) for p in plan.segments] == [
        (1, ((1, 6),), True),
        (2, ((0, 1),), False),
    ]


def test_a_plan_misses_no_event_that_matches() -> None:
    archive = _archive()
    for wanted in (
        make_filter(["commit"], [], ["app.bsky.graph.*"]),
        make_filter([], [], ["app.bsky.feed.post"]),
        make_filter(["identity"], [], []),
        make_filter([], [json.loads(LINES[500])["did"]], []),
    ):
        planned = {
            (p.sealed.number, block)
            for p in _plan(archive, wanted).segments
            for first, last in (((0, 6),) if p.whole else p.ranges)
            for block in range(first, last + 1)
        }
        for position, line in enumerate(LINES[:1000]):
            archived = row(line, 1)
            if archived is None:
                continue
            kind = "commit" if archived.kind <= 3 else {4: "identity", 5: "account"}[archived.kind]
            if wanted.kinds and kind not in wanted.kinds:
                continue
            if wanted.names.wants(archived.did.decode(), archived.collection.decode()):
                assert (position // 100, position % 100 // 16) in planned


def test_pages_follow_each_other_to_the_tip() -> None:
    archive, after, seen = _archive(page=3), 0, []
    while True:
        plan = _plan(archive, Filter(), after=after, before=1350)
        seen += [planned.sealed.number for planned in plan.segments]
        assert plan.sealed_tip == 1350 and plan.planned_through > after
        after = plan.planned_through
        if after == plan.sealed_tip:
            break
    assert seen == list(range(9))


def test_a_page_may_end_within_a_segment() -> None:
    rare = ["app.bsky.graph.block", "app.bsky.actor.profile", "app.bsky.graph.listitem"]
    wanted = make_filter(["commit"], [], rare)
    at_once = {(p.sealed.number, one) for p in _plan(_archive(), wanted).segments for one in p.ranges}
    seen, cut, after = [], 0, 0
    while after < 1500:
        plan = _plan(_archive(page=1), wanted, after=after)
        assert len(plan.segments) <= 1  # none where no such event follows
        for planned in plan.segments:
            cut += plan.planned_through < planned.sealed.file.max_seq
            seen += [(planned.sealed.number, one) for one in planned.ranges]
        assert after < plan.planned_through
        after = plan.planned_through
    assert cut and len(seen) == len(set(seen))
    assert set(seen) == at_once


def test_a_backward_range_is_refused() -> None:
    with pytest.raises(Refused, match="beforeSeq"):
        _plan(_archive(), Filter(), after=5, before=5)


BODY = b'{"afterSeq":5}'
POST = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 14\r\nAccept: b\r\n\r\n"


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_posts_body_is_taken_out_however_it_arrives(step: int) -> None:
    reader, sent, handed = PostReader(), POST + BODY, b""
    for start in range(0, len(sent), step):
        handed += reader.feed(sent[start : start + step])
    assert reader.done and reader.body == BODY
    assert handed == POST.replace(b"\r\nContent-Length: 14", b"")


def test_a_client_that_expects_a_go_ahead_is_noticed() -> None:
    reader = PostReader()
    assert reader.feed(POST.replace(b"Accept: b", b"Expect: 100-continue")) == b""
    assert reader.expects
    assert reader.feed(BODY)
    assert reader.done


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"\x81\x80", b"POST /x HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_everything_else_passes_untouched(data: bytes) -> None:
    reader = PostReader()
    assert reader.feed(data) == data
    assert reader.done and not reader.body
