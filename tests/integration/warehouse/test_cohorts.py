"""Cohorts on real files and the real engine: lists, handles at their time, and what analysts join."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from clickhouse_connect.driver.client import Client

from firehose import cohorts
from firehose.errors import FirehoseError
from firehose.store import LocalLake
from firehose.warehouse.summaries import load
from jetstream_simulator.identifiers import tid
from tests.integration.warehouse.lakes import LakeBuilder, at, row


@pytest.mark.usefixtures("events_only")
def test_a_list_of_handles_and_dids_is_joined_by_analysts(
    client: Client, lake: LakeBuilder, tmp_path: Path
) -> None:
    identities = [
        row("identities", at(1), "ann", handle="name.test", time="t"),
        row("identities", at(3), "ann", handle="new.test", time="t"),
        row("identities", at(4), "bob", handle="name.test", time="t"),
    ]
    columns = ["day", "hour", "at", "did", "seq", "kind", "handle", "active", "status"]
    for each, hour in zip(identities, (1, 3, 4), strict=True):
        moment = [at(hour).date(), at(hour), at(hour), each["did"], hour, "identity", each["handle"], True, ""]
        client.insert("account_changes", [moment], column_names=columns, database="ops")
    listed = tmp_path / "list.csv"
    listed.write_text("account,group\n@Name.test,a\ndid:plc:cyd,b\n\n# nobody\n")
    root = LocalLake(lake.root)
    for hour, who in ((2, "ann"), (5, "bob")):
        found = cohorts.members(client, cohorts.read_list(listed), at(hour))
        assert [member.did for member in found] == [f"did:plc:{who}", "did:plc:cyd"]
        cohorts.write(root, f"study{hour}", found)
    lake.write("posts", [row("posts", at(6, n), who) for n, who in enumerate(("ann", "bob", "cyd", "dan"))])
    rows = client.query(
        "SELECT cohort, count() FROM firehose.posts JOIN firehose.cohorts USING did GROUP BY cohort ORDER BY 1"
    ).result_rows
    assert rows == [("study2", 2), ("study5", 2)]
    stored = pq.read_table(Path(lake.root) / "_cohorts/study2.parquet").to_pylist()
    assert [(each["named"], each["at"]) for each in stored] == [("@Name.test", at(2)), ("did:plc:cyd", None)]
    for hour in (0, 3):
        with pytest.raises(FirehoseError, match="no account's at"):
            cohorts.members(client, ["name.test"], at(hour))
    assert cohorts.names(root) == ["study2", "study5"]
    assert cohorts.remove(root, "study2") == 2
    assert client.query("SELECT DISTINCT cohort FROM firehose.cohorts").result_rows == [("study5",)]
    with pytest.raises(FirehoseError, match=r"no cohort 'study2': there are study5"):
        cohorts.read(root, "study2")


@pytest.mark.usefixtures("events_only")
def test_the_activity_of_a_cohort_is_that_of_the_files(client: Client, lake: LakeBuilder) -> None:
    """The expectation is made of the Parquet files with DuckDB."""
    keys = [tid(int(at(6, n).timestamp()) * 1_000_000, 1) for n in range(9)]
    post = f"at://did:plc:ann/app.bsky.feed.post/{keys[0]}"
    lake.write(
        "posts",
        [
            row("posts", at(6, 0), "ann", rkey=keys[0]),
            row(
                "posts",
                at(6, 1),
                "ann",
                rkey=keys[1],
                reply_parent_uri=f"at://did:plc:far/app.bsky.feed.post/{keys[8]}",
            ),
            row("posts", at(6, 2), "bob", rkey="by-hand", reply_parent_uri=post),
            row("posts", at(6, 3), "cyd", rkey=keys[3]),
            row("posts", at(6, 4), "far", rkey=keys[8]),
        ],
    )
    likes = [row("likes", at(6, 5), "bob", rkey=keys[5], subject_uri=post)]
    likes += [row("likes", at(6, 6), "ann", rkey=keys[6], subject_uri="at://did:plc:far/app.bsky.feed.post/x")]
    lake.write("likes", likes)
    follows = [("ann", "bob", 7), ("far", "ann", 8)]
    lake.write(
        "follows",
        [row("follows", at(6, n), a, rkey=keys[n - 3], subject_did=f"did:plc:{b}") for a, b, n in follows],
    )
    lake.publish(at(6, 55), {at(6): ["posts", "likes", "follows"]})
    load(client, LocalLake(lake.root))
    cohorts.write(LocalLake(lake.root), "study", [cohorts.Member("did:plc:ann", "did:plc:ann")])
    shown = client.query(
        "SELECT what, did, uri, member_did, target_did, target_uri FROM firehose.cohort_activity(cohort = 'study')"
    ).result_rows
    files = {
        name: f"read_parquet('{lake.folder(at(6))}/{name}.parquet')" for name in ("posts", "likes", "follows")
    }
    uri = "'at://' || did || '/app.bsky.{0}/' || rkey"
    author = "coalesce(regexp_extract({0}, 'at://([^/]+)', 1), '')"
    wanted = duckdb.execute(
        f"""
        WITH m AS (SELECT did FROM read_parquet('{lake.root}/_cohorts/study.parquet')),
        p AS (SELECT *, {uri.format("feed.post")} AS uri, coalesce(reply_parent_uri, '') AS parent,
            {author.format("reply_parent_uri")} AS whom FROM {files["posts"]}),
        l AS (SELECT *, {uri.format("feed.like")} AS uri, {author.format("subject_uri")} AS whom
            FROM {files["likes"]}),
        f AS (SELECT *, {uri.format("graph.follow")} AS uri FROM {files["follows"]})
        SELECT if(parent = '', 'post', 'reply'), did, uri, did, whom, parent FROM p WHERE did IN (FROM m)
        UNION ALL SELECT 'reply_received', did, uri, whom, whom, parent FROM p WHERE whom IN (FROM m)
        UNION ALL SELECT 'like', did, uri, did, whom, subject_uri FROM l WHERE did IN (FROM m)
        UNION ALL SELECT 'like_received', did, uri, whom, whom, subject_uri FROM l WHERE whom IN (FROM m)
        UNION ALL SELECT 'follow', did, uri, did, subject_did, '' FROM f WHERE did IN (FROM m)
        UNION ALL SELECT 'follower', did, uri, subject_did, subject_did, '' FROM f WHERE subject_did IN (FROM m)
        UNION ALL SELECT 'network_post', did, uri, '', '', '' FROM p
            WHERE did IN (SELECT subject_did FROM f WHERE did IN (FROM m))
        """
    ).fetchall()
    assert sorted(map(tuple, shown)) == sorted(wanted)
    assert {what for what, *_ in shown} >= {"post", "reply", "reply_received", "like_received", "network_post"}


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "names no account"), ("x y\n", "line 1: 'x y' is neither"), ("did:plc:a\nhandle\n", "line 2")],
)
def test_a_list_that_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "list").write_text(text)
    with pytest.raises(FirehoseError, match=said):
        cohorts.read_list(tmp_path / "list")
    with pytest.raises(FirehoseError, match="cannot be a cohort's name"):
        cohorts.write(LocalLake(tmp_path), "../x", [])
