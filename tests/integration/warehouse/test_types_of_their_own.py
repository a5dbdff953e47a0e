"""Rows that an earlier version stored as ``other``: the views of their types show them as if stored now."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from firehose.records.registry import BY_COLLECTION, BY_QUEUE
from firehose.warehouse.columns import view_columns
from ingester.contract import wire
from tests.integration.warehouse.lakes import LakeBuilder, commit

SHARED = [of for of in BY_QUEUE[wire.OTHER] if of.collections]
REF = {"uri": "at://did:plc:bob/app.bsky.feed.post/1", "cid": "bafyreib"}
BLOB = {"$type": "blob", "ref": {"$link": "bafkrei"}, "mimeType": "image/png", "size": 7}
#: A value of each kind, by the key of a field; the others of the type's fields are texts.
PARTS: dict[str, Any] = {
    "avatar": BLOB,
    "banner": BLOB,
    "pinnedPost": REF,
    "joinedViaStarterPack": REF,
    "subject": "did:plc:bob",
    "list": "at://did:plc:bob/app.bsky.graph.list/1",
    "descriptionFacets": [
        {"index": {"byteStart": 0, "byteEnd": 3}, "features": [{"uri": "https://a.example/?b=1&c"}]}
    ],
    "feeds": [{"uri": "at://did:plc:bob/app.bsky.feed.generator/1"}],
}
TEXT = 'Zoë "the\\cat"\n\t\u2028 <&> 🐈'
ODD: list[Any] = [
    None,
    7,
    1.5,
    True,
    "text",
    "",
    [],
    {},
    ["a", None],
    {"uri": "u"},
    {**REF, "x": 1},
    {"a": {"b": []}},
]


def records(keys: list[str]) -> list[dict[str, Any]]:
    """A good record, and what else a client may write."""
    good: dict[str, Any] = {key: PARTS.get(key, TEXT) for key in keys}
    claimed = good | {"createdAt": "2026-11-23T00:00:00.000Z"}
    found = [good, claimed, claimed | {"createdAt": 7}, claimed | {"$type": "com.example.thing"}, {}]
    found += [claimed | {"labels": {"values": [{"val": "nudity"}]}, "more": value} for value in ODD]
    found += [record | {"": "under an empty key"} for record in (good, claimed, {})]
    return [*found, *(claimed | {key: value} for key in keys for value in ODD)]


def events(collection: str, keys: list[str], first: int) -> list[dict[str, Any]]:
    made = [commit(collection, "ann", first + n, f"k{n}", record) for n, record in enumerate(records(keys))]
    return [*made, commit(collection, "ann", first + 500, "gone", None, "delete")]


def shown(client: Client, view: str, columns: list[str], condition: str = "1") -> list[tuple[Any, ...]]:
    """What a view shows; JSON as what it means."""
    names = ", ".join(name for name in columns if name != "batch")
    answer = client.query(f"SELECT {names} FROM firehose.{view} WHERE {condition} ORDER BY time_us, rkey")
    return [tuple(_meant(value) for value in row) for row in answer.result_rows]


def _meant(value: object) -> object:
    if isinstance(value, str) and value[:1] in ("{", "["):
        return msgspec.json.decode(value)
    return value


@pytest.mark.parametrize("of", SHARED, ids=lambda of: of.name)
def test_older_rows_are_shown_as_they_would_be_stored_now(client: Client, lake: LakeBuilder, of: Any) -> None:
    made = events(of.collection, [field.key for field in of.fields], 1)
    columns = [column.name for column in view_columns(of.name)]
    plain = ["type", "extra", "uri", "collection", "cid", "rkey", "time_us"]
    lake.store(made)
    now, all_now = shown(client, of.name, columns), shown(client, "events", plain)
    assert len(now) == len(made) and any(row.count(None) for row in now)
    (path,) = lake.root.glob(f"year=*/**/{of.name}.parquet")
    path.unlink()
    lake.store_as_other(made)
    assert shown(client, of.name, columns) == now
    assert shown(client, "events", plain) == all_now
    assert {row[0] for row in all_now} == {of.name}
    assert client.command("SELECT count() FROM firehose.other") == 0


def test_each_row_is_of_one_type_wherever_it_is_stored(client: Client, lake: LakeBuilder) -> None:
    collections = [*(of.collection for of in SHARED), "com.example.thing"]
    lake.store_as_other(commit(name, "ann", n, "k", {"more": n}) for n, name in enumerate(collections))
    lake.store([commit(of.collection, "bob", 100 + n, "k", {"more": n}) for n, of in enumerate(SHARED)])
    counts = client.query("SELECT type, stored_as, count() FROM firehose.events GROUP BY 1, 2 ORDER BY 1, 2")
    named = [BY_COLLECTION.get(name, "other") for name in collections]
    both = [(name, stored, 1) for name in named for stored in sorted({name, "other"})]
    assert [tuple(row) for row in counts.result_rows] == sorted(both)
    for of in SHARED:
        assert shown(client, of.name, ["did", "extra"]) == [("did:plc:ann", _more(of)), ("did:plc:bob", _more(of))]
    assert shown(client, "other", ["collection"]) == [("com.example.thing",)]


def _more(of: Any) -> dict[str, int]:
    return {"more": SHARED.index(of)}
