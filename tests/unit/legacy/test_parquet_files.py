"""The old system's Parquet lake: every service path, every depth, both encodings of lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from firehose.legacy.record import OldRecord, Refused, Store
from tests.unit.legacy.old_files import CID, DID, LIKE_URI, OTHER, POST_URI, all_of, digest, like, post, put

NAME = "0123456789abcdef0123456789abcdef-0.parquet"
SPAN = "startTimestamp=2024-10-05-00:00:00_endTimestamp=x_fileCreatedTimestamp=y.parquet"
DAY = "partition_date=2024-10-05"


def _write(root: Path, folder: str, rows: list[dict[str, Any]]) -> str:
    path = f"bluesky_research_data/{folder}/{NAME}"
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), file)
    return path


def _records(root: Path, folder: str, *rows: dict[str, Any]) -> list[OldRecord]:
    path = _write(root, folder, list(rows))
    before = digest(root)
    records = all_of(root)
    assert digest(root) == before
    assert {type(each) for each in records} == {OldRecord}, records
    assert [(each.path, each.place) for each in records] == [(path, str(i)) for i in range(len(rows))]
    return [each for each in records if isinstance(each, OldRecord)]


def _raw(uri: str, **more: Any) -> dict[str, Any]:
    row = {"uri": uri, "cid": CID, "author": DID, "py_type": "x", "record_type": "x"}
    return row | {"created_at": "2024-10-05T14:05:00Z", "synctimestamp": "2024-10-15-00:00:00", **more}


@pytest.mark.parametrize(
    "folder",
    [
        f"in_network_user_activity/cache/{DAY}",
        "in_network_user_activity/active/partition_date=2016-01-01",
        f"in_network_user_activity/firehose/cache/{SPAN}/{DAY}",
        f"study_user_activity/create/post/active/{DAY}",
        f"study_user_activity/create/reply_to_user_post/cache/{SPAN}/{DAY}",
        f"preprocessed_posts/firehose/cache/{DAY}",
        f"preprocessed_posts/most_liked/active/{SPAN}/{DAY}",
        f"sync/most_liked/cache/{DAY}",
    ],
)
def test_a_post_is_read_at_every_depth_and_has_no_time_of_receipt(tmp_path: Path, folder: str) -> None:
    # The export wrote its own time over that of the receipt.
    (record,) = _records(tmp_path, folder, post(langs="en;ja", partition_date="2024-10-05"))
    assert (record.store, record.uri, record.langs) == (Store.PARQUET, POST_URI, ["en", "ja"])
    assert record.received_us is None
    assert folder.startswith(record.role)


def test_older_files_joined_lists_by_commas(tmp_path: Path) -> None:
    folder = f"in_network_user_activity/cache/{DAY}"
    rows = [
        post(langs="en,ja", tags="a,b", facets="tag:a,link:https://e.org/a,b"),
        post(langs="en;ja", tags="a,1;b", facets="tag:a;link:https://e.org/a,b"),
    ]
    old, new = _records(tmp_path, folder, *rows)
    assert (old.langs, old.tags) == (["en", "ja"], ["a", "b"])
    assert (new.langs, new.tags) == (["en", "ja"], ["a,1", "b"])
    assert old.facets == new.facets == ["tag:a", "link:https://e.org/a,b"]


def test_likes_have_their_record_as_text_or_as_a_struct(tmp_path: Path) -> None:
    for name, as_text in (("like", True), ("like_on_user_post", False)):
        folder = f"study_user_activity/create/{name}/cache/{DAY}"
        (record,) = _records(tmp_path / name, folder, like("created_at", as_text=as_text))
        assert (record.uri, record.subject_uri, record.created_at) == (
            *(LIKE_URI, POST_URI),
            "2024-10-05T14:05:00.000Z",
        )


def test_the_network_is_follows_without_keys(tmp_path: Path) -> None:
    row = {
        "follow_did": OTHER,
        "follower_did": DID,
        "insert_timestamp": "x",
        "relationship_to_study_user": "follow",
    }
    (record,) = _records(tmp_path, f"scraped_user_social_network/active/{DAY}", row)
    assert (record.did, record.subject_did, record.rkey, record.cid) == (DID, OTHER, "", None)


def test_raw_posts_have_their_parts_as_json(tmp_path: Path) -> None:
    images = {"$type": "app.bsky.embed.images", "images": [{"alt": "a;b", "image": {}}, {"alt": ""}]}
    quote = {"record": {"uri": POST_URI, "cid": CID}}
    features = [{"$type": "app.bsky.richtext.facet#link", "uri": "https://e.org/;"}, {"$type": "x#y"}]
    parts = {
        "embed": {"$type": "app.bsky.embed.recordWithMedia", "media": images, "record": quote},
        "facets": [{"index": {"byteStart": 0, "byteEnd": 3}, "features": features}],
        "labels": {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "porn"}]},
        "entities": [{"type": "link", "value": "https://e.org"}],
        "reply": {"root": {"uri": POST_URI, "cid": CID}, "parent": {"uri": POST_URI, "cid": CID}},
    }
    as_text = {name: json.dumps(part) for name, part in parts.items()}
    dropped = dict.fromkeys(("embed", "facets", "entities"), "<removed>") | {"labels": None, "reply": None}
    rows = [
        _raw(POST_URI, text="hi", langs="en,ja", tags="a;1,b", **as_text),
        _raw(POST_URI, text="hi", langs=None, tags=None, **dropped),
    ]
    full, bare = _records(tmp_path, f"raw_sync/create/reply/cache/{DAY}", *rows)
    assert (full.langs, full.tags) == (["en", "ja"], ["a;1", "b"])
    assert (full.embeds, full.alts, full.embed_uri) == (["images", "record"], ["a;b", ""], POST_URI)
    assert (full.facets, full.labels, full.entities) == (["link:https://e.org/;"], ["porn"], ["https://e.org"])
    assert (full.reply_root, full.reply_parent, full.received_us) == (POST_URI, POST_URI, None)
    assert (bare.embeds, bare.facets, bare.labels, bare.langs) == (None, None, None, None)


@pytest.mark.parametrize(
    ("kind", "collection"), [("like", "feed.like"), ("repost", "feed.repost"), ("follow", "graph.follow")]
)
def test_raw_records_have_their_subject(tmp_path: Path, kind: str, collection: str) -> None:
    subject = OTHER if kind == "follow" else json.dumps({"uri": POST_URI, "cid": CID})
    row = _raw(f"at://{DID}/app.bsky.{collection}/3x", subject=subject)
    (record,) = _records(tmp_path, f"raw_sync/create/{kind}/cache/{DAY}", row)
    assert (record.subject_did or record.subject_uri) == (OTHER if kind == "follow" else POST_URI)
    assert record.role == f"raw_sync/create/{kind}"


def test_a_broken_row_is_refused_by_its_number_and_the_others_are_read(tmp_path: Path) -> None:
    rows = [post(), post(uri=None), post(facets="x"), post(uri="at://x"), post()]
    _write(tmp_path, f"sync/most_liked/cache/{DAY}", rows)
    assert [(each.place, type(each)) for each in all_of(tmp_path)] == [
        *(("0", OldRecord), ("1", Refused), ("2", Refused), ("3", Refused)),
        ("4", OldRecord),
    ]


def test_a_text_that_is_not_utf_8_is_refused_alone(tmp_path: Path) -> None:
    texts = pa.array([b"good", b"\xff\xfe", b"good"]).cast(pa.string(), safe=False)
    table = pa.Table.from_pylist([post()] * 3)
    table = table.set_column(table.column_names.index("text"), "text", pa.Array.from_buffers(
        pa.string(), 3, texts.buffers()
    ))  # fmt: skip
    file = put(tmp_path, f"bluesky_research_data/sync/most_liked/cache/{DAY}/{NAME}", b"")
    pq.write_table(table, file)
    assert [type(each) for each in all_of(tmp_path)] == [OldRecord, Refused, OldRecord]


@pytest.mark.parametrize(
    "rows",
    [[post(prob_toxic=0.5)], [{"uri": POST_URI}], [post(text=5)]],
    ids=["a column more", "columns missing", "a column of numbers"],
)
def test_other_columns_are_an_unknown_shape(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    path = _write(tmp_path, f"sync/most_liked/cache/{DAY}", rows)
    (refused,) = all_of(tmp_path)
    assert isinstance(refused, Refused)
    assert (refused.path, refused.unknown) == (path, True)
    assert "column" in refused.reason
