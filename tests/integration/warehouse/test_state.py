"""State is not events: undone and done again, written twice, written again under a key, edited."""

from __future__ import annotations

from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from firehose.settings import Settings
from firehose.warehouse.cookbook import recipes
from firehose.warehouse.summaries import refresh
from tests.integration.warehouse.lakes import LakeBuilder, Row, at, commit

POST, LIKE, FOLLOW, BLOCK = (
    f"app.bsky.{name}" for name in ("feed.post", "feed.like", "graph.follow", "graph.block")
)
CID = "bafyreib" + "a" * 51
STAR, MODEST, FORGOTTEN = (f"at://did:plc:author/{POST}/{name}" for name in ("star", "modest", "forgotten"))


def like(account: str, second: float, rkey: str, uri: str) -> Row:
    return commit(LIKE, account, second, rkey, {"subject": {"uri": uri, "cid": CID}})


def follow(account: str, second: float, rkey: str, whom: str) -> Row:
    return commit(FOLLOW, account, second, rkey, {"subject": f"did:plc:{whom}"})


def undo(collection: str, account: str, second: float, rkey: str) -> Row:
    return commit(collection, account, second, rkey, None, "delete")


def text(account: str, second: float, rkey: str, said: str, operation: str = "create") -> Row:
    return commit(POST, account, second, rkey, {"text": said, "createdAt": "2026-11-23T00:00:00Z"}, operation)


def load(lake: LakeBuilder, settings: Settings, events: list[Row]) -> None:
    """Store the events, in whatever order, and load the summaries."""
    for hour, types in lake.store(events).items():
        lake.publish(hour, {hour: types})
    refresh(settings)


def ask(client: Client, name: str) -> list[tuple[Any, ...]]:
    """The rows of one recipe."""
    (recipe,) = [recipe for recipe in recipes() if recipe.name == name]
    return [tuple(row) for row in client.query(recipe.sql).result_rows]


@pytest.fixture
def liked(client: Client, settings: Settings, lake: LakeBuilder) -> Client:
    """One account likes a post five times and takes it back; three like another; one post is left without."""
    fickle = [like("fan", 10 * n, f"k{n}", STAR) for n in range(5)]
    fickle += [undo(LIKE, "fan", 10 * n + 5, f"k{n}") for n in range(5)]
    steady = [like(f"a{n}", n, "k", MODEST) for n in range(3)]
    again = [like("a3", 1, "k", STAR), undo(LIKE, "a3", 2, "k"), like("a3", 3, "k", STAR)]
    left = [like("a4", 1, "k", FORGOTTEN), undo(LIKE, "a4", 2, "k")]
    load(lake, settings, [*fickle, *steady, like("a0", 9, "k2", MODEST), *again, *left])
    return client


def test_likes_that_were_taken_back_do_not_count(liked: Client) -> None:
    top = [(STAR, 1), (MODEST, 3)]
    query = "SELECT uri, likes FROM firehose.most_liked_posts_by_hour ORDER BY likes"
    assert liked.query(query).result_rows == top
    query = "SELECT subject_uri, count() AS likes FROM firehose.current_likes GROUP BY subject_uri ORDER BY likes"
    assert liked.query(query).result_rows == top
    assert [row[:2] for row in ask(liked, "08_most_liked_posts")] == [(likes, uri) for uri, likes in reversed(top)]
    twice = liked.query("SELECT did, since, subject_did FROM firehose.current_likes WHERE records = 2").result_rows
    assert twice == [("did:plc:a0", at(0), "did:plc:author")]


def test_a_follower_is_one_however_often_it_follows(client: Client, settings: Settings, lake: LakeBuilder) -> None:
    load(
        lake,
        settings,
        [
            follow("a", 1, "k", "star"), undo(FOLLOW, "a", 2, "k"), follow("a", 3, "k", "star"),
            follow("b", 1, "k1", "star"), follow("b", 2, "k2", "star"), undo(FOLLOW, "b", 3, "k1"),
            follow("c", 1, "k", "star"), undo(FOLLOW, "c", 2, "k"),
            undo(FOLLOW, "d", 1, "older than the lake"),
        ],
    )  # fmt: skip
    assert ask(client, "11_follows_gained") == [("did:plc:star", 3, 1, 2)]
    followers = client.query("SELECT did, records FROM firehose.current_follows ORDER BY did").result_rows
    assert followers == [("did:plc:a", 1), ("did:plc:b", 1)]


def test_who_followed_before_is_no_new_follower(client: Client, settings: Settings, lake: LakeBuilder) -> None:
    day = 86_400
    load(
        lake,
        settings,
        [
            follow("a", 1, "k", "star"), follow("a", day, "k2", "star"),
            follow("b", 1, "k", "star"), undo(FOLLOW, "b", day, "k"),
            follow("c", day, "k", "star"),
        ],
    )  # fmt: skip
    assert ask(client, "11_follows_gained") == [("did:plc:star", 1, 0, 1)]
    assert ask(client, "30_followers_at_a_date") == [("did:plc:star", 2, 2, 1, 1)]


def test_a_post_written_again_under_its_key_is_not_deleted(
    client: Client, settings: Settings, lake: LakeBuilder
) -> None:
    again = [text("a", 1, "k", "first"), undo(POST, "a", 2, "k"), text("a", 63, "k", "second")]
    gone = [text("b", 0, "k", "draft"), text("b", 30, "k", "edited", "update"), undo(POST, "b", 125, "k")]
    load(lake, settings, [*again, *gone, undo(POST, "c", 5, "older"), text("d", 7, "k", "as it was"),
                          text("d", 8, "k", "as it is", "update")])  # fmt: skip
    assert ask(client, "13_short_lived_posts") == [(f"at://did:plc:b/{POST}/k", 2, "edited")]
    rows = client.query("SELECT did, text, edits, first_seen FROM firehose.current_posts ORDER BY did").result_rows
    assert rows == [("did:plc:a", "second", 0, at(0, 0, 1)), ("did:plc:d", "as it is", 1, at(0, 0, 7))]
    (fates,) = ask(client, "34_what_became_of_posts")
    assert fates[1:] == (4, 2, 2, 0, 2.08)


def test_the_order_is_that_of_revisions_not_of_arrival(
    client: Client, settings: Settings, lake: LakeBuilder
) -> None:
    """Another host may stamp an unlike before its like, and a batch may bring them in any order."""
    made, undone = like("a", 1, "k", STAR), undo(LIKE, "a", 2, "k")
    made["time_us"], undone["time_us"] = undone["time_us"], made["time_us"]
    load(lake, settings, [undone, made, commit(BLOCK, "a", 3, "b", {"subject": "did:plc:b"})])
    assert client.query("SELECT * FROM firehose.current_likes").result_rows == []
    assert client.query("SELECT did, subject_did FROM firehose.current_blocks").result_rows == [
        ("did:plc:a", "did:plc:b")
    ]


def test_a_handle_lasts_until_the_next_one(client: Client, settings: Settings, lake: LakeBuilder) -> None:
    def identity(second: int, handle: str | None) -> Row:
        about = {"did": "did:plc:a", "seq": second, "time": "t"} | ({"handle": handle} if handle else {})
        return {"did": "did:plc:a", "time_us": int(at(0, 0, second).timestamp()) * 1_000_000, "kind": "identity",
                "identity": about}  # fmt: skip

    load(
        lake,
        settings,
        [identity(1, "old.test"), identity(2, None), identity(3, "old.test"), identity(4, "new.test")],
    )
    assert client.query("SELECT handle, since, until FROM firehose.handles ORDER BY since").result_rows == [
        ("old.test", at(0, 0, 1), at(0, 0, 4)),
        ("new.test", at(0, 0, 4), None),
    ]


def test_words_are_found_in_any_script(client: Client, lake: LakeBuilder) -> None:
    said = ["黒猫が好きです", "CAFÉ time", "coffee☕️now", "#coffee", "decoffeed", "京都へ行く", "東京都", "a\0b"]
    lake.store([text(f"a{n}", n, "k", each) for n, each in enumerate(said)])
    words = "tokens(normalizeUTF8NFKCCasefold(ifNull(text, '')), 'icu', 'en')"

    def found(word: str) -> list[str]:
        query = f"SELECT text FROM firehose.posts WHERE has({words}, {{word:String}}) ORDER BY time_us"
        return [row[0] for row in client.query(query, parameters={"word": word}).result_rows]

    assert found("coffee") == ["coffee☕️now", "#coffee"]
    assert found("café") == ["CAFÉ time"]
    assert found("猫") == ["黒猫が好きです"]
    assert found("京都") == ["京都へ行く"]
