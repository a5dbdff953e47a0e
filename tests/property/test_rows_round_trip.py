"""Whatever a record holds, its row gives it back: so its CID can be computed from Parquet."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firehose import schema
from firehose.events.rebuild import record_cid, record_of
from firehose.events.rows import decode_rows, to_table

BATCH = datetime(2026, 11, 23, 20, 40, tzinfo=UTC)
RECORDS = schema.COMMIT_TYPES
# A lone surrogate has no UTF-8 form, so no JSON decoder lets one through.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
refs = st.fixed_dictionaries({"uri": texts, "cid": texts}, optional={"$type": texts, "x": values})
times = st.datetimes().map(lambda moment: moment.isoformat(timespec="milliseconds") + "Z") | texts
# Mostly of the lexicon's shape, now and then of any other.
fields = {
    "createdAt": times | values,
    "subject": refs | texts | values,
    "via": refs | values,
    "text": texts | values,
    "langs": st.lists(texts, max_size=3) | values,
    "reply": st.fixed_dictionaries({"parent": refs, "root": refs}, optional={"x": values}) | values,
    "embed": values,
    "facets": values,
    "tags": st.lists(texts, max_size=2) | values,
    **dict.fromkeys(["displayName", "pronouns", "name", "purpose"], texts | values),
    **dict.fromkeys(["avatar", "feeds", "descriptionFacets"], values),
    "pinnedPost": refs | values,
    "list": texts | values,
    "unknown": values,
}


def records(record_type: str) -> st.SearchStrategy[dict[str, Any]]:
    collection = schema.COLLECTIONS.get(record_type, "org.example.thing")
    named = st.just(collection) | texts | values
    return st.fixed_dictionaries({}, optional={"$type": named, **fields})


@pytest.mark.parametrize("record_type", RECORDS)
@settings(max_examples=60)  # 60 for each of ten types
@given(data=st.data())
def test_a_row_gives_its_record_back(record_type: str, data: st.DataObject) -> None:
    record = data.draw(records(record_type))
    line = msgspec.json.encode(
        {
            "did": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa",
            "time_us": 1_779_719_009_132_431,
            "kind": "commit",
            "commit": {
                "rev": "3mmoojp7vgo2g",
                "operation": "create",
                "collection": schema.COLLECTIONS.get(record_type, "org.example.thing"),
                "rkey": "3mmoojp7etg2g",
                "record": record,
                "cid": "b",
            },
        }
    )
    rows, kept, failed = decode_rows(record_type, [line])
    assert (len(rows), kept, failed) == (1, [line], [])
    (row,) = to_table(record_type, rows, BATCH).to_pylist()
    assert record_of(record_type, row) == record


def test_links_and_bytes_are_encoded_as_such() -> None:
    link = "bafkreig5ujmxrechgakn4ukf37oj6mlpivukqfbgpuhb3pqjmdkxxtjpnq"
    as_text, as_link = record_cid({"ref": link}), record_cid({"ref": {"$link": link}})
    assert as_text != as_link
    assert record_cid({"data": {"$bytes": "YWJj"}}) == record_cid({"data": {"$bytes": "YWJj=="[:4]}})
    assert record_cid({"data": {"$bytes": "YWI"}}) != record_cid({"data": "YWI"})


@pytest.mark.parametrize("record", [{"n": 2**70}, {"ref": {"$link": "no cid"}}, {"data": {"$bytes": "*"}}])
def test_a_record_without_cbor_form_says_so(record: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no DAG-CBOR form"):
        record_cid(record)
