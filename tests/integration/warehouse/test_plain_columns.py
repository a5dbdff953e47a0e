"""The columns that views compute: plain answers, never NULL where the answer is no, for files old and new."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from clickhouse_connect.driver.client import Client

from firehose.batch.interval import Batch
from firehose.events.envelope import Undecodable
from firehose.quality.quarantine import Quarantine, quarantine_path
from firehose.settings import Settings
from firehose.warehouse.client import connect
from tests.integration.warehouse.lakes import LakeBuilder, at, commit

POST, LIKE, FOLLOW = "app.bsky.feed.post", "app.bsky.feed.like", "app.bsky.graph.follow"
FLAGS = ("is_reply", "has_images", "has_video", "has_gif", "has_link", "has_quote")
ACCOUNTS = ("parent_did", "root_did", "quoted_did")
NEW = ("tags", "link_hosts", "link_domains", "languages")
CID = "bafyreib" + "a" * 51
QUOTED = {"uri": f"at://did:plc:quoted/{POST}/3k", "cid": CID}
IMAGES = {"$type": "app.bsky.embed.images", "images": [{"alt": "a cat"}, {"alt": ""}, {}]}


def facets(*features: dict[str, str]) -> list[dict[str, Any]]:
    """Facets of one feature each."""
    return [
        {
            "index": {"byteStart": 0, "byteEnd": 1},
            "features": [{**f, "$type": f"app.bsky.richtext.facet#{f['$type']}"}],
        }
        for f in features
    ]


def card(uri: str) -> dict[str, Any]:
    """An external embed."""
    return {"$type": "app.bsky.embed.external", "external": {"uri": uri, "title": "", "description": ""}}


def post(second: int, rkey: str, **fields: Any) -> dict[str, Any]:
    """A post by ann."""
    return commit(POST, "ann", second, rkey, {"text": rkey, "createdAt": "2026-11-23T00:00:00.000Z", **fields})


def posts() -> list[dict[str, Any]]:
    """One of each form."""
    ref = {"uri": f"at://did:plc:root/{POST}/3r", "cid": CID}
    parent = {"uri": f"at://did:plc:parent/{POST}/3p", "cid": CID}
    link = "https://WWW.News.Example/a"
    return [
        post(1, "plain"),
        post(2, "reply", reply={"root": ref, "parent": parent}),
        post(3, "images", embed=IMAGES),
        post(4, "video", embed={"$type": "app.bsky.embed.video", "alt": "a film"}),
        post(5, "quote", embed={"$type": "app.bsky.embed.record", "record": QUOTED}),
        post(
            6,
            "both",
            embed={
                "$type": "app.bsky.embed.recordWithMedia",
                "media": IMAGES,
                "record": {"$type": "app.bsky.embed.record", "record": QUOTED},
            },
        ),
        post(7, "gif", embed=card("https://media.tenor.com/x/y.gif?hh=1")),
        post(8, "link", facets=facets({"$type": "link", "uri": link}), embed=card(link)),
        post(9, "mail", facets=facets({"$type": "link", "uri": "tel:123"})),
        post(10, "tags", facets=facets({"$type": "tag", "tag": "\uff23afé"}), tags=["#cafe\u0301", " "]),
        post(11, "langs", langs=["EN-us", "en", "iw"]),
        commit(POST, "ann", 12, "gone", None, "delete"),
    ]


@pytest.fixture
def rows(client: Client, lake: LakeBuilder) -> dict[str, dict[str, Any]]:
    """The view's rows of these posts by key."""
    lake.store(posts())
    return by_key(client)


def by_key(client: Client) -> dict[str, dict[str, Any]]:
    return {row["rkey"]: row for row in client.query("SELECT * FROM firehose.posts").named_results()}


def test_flags_are_yes_or_no(rows: dict[str, dict[str, Any]]) -> None:
    yes = {
        "reply": {"is_reply"},
        "images": {"has_images"},
        "video": {"has_video"},
        "quote": {"has_quote"},
        "both": {"has_images", "has_quote"},
        "gif": {"has_gif"},
        "link": {"has_link"},
        "mail": {"has_link"},
    }
    for key, row in rows.items():
        assert {flag: row[flag] for flag in FLAGS} == {flag: flag in yes.get(key, ()) for flag in FLAGS}, key
        assert all(isinstance(row[name], str) for name in ACCOUNTS)


def test_accounts_and_alternative_texts_need_no_json(rows: dict[str, dict[str, Any]]) -> None:
    assert [rows["reply"][name] for name in ACCOUNTS] == ["did:plc:parent", "did:plc:root", ""]
    assert [rows["both"][name] for name in ACCOUNTS] == ["", "", "did:plc:quoted"]
    assert [rows["plain"][name] for name in ACCOUNTS] == ["", "", ""]
    texts = {key: row["alt_texts"] for key, row in rows.items() if row["alt_texts"]}
    assert texts == {"images": ["a cat", "", ""], "both": ["a cat", "", ""], "video": ["a film"]}


def test_links_tags_and_languages_have_one_spelling(rows: dict[str, dict[str, Any]]) -> None:
    assert (rows["link"]["links"], rows["link"]["link_hosts"]) == (
        ["https://WWW.News.Example/a"],
        ["news.example"],
    )
    assert (rows["gif"]["link_hosts"], rows["gif"]["link_domains"]) == (["media.tenor.com"], ["tenor.com"])
    assert rows["tags"]["tags"] == ["café"]
    assert rows["langs"]["languages"] == ["en-US", "en", "he"]


def test_files_of_an_earlier_version_give_the_same_answers(client: Client, lake: LakeBuilder) -> None:
    """They lack the columns. The engine's own functions stand in: no punycode, no list of suffixes."""
    lake.store(posts())
    wanted = by_key(client)
    (path,) = Path(lake.root).glob("year=*/**/posts.parquet")
    old = pq.read_table(path, partitioning=None).drop_columns(list(NEW))
    pq.write_table(old, path)
    found = by_key(client)
    assert found.keys() == wanted.keys()
    assert found["langs"].pop("languages") == ["en-US", "en", "iw"]  # only the library knows that iw is he now
    assert wanted["langs"].pop("languages") == ["en-US", "en", "he"]
    assert found == wanted


def test_extra_is_an_object_in_every_type(client: Client, lake: LakeBuilder) -> None:
    profile = {"displayName": "Ann", "more": 1}
    lake.store(
        [
            post(1, "labelled", labels={"values": [{"val": "nudity"}]}),
            post(2, "plain"),
            commit(POST, "ann", 3, "foreign", {"text": "x", "$type": "com.example.post"}),
            commit("app.bsky.actor.profile", "ann", 4, "self", profile),
            commit("com.example.thing", "ann", 4, "self", {"displayName": "Ann"}),
            commit("com.example.none", "ann", 5, "x", None, "delete"),
            {
                "did": "did:plc:ann",
                "time_us": int(at(0).timestamp() * 1e6),
                "kind": "identity",
                "identity": {"did": "did:plc:ann", "seq": 5, "time": "t", "more": 1},
            },
        ]
    )
    kinds = client.query("SELECT DISTINCT JSONType(extra) FROM firehose.events").result_rows
    assert kinds == [("Object",)]
    names = client.query("SELECT JSONExtractString(extra, 'displayName') FROM firehose.other ORDER BY time_us")
    assert names.result_columns[0] == ["Ann", ""]
    share = client.query("SELECT avg(JSONHas(extra, 'labels')) FROM firehose.posts").result_rows
    assert share == [(1 / 3,)]
    assert client.command(
        "SELECT JSONExtractString(extra, '$type') FROM firehose.posts WHERE rkey = 'foreign'"
    ) == ("com.example.post")


def test_a_sample_takes_whole_accounts_and_any_tool_can_take_the_same(client: Client, lake: LakeBuilder) -> None:
    subject = {"subject": {"uri": QUOTED["uri"], "cid": CID}}
    likes = [commit(LIKE, f"a{n % 500}", n, f"k{n}", subject) for n in range(1000)]
    follows = [commit(FOLLOW, f"a{n}", n, f"k{n}", {"subject": "did:plc:ann"}) for n in range(500)]
    lake.store(likes + follows)
    query = "SELECT did, type, sample FROM firehose.events"
    for did, _, sample in client.query(query).result_rows:
        assert sample == int(hashlib.md5(did.encode()).hexdigest()[:8], 16) / 2**32  # noqa: S324 - no secret
    (taken,) = client.query("SELECT uniq(did) FROM firehose.events WHERE sample < 0.2").result_rows[0]
    assert 60 < taken < 140
    counts = client.query("SELECT uniqExact(did), count() FROM firehose.likes WHERE sample < 0.2").result_rows[0]
    assert counts == (taken, 2 * taken)
    assert client.query("SELECT DISTINCT subject_did FROM firehose.likes").result_rows == [("did:plc:quoted",)]


def test_the_quarantine_is_a_view_for_analysts_too(client: Client, settings: Settings) -> None:
    analyst = connect(settings, "analyst")
    assert analyst.query("SELECT * FROM firehose.quarantine").result_rows == []
    batch = Batch(at(20), at(20) + timedelta(minutes=5))
    with Quarantine(batch, quarantine_path(settings.lake_path, batch)) as quarantine:
        quarantine.add_undecodable("posts", [Undecodable("no event", b'{"torn')])
        quarantine.add_undecodable(
            "likes", [Undecodable("text: expected str", b"{}", int(at(3).timestamp() * 1e6))]
        )
    query = "SELECT batch, date, type, reason, raw, witnessed_at FROM firehose.quarantine ORDER BY type"
    assert analyst.query(query).result_rows == [
        (at(20), at(20).date(), "likes", "text: expected str", "{}", at(3)),
        (at(20), at(20).date(), "posts", "no event", '{"torn', None),
    ]
