"""Cohorts on real files and the real engine: lists, handles at their time, and what analysts join."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import duckdb
import msgspec
import pyarrow.parquet as pq
import pytest
from clickhouse_connect.driver.client import Client
from typer.testing import CliRunner

from firehose import cohorts
from firehose.errors import FirehoseError
from firehose.settings import Settings
from firehose.store import LocalLake
from firehose.warehouse.summaries import load
from firehose_cli.cohort import app
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


@pytest.mark.usefixtures("events_only")
def test_exports_have_the_rows_of_the_view_and_each_edge_once(
    client: Client, lake: LakeBuilder, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files are read back by DuckDB. The batches leave most of the day out, which has to be said."""
    for name in ("home", "lake", "clickhouse_url", "clickhouse_analyst_password"):
        monkeypatch.setenv(f"FIREHOSE_{name.upper()}", str(msgspec.structs.asdict(settings)[name]))
    keys = [tid(int(at(6, n).timestamp()) * 1_000_000, 1) for n in range(9)]
    post = f"at://did:plc:ann/app.bsky.feed.post/{keys[0]}"
    lake.write(
        "posts",
        [row("posts", at(6, n), who, rkey=keys[n]) for n, who in enumerate(("ann", "bob", "far"))]
        + [row("posts", at(6, 3), "far", rkey=keys[3], reply_parent_uri=post)],
    )
    lake.write(
        "likes",
        [row("likes", at(6, n), who, rkey=keys[n], subject_uri=post) for n, who in ((4, "bob"), (5, "far"))],
    )
    lake.write("follows", [row("follows", at(6, 6), "ann", rkey=keys[6], subject_did="did:plc:bob")])
    lake.publish(at(6, 0), {at(6): ["posts", "likes", "follows"]})
    lake.publish(at(9, 0), {})
    load(client, LocalLake(lake.root))
    members = [cohorts.Member(f"did:plc:{who}", "") for who in ("ann", "bob")]
    cohorts.write(LocalLake(lake.root), "study", members)

    def run(*options: str) -> str:
        answer = CliRunner().invoke(
            app, ["export", "study", str(tmp_path / "out"), *options], catch_exceptions=False
        )
        assert answer.exit_code == 0
        return answer.stderr

    assert "warning: events are missing in what was read" in run()
    columns = "date, hour_start, witnessed_at, what, member_did, did, uri, target_did, target_uri"
    view = f"SELECT {columns} FROM firehose.cohort_activity(cohort = 'study')"
    wanted = client.query(view, tz_mode="aware").result_rows
    assert len(wanted) == 9
    duckdb.execute("SET TimeZone = 'UTC'")
    read = duckdb.execute(f"SELECT {columns} FROM '{tmp_path}/out/activity.parquet'").fetchall()
    assert len(read) == len(wanted)
    assert {tuple(map(_plain, each)) for each in read} == {tuple(map(_plain, each)) for each in wanted}
    said = json.loads((tmp_path / "out/completeness.json").read_bytes())
    digest = hashlib.sha256((tmp_path / "out/activity.parquet").read_bytes()).hexdigest()
    assert (said["rows"], said["sha256"]) == (9, digest)
    assert {each["type"] for each in said["completeness"]["hours"]} == {"posts", "likes", "reposts", "follows"}

    run("--format", "csv", "--what", "post,like_received", "--from", f"{at(6, 1):%Y-%m-%dT%H:%M:%SZ}")
    read = duckdb.execute(f"SELECT what, uri FROM '{tmp_path}/out/activity.csv'").fetchall()
    likes = [
        ("like_received", f"at://did:plc:{who}/app.bsky.feed.like/{keys[n]}")
        for n, who in ((4, "bob"), (5, "far"))
    ]
    assert sorted(read) == [*likes, ("post", f"at://did:plc:bob/app.bsky.feed.post/{keys[1]}")]

    run("--format", "edges")
    read = duckdb.execute(f"SELECT who, whom, how, \"when\" FROM '{tmp_path}/out/edges.csv' ORDER BY 4").fetchall()
    assert [(who[-3:], whom[-3:], how, _plain(when)) for who, whom, how, when in read] == [
        ("far", "ann", "reply", _plain(at(6, 3))),
        ("bob", "ann", "like", _plain(at(6, 4))),
        ("far", "ann", "like", _plain(at(6, 5))),
        ("ann", "bob", "follow", _plain(at(6, 6))),
    ]
    for options, why in (
        (["--what", "sneeze"], "nothing that a cohort did"),
        (["--format", "xls"], "write one of"),
    ):
        with pytest.raises(FirehoseError, match=why):
            run(*options)


def _plain(value: object) -> str:
    """DuckDB's times and ClickHouse's in one form."""
    return str(value).replace("+00:00", "")


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
