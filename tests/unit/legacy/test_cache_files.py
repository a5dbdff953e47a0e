"""The old system's JSON cache: every folder, both generations, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from firehose.errors import FirehoseError
from firehose.legacy.record import OldRecord, Refused, Store
from firehose.legacy.stores import Found, Outside, walk
from tests.unit.legacy.old_files import (
    CACHE_1,
    CACHE_2,
    CID,
    DID,
    FOLLOW_FILE,
    LIKE_FILE,
    OTHER,
    POST_FILE,
    POST_URI,
    all_of,
    digest,
    follow,
    like,
    post,
    put,
)

EXAMPLE = Path(__file__).parents[4] / "shared" / "legacy-example"


def _one(root: Path, path: str, content: object) -> OldRecord | Refused:
    put(root, path, content)
    (one,) = all_of(root)
    return one


def _record(root: Path, path: str, content: object) -> OldRecord:
    record = _one(root, path, content)
    assert isinstance(record, OldRecord), record
    return record


def _refused(root: Path, path: str, content: object) -> Refused:
    refused = _one(root, path, content)
    assert isinstance(refused, Refused), refused
    return refused


def test_a_post_keeps_all_that_the_file_says(tmp_path: Path) -> None:
    embed = {
        **{"has_image": True, "image_alt_text": "a kite;a beach", "has_embedded_record": True},
        "embedded_record": {"cid": CID, "uri": POST_URI},
        **{"has_external": True, "external": {"description": "d", "title": "t", "uri": "https://e.org/?a;b"}},
    }
    content = post(
        embed=json.dumps(embed),
        facets=f"tag:kites;link:https://example.org/a;b=1,2;mention:{OTHER}",
        **{"langs": "en;ja", "tags": "a;b", "labels": "porn", "entities": "x;y"},
        **{"reply_root": POST_URI, "reply_parent": POST_URI},
    )
    assert _record(tmp_path, f"{CACHE_1}/{POST_FILE}", content) == OldRecord(
        store=Store.CACHE_1,
        path=f"{CACHE_1}/{POST_FILE}",
        role="study_user_activity/create/post",
        did=DID,
        collection="app.bsky.feed.post",
        rkey="3post",
        cid=CID,
        text="hi",
        received_us=1728136989000000,
        created_at="2024-10-05T14:03:07.512Z",
        langs=["en", "ja"],
        tags=["a", "b"],
        labels=["porn"],
        entities=["x", "y"],
        facets=["tag:kites", "link:https://example.org/a;b=1,2", f"mention:{OTHER}"],
        embeds=["images", "record", "external"],
        alts=["a kite", "a beach"],
        embed_uri=POST_URI,
        embed_cid=CID,
        external_uri="https://e.org/?a;b",
        external_title="t",
        external_description="d",
        reply_root=POST_URI,
        reply_parent=POST_URI,
    )


@pytest.mark.parametrize("key", ["created_at", "createdAt"])
@pytest.mark.parametrize("as_text", [True, False])
def test_a_like_is_read_in_its_four_forms(tmp_path: Path, key: str, as_text: bool) -> None:
    record = _record(tmp_path, f"{CACHE_2}/{LIKE_FILE}", like(key, as_text=as_text))
    assert (record.created_at, record.subject_uri, record.subject_cid, record.store, record.received_us) == (
        *("2024-10-05T14:05:00.000Z", POST_URI, CID, Store.CACHE_2),
        None,
    )


@pytest.mark.parametrize("key", ["created_at", "createdAt"])
def test_a_follow_has_its_role_and_its_subject(tmp_path: Path, key: str) -> None:
    record = _record(tmp_path, f"{CACHE_1}/{FOLLOW_FILE}", follow(key))
    assert (record.role, record.subject_did, record.rkey) == (
        "study_user_activity/create/follow/followee",
        OTHER,
        "3follow",
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "truncated"),
        (b"<html>", "malformed"),
        (b"[]", "object"),
        (json.dumps(post()).encode()[:-30], "truncated"),
        (json.dumps(post()).encode().replace(b"hi", b"\xff"), "utf-8"),
        (post(text=42), "$.text"),
        (post(uri="https://example.org"), "at-uri"),
        (post(author_did=OTHER), "author"),
        (post(uri=POST_URI.replace("post/3", "like/3")), "folder"),
        (post(uri=POST_URI + "9"), "name"),
        (post(synctimestamp="2024-13-05-14:03:09"), "time"),
        (post(embed="{}"), "embed"),
        (post(facets="nothing"), "facets"),
        (b"[" * 100_000, ""),
        (b" " * (5 << 20), "larger"),
    ],
)
def test_a_broken_file_is_refused_with_path_and_reason(tmp_path: Path, content: Any, reason: str) -> None:
    refused = _refused(tmp_path, f"{CACHE_1}/{POST_FILE}", content)
    assert refused.path == f"{CACHE_1}/{POST_FILE}"
    assert reason in refused.reason
    assert refused.reason
    assert not refused.unknown


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (f"{CACHE_1}/{POST_FILE}", post(likes=3)),
        (f"{CACHE_1}/study_user_activity/create/post/notes.json", {}),
        (f"{CACHE_1}/study_user_activity/create/quote/x.json", {}),
        (f"{CACHE_1}/create/post/x.json", {}),
        (f"copied/{POST_FILE}", post()),
        ("bluesky_research_data/raw_sync/create/quote/active/partition_date=2024-10-05/x.parquet", b""),
    ],
)
def test_what_the_old_system_never_wrote_is_of_an_unknown_shape(tmp_path: Path, path: str, content: Any) -> None:
    refused = _refused(tmp_path, path, content)
    assert refused.unknown
    assert refused.path == path


def test_files_outside_of_all_stores_are_told_apart_and_links_are_not_followed(tmp_path: Path) -> None:
    put(tmp_path, "README.md", b"")
    put(tmp_path, ".git/config", b"")
    put(tmp_path, f"{CACHE_1}/{POST_FILE}", post())
    put(tmp_path, f"{CACHE_1}/study_user_activity/create/post/.DS_Store", b"")
    (tmp_path / CACHE_1 / POST_FILE.replace("3post", "3link")).symlink_to(tmp_path / CACHE_1 / POST_FILE)
    listed = list(walk(tmp_path))
    assert [(each.path, each.files) for each in listed if isinstance(each, Outside)] == [
        *((".git", 0), (".", 1)),
        (f"{CACHE_1}/study_user_activity/create/post", 1),
    ]
    assert ["3post" in each.path for each in listed if isinstance(each, Found)] == [True]
    assert ["link" in each.reason for each in listed if isinstance(each, Refused)] == [True]


def test_a_root_may_lie_anywhere_above_or_in_a_store(tmp_path: Path) -> None:
    path = f"{CACHE_1}/{POST_FILE}"
    put(tmp_path, path, post())
    for depth in range(6):
        root = tmp_path.joinpath(*path.split("/")[:depth])
        (record,) = all_of(root)
        assert isinstance(record, OldRecord), (root, record)
        assert (record.role, record.store) == ("study_user_activity/create/post", Store.CACHE_1)


def test_a_root_that_is_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FirehoseError, match="not a folder"):
        list(walk(tmp_path / "missing"))


def test_a_file_that_is_gone_since_it_was_listed_is_refused(tmp_path: Path) -> None:
    from firehose.legacy.stores import read

    file = put(tmp_path, f"{CACHE_1}/{POST_FILE}", post())
    found = [each for each in walk(tmp_path) if isinstance(each, Found)]
    file.unlink()
    (refused,) = read(tmp_path, found)
    assert isinstance(refused, Refused)
    assert "No such file" in refused.reason


@pytest.mark.skipif(not EXAMPLE.exists(), reason="the old system's example is not on this machine")
def test_what_the_old_systems_code_wrote_is_read_whole() -> None:
    before = digest(EXAMPLE)
    records = all_of(EXAMPLE)
    assert {type(each) for each in records} == {OldRecord}
    files = [path for path in EXAMPLE.rglob("*") if path.is_file()]
    assert sorted(each.path for each in records) == sorted(str(path.relative_to(EXAMPLE)) for path in files)
    assert digest(EXAMPLE) == before
    for path in files:
        if path.suffix == ".json":
            content = json.loads(path.read_bytes())
            (record,) = (each for each in records if each.path == str(path.relative_to(EXAMPLE)))
            assert isinstance(record, OldRecord)
            assert (record.uri, record.cid, record.text) == (content["uri"], content["cid"], content.get("text"))
