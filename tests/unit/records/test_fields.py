"""Each kind of field holds a part only if it gives it back; a fast decoder takes it as the general way does."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa
import pytest

from firehose.records.columns import FLAG, INTEGER, STRING, STRINGS, Column
from firehose.records.fast import Fast, fast
from firehose.records.fields import Columns, Field, Flag, Json, Number, Strings, Text
from firehose.records.posts import POSTS
from firehose.records.references import StrongRef

KEY = "part"
REF = {"uri": "at://did:plc:bob/app.bsky.feed.post/1", "cid": "bafyreib"}
#: What a client may write under any key.
VALUES: list[Any] = [
    *(None, True, False, "", "text", "7", "true", "null", "[]", 'Zoë "the\\cat"\n\u2028 <&> 🐈'),
    *(0, 7, -7, 2**63 - 1, -(2**63), 2**63, 2**64 - 1, 1.0, 1.5, 1e300),
    *([], [""], ["a", "b"], ["a", None], ["a", 1], [["a"]], [True], [REF], [1.5]),
    *({}, {"uri": "u"}, REF, {**REF, "x": 1}, {**REF, "cid": 1}, {"a": {"b": []}}),
    *({"parent": REF, "root": REF}, {"parent": REF}, {"parent": REF, "root": REF, "x": 1}),
    {"parent": REF, "root": {**REF, "x": 1}},
]


def _column(name: str, arrow: pa.DataType) -> Column:
    return Column(name, arrow, "A column")


def _kinds(*, required: bool) -> list[Field]:
    return [
        Text(KEY, _column("text", STRING), required),
        Strings(KEY, _column("texts", STRINGS), required),
        Json(KEY, _column("json", STRING), required),
        Json(KEY, _column("json", STRING), required, shape=list[Any]),
        Number(KEY, _column("number", INTEGER), required),
        Flag(KEY, _column("flag", FLAG), required),
        StrongRef(KEY, _column("uri", STRING), _column("cid", STRING), required),
    ]


(REPLY,) = (field for field in POSTS.fields if field.key == "reply")
KINDS = [*_kinds(required=True), *_kinds(required=False), REPLY]
EACH_KIND = pytest.mark.parametrize("field", KINDS, ids=lambda field: type(field).__name__)


@EACH_KIND
def test_what_columns_hold_they_give_back(field: Field) -> None:
    held = 0
    for value in VALUES:
        values, is_held = field.take(value)
        row = {
            column.name: pa.array([each], column.type)[0].as_py()
            for column, each in zip(field.columns, values, strict=True)
        }
        if is_held:
            record: dict[str, Any] = {}
            field.give(record, row)
            assert msgspec.json.encode(record) == msgspec.json.encode({field.key: value})
            held += 1
    assert 0 < held < len(VALUES)


@EACH_KIND
def test_a_fast_decoder_takes_only_what_columns_hold_and_as_they_hold_it(field: Field) -> None:
    way, taken = fast((field,)), 0
    for value in VALUES:
        if (columns := _decoded(way, {field.key: value})) is None:
            continue
        values, is_held = field.take(value)
        assert is_held
        assert [columns[column.name] for column in field.columns] == [[each] for each in values]
        taken += 1
    assert taken


@EACH_KIND
def test_a_fast_decoder_takes_a_record_without_a_part_unless_it_is_required(field: Field) -> None:
    columns = _decoded(fast((field,)), {})
    if getattr(field, "required", False):
        assert columns is None
    else:
        assert columns is not None
        assert [columns[column.name] for column in field.columns] == [[None]] * len(field.columns)


def _decoded(way: Fast, parts: dict[str, Any]) -> Columns | None:
    """The columns of one record, None where it is not of the plain shape."""
    record = {"$type": "a", "createdAt": "b", **parts}
    commit = {"rev": "a", "operation": "create", "collection": "b", "rkey": "c", "record": record}
    line = msgspec.json.encode({"did": "a", "time_us": 1, "kind": "commit", "commit": commit})
    try:
        event = way.decode(line)
    except msgspec.MsgspecError:
        return None
    return way.columns([event.commit.record])
