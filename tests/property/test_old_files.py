"""Whatever is in a file of the old system, it gives records, or what was refused and why: never an exception."""

from __future__ import annotations

import io
import json
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from firehose.legacy.record import OldRecord, Refused, Store
from firehose.legacy.stores import Found, Shape, read

DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_POST = {
    **{"uri": f"at://{DID}/app.bsky.feed.post/3a", "cid": "b", "author_did": DID, "created_at": "x", "text": "t"},
    **{"synctimestamp": "2024-10-05-14:03:09", "source": "firehose", "facets": "tag:x", "langs": "en"},
    "embed": '{"has_image": false, "has_embedded_record": false, "has_external": false}',
}
_RAW = {
    **{"uri": f"at://{DID}/app.bsky.feed.post/3a", "cid": "b", "author": DID, "created_at": "x", "text": "t"},
    **{"embed": "{}", "facets": "[]", "entities": "[]", "labels": "{}", "langs": "en", "tags": "x", "reply": "{}"},
}
_ITEM = {
    **{"did": DID, "time_us": "1", "kind": "commit", "created_at": "2024-10-05-14:03:09", "collection": "x"},
    "commit_data": {"operation": "create", "collection": "x", "rkey": "y", "record": {}},
}
_FILE = f"author_did={DID}_post_uri_suffix=3a.json"


def _read(shape: Shape, store: Store, content: bytes, name: str = "file") -> list[OldRecord | Refused]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, name).write_bytes(content)
        found = Found(path=name, store=store, shape=shape, role="raw_sync/create/post", size=0, mtime_ns=0)
        results = list(read(Path(folder), [found]))
        assert [each.name for each in Path(folder).iterdir()] == [name]
        assert Path(folder, name).read_bytes() == content
    for each in results:
        assert each.path == name
        assert isinstance(each, OldRecord) or each.reason
    return results


@cache
def _whole_parquet() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([_POST] * 50), buffer)
    return buffer.getvalue()


def _database(payload: str | bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        with closing(sqlite3.connect(Path(folder, "q"))) as database, database:
            database.execute("CREATE TABLE queue (id INTEGER, payload, metadata, created_at, status)")
            database.execute("INSERT INTO queue VALUES (1, ?, '', '', '')", (payload,))
        return Path(folder, "q").read_bytes()


@cache
def _whole_database() -> bytes:
    return _database(json.dumps([_ITEM] * 20))


@given(st.binary(max_size=300) | _json.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_one_refusal_of_a_json_file(content: bytes) -> None:
    for shape in (Shape.POST, Shape.LIKE, Shape.FOLLOW):
        (result,) = _read(shape, Store.CACHE_1, content)
        assert isinstance(result, Refused)


@given(st.sampled_from(sorted(_POST)), _json)
@settings(max_examples=100, deadline=None)
def test_any_value_of_a_key_of_a_post_gives_one_result(key: str, value: object) -> None:
    assert len(_read(Shape.POST, Store.CACHE_2, json.dumps({**_POST, key: value}).encode(), _FILE)) == 1


@given(st.sampled_from(sorted(_ITEM)), _json)
@settings(max_examples=60, deadline=None)
def test_any_value_of_a_key_of_an_event_gives_one_result(key: str, value: object) -> None:
    payload = json.dumps([{**_ITEM, key: value}, _ITEM])
    results = _read(Shape.QUEUE, Store.QUEUE, _database(payload))
    assert len(results) == 2
    assert isinstance(results[1], OldRecord)


@given(st.sampled_from(sorted(_RAW)), st.text(max_size=40) | _json.map(json.dumps))
@settings(max_examples=80, deadline=None)
def test_any_text_in_a_column_gives_one_result(column: str, text: str) -> None:
    text = text.encode(errors="replace").decode()
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([{**_RAW, column: text}, _RAW]), buffer)
    results = _read(Shape.RAW_POST_ROWS, Store.PARQUET, buffer.getvalue())
    assert [each.place for each in results] == ["0", "1"]


@given(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=8), st.booleans())
@settings(max_examples=120, deadline=None)
def test_a_damaged_database_or_parquet_file_is_never_an_exception(at: int, damage: bytes, cut: bool) -> None:
    for whole, shape, store in (
        (_whole_database(), Shape.QUEUE, Store.QUEUE),
        (_whole_parquet(), Shape.POST_ROWS, Store.PARQUET),
    ):
        place = at % len(whole)
        content = whole[:place] if cut else whole[:place] + damage + whole[place + len(damage) :]
        _read(shape, store, content)
