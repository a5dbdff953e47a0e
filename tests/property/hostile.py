"""Strategies for what a hostile or broken server may send, around one good event of each type.

Lives here: bytes only. Must not: decode, judge.
"""

from __future__ import annotations

import copy
from typing import Any, Final

import msgspec
from hypothesis import strategies as st

from firehose import schema
from firehose.records.registry import REGISTRY
from jetstream_simulator.identifiers import record_cid

Path = tuple[str, ...]
TIME_US: Final = 1_779_719_009_132_431
URI: Final = "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.post/3mmoojp7etg2g"
CID: Final = "bafyreig5ujmxrechgakn4ukf37oj6mlpivukqfbgpuhb3pqjmdkxxtjpnq"
REF: Final = {"cid": CID, "uri": URI}
CREATED: Final = "2026-05-25T14:23:29.132Z"

BLOB: Final = {"$type": "blob", "mimeType": "image/jpeg", "ref": {"$link": CID}, "size": 7}
#: Good parts of records, by key.
PARTS: Final = {
    "displayName": "A",
    "description": "b",
    "pronouns": "c",
    "website": "https://example.com",
    "avatar": BLOB,
    "banner": BLOB,
    "pinnedPost": REF,
    "joinedViaStarterPack": REF,
    "purpose": "app.bsky.graph.defs#modlist",
    "name": "d",
    "descriptionFacets": [{"features": [], "index": {"byteEnd": 1}}],
    "subject": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa",
    "list": URI.replace("feed.post", "graph.list"),
    "feeds": [{"uri": URI.replace("feed.post", "feed.generator")}],
}


def _record(record_type: str) -> dict[str, Any]:
    record = {"$type": schema.COLLECTIONS.get(record_type, "org.example.thing"), "createdAt": CREATED}
    if record_type == schema.POSTS:
        facets = [{"features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "A"}], "index": {"byteEnd": 1}}]
        embed = {"$type": "app.bsky.embed.record", "record": REF}
        more = {"text": "a", "langs": ["en"], "reply": {"parent": REF, "root": REF}}
        return record | more | {"facets": facets, "embed": embed, "tags": ["b"]}
    if record_type in (schema.LIKES, schema.REPOSTS):
        return record | {"subject": REF, "via": REF}
    if record_type in (schema.FOLLOWS, schema.BLOCKS):
        return record | {"subject": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"}
    if record_type in schema.COLLECTIONS:
        keys = [field.key for field in REGISTRY[record_type].fields]
        if lacking := [key for key in keys if key not in PARTS]:
            raise LookupError(
                f"{record_type}: PARTS of {__file__} has no value for {', '.join(lacking)}; add one for each"
            )
        return record | {key: PARTS[key] for key in keys}
    return record | {"image": {"ref": {"$link": CID}, "data": {"$bytes": "YWJj"}}, "n": 2**53}


def valid(record_type: str, number: int = 0) -> dict[str, Any]:
    """A good event of a type, different for each number."""
    did = f"did:plc:{number:024d}"
    head: dict[str, Any] = {"did": did, "time_us": TIME_US + number}
    if record_type in (schema.IDENTITIES, schema.ACCOUNTS):
        kind = "identity" if record_type == schema.IDENTITIES else "account"
        part = {"did": did, "seq": 30_000_000_000 + number, "time": CREATED, "handle": "a.example", "active": True}
        return head | {"kind": kind, kind: part}
    record = _record(record_type)
    commit = {"rev": "3mmoojp7vgo2g", "operation": "create", "collection": record["$type"]}
    commit |= {"rkey": "3mmoojp7etg2g", "cid": record_cid(record)}
    return head | {"kind": "commit", "commit": commit | {"record": record}}


GOOD: Final = {
    record_type: (msgspec.json.encode(valid(record_type, 1)), msgspec.json.encode(valid(record_type, 2)))
    for record_type in schema.EVENT_TYPES
}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
# What a field may become, as JSON.
raw_values: Final = st.one_of(
    st.sampled_from(
        [
            *(
                b"null",
                b"true",
                b'""',
                b"[]",
                b"{}",
                b"[[]]",
                b"0",
                b"-1",
                b"1.5",
                b"1e5",
                b"-0",
                b"-0.0",
                b"1e999",
            ),
            *(b"NaN", b"Infinity", b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809"),
            *(b"18446744073709551616", b"1" * 4000, b"1" * 5000, b"01", b"1.", b'"\\u0000"', b'"a\\u0000b"'),
            *(
                b'"\\ud83d"',
                b'"\\udc00\\ud83d"',
                b'"\xff"',
                b'"\xed\xa0\x80"',
                b'"\xc0\x80"',
                b'"\xf0\x9f"',
                b'"a\nb"',
            ),
            *(b'"0000-01-01T00:00:00.000Z"', b'"9999-12-31T23:59:59.999-12:00"', b'"' + b"x" * 1_000_000 + b'"'),
            *(b'"delete"', b'"update"', b'"upsert"', b'"self"', b'"."', b'"a/b"', b'"did:plc:a::did:plc:b"'),
            *(b'{"$link":"z"}', b'{"$link":"z%s"}' % (b"2" * 9999), b'{"$link":1}', b'{"$bytes":"*"}'),
            *(b'{"uri":"x","cid":"y"}', b'{"uri":1,"cid":"y"}', b'[{"features":[{"$type":1,"tag":2}]}]'),
            *(b'{"a":1,"a":2}', b"[" * 400 + b"]" * 400, b"[" * 20_000 + b"]" * 20_000, b'"\\x"', b'"', b"@", b""),
            *(b'"#undecodable"', b'"identity"', b'"account"', b'"commit"', b'"sync"', b'"app.bsky.feed.like"'),
        ]
    ),
    st.integers().map(lambda number: b"%d" % number),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False) | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=6,
    ).map(msgspec.json.encode),
    texts.map(msgspec.json.encode),
    st.datetimes().map(lambda moment: msgspec.json.encode(moment.isoformat() + "Z")),
)


def _paths(value: object, at: Path = ()) -> list[Path]:
    found = [at] if at else []
    if isinstance(value, dict):
        for key, part in value.items():
            found += _paths(part, (*at, key))
    return found


def _at(event: dict[str, Any], path: Path) -> dict[str, Any]:
    for key in path[:-1]:
        event = event[key]
    return event


@st.composite
def mutated(draw: st.DrawFn, record_type: str) -> bytes:
    """A good event with one or two fields gone, changed, or there twice; now and then a byte as well."""
    event = copy.deepcopy(valid(record_type))
    values: list[bytes] = []
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(_paths(event)))
        holder, key = _at(event, path), path[-1]
        how = draw(st.sampled_from(["value", "value", "value", "gone", "extra", "twice"]))
        if how == "gone":
            del holder[key]
            continue
        if how == "extra":
            holder[draw(texts)] = f"@{len(values)}@"
        elif how == "twice":
            holder[f"@key{len(values)}@{key}"] = f"@{len(values)}@"
        else:
            holder[key] = f"@{len(values)}@"
        values.append(draw(raw_values))
    line = msgspec.json.encode(event)
    for number, value in enumerate(values):
        line = line.replace(b'"@%d@"' % number, value).replace(b'"@key%d@' % number, b'"')
    return draw(_scratched(line)) if draw(st.integers(0, 9)) == 0 else line


@st.composite
def _scratched(draw: st.DrawFn, line: bytes) -> bytes:
    """``line`` cut short, or with some bytes replaced."""
    at = draw(st.integers(0, len(line)))
    # A line break cannot be: the raw file's lines are ended by it.
    return (
        line[:at] + draw(st.binary(max_size=3)).replace(b"\n", b" ") + draw(st.sampled_from([b"", line[at + 1 :]]))
    )


def hostile_lines() -> st.SearchStrategy[bytes]:
    """Any bytes, any JSON, any mutated event, and what pretends to be a dead letter."""
    forged = st.fixed_dictionaries(
        {"kind": st.just("#undecodable")},
        optional={"error": texts, "bytes": texts, "time_us": st.integers(), "did": texts, "commit": st.just({})},
    )
    return st.one_of(
        st.binary(max_size=60).map(lambda some: some.replace(b"\n", b" ")),
        raw_values.map(lambda value: value.replace(b"\n", b" ")),
        forged.map(msgspec.json.encode),
        st.sampled_from(schema.EVENT_TYPES).flatmap(mutated),
    )


def time_line(record_type: str, time_us: int) -> bytes:
    """A good event but for its time."""
    line = msgspec.json.encode(valid(record_type))
    return line.replace(b'"time_us":%d' % TIME_US, b'"time_us":' + msgspec.json.encode(time_us))


def deep_record(opening: bytes, depth: int) -> bytes:
    """A post whose deepest value is the ``depth``-th inside one another, the event itself included."""
    event = valid(schema.POSTS)
    event["commit"]["record"] |= {"deep": "@deep@"}
    depth -= 3  # event, commit and record
    value = opening * depth + (b"]" * depth if opening == b"[" else b"0" + b"}" * depth)
    return msgspec.json.encode(event).replace(b'"@deep@"', value)
