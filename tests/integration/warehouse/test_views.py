"""The views over real Parquet files: values, layouts, and that a condition on time opens only its files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clickhouse_connect.driver.client import Client

from firehose import schema
from firehose.files import part_of
from firehose.schema import SCHEMAS
from tests.integration.warehouse.lakes import LakeBuilder, at, row


def files_opened(client: Client, query: str) -> int:
    """How many files of the lake a query opens. Only one query may run meanwhile."""
    return counted(client, query, "EngineFileLikeReadFiles")


def counted(client: Client, query: str, event: str) -> int:
    """By how much a query raises a counter of the engine. Only one query may run meanwhile."""
    value = f"SELECT value FROM system.events WHERE event = '{event}'"
    before = client.query(value).result_rows
    client.query(query)
    after = client.query(value).result_rows
    # A counter has no row until it is raised for the first time.
    return int(sum(n for (n,) in after) - sum(n for (n,) in before))


@pytest.mark.parametrize("name", [*schema.TYPES, "events"])
def test_an_empty_lake_has_no_rows_and_no_error(client: Client, name: str) -> None:
    assert client.query(f"SELECT * FROM firehose.{name}").result_rows == []


def test_columns_come_back_as_they_were_written(client: Client, lake: LakeBuilder) -> None:
    post = row(
        "posts",
        at(0, 7, 1.000001),
        "ann",
        rkey="3k",
        text="naïve 🦋\n'x'",
        langs=["en", "pt-BR"],
        tid_us=1_700_000_000_000_001,
        created_at=at(0, 6),
        extra='{"a":1}',
    )
    lake.write("posts", [post, row("posts", at(0, 8), operation="delete", cid=None)])
    first, second = client.query("SELECT * FROM firehose.posts ORDER BY time_us").named_results()
    assert {k: first[k] for k in post} == post
    assert first["uri"] == "at://did:plc:ann/app.bsky.feed.post/3k"
    assert first["witnessed_at"] == at(0, 7, 1.000001)
    assert first["tid_at"] == datetime(2023, 11, 14, 22, 13, 20, 1, tzinfo=UTC)
    assert [first[k] for k in ("year", "month", "day", "hour")] == [2026, 11, 23, 0]
    assert (first["date"], first["hour_start"]) == (at(0).date(), at(0))
    assert [second[k] for k in ("cid", "text", "created_at", "langs", "tid_at")] == [None, None, None, [], None]


def test_a_claimed_time_is_a_day_of_the_calendar_or_text(client: Client, lake: LakeBuilder) -> None:
    """Date holds 1970 to 2149 and wraps: toDate of year 1 would be a day in 1974."""
    years = [1, 1677, 1969, 1970, 2026, 2105, 2106, 2300, 9999]
    claims = [datetime(year, 6, 1, 2, 3, 4, 5000, tzinfo=UTC) for year in years]
    lake.write("likes", [row("likes", at(1, 0, n), created_at=claim) for n, claim in enumerate(claims)])
    rows = client.query(
        "SELECT toDate(created_at), created_at_raw FROM firehose.likes ORDER BY time_us"
    ).result_rows
    inside = range(1970, 2106)
    assert [day.year if day else None for day, _ in rows] == [year if year in inside else None for year in years]
    assert [raw for _, raw in rows] == [
        None if year in inside else f"{year:04d}-06-01T02:03:04.005Z" for year in years
    ]


def test_all_events_are_in_the_view_of_events(client: Client, small_lake: LakeBuilder) -> None:
    counted = client.query("SELECT type, count() FROM firehose.events GROUP BY type").result_rows
    assert {kind: n for kind, n in counted} == {  # noqa: C416 - rows are sequences of any length
        name: rows for name in schema.TYPES if (rows := client.command(f"SELECT count() FROM firehose.{name}"))
    }
    other = client.command("SELECT uri FROM firehose.events WHERE type = 'other'")
    assert other == "at://did:plc:ann/app.bsky.feed.threadgate/self"
    account = client.query("SELECT operation, collection, rkey, cid FROM firehose.events WHERE type = 'accounts'")
    assert account.result_rows == [("", "", "", None)]


def test_an_hour_laid_out_by_user_is_read_as_well(client: Client, lake: LakeBuilder) -> None:
    lake.write("posts", [row("posts", at(3))])
    lake.write("posts", [row("posts", at(4), "big")], user="did:plc:big")
    lake.write("posts", [row("posts", at(4), "a"), row("posts", at(4), "b")], user="other")
    rows = client.query(
        "SELECT hour, count(), uniq(did) FROM firehose.posts GROUP BY hour ORDER BY hour"
    ).result_rows
    assert rows == [(3, 1, 1), (4, 3, 3)]


def test_files_under_other_names_are_not_read(client: Client, lake: LakeBuilder) -> None:
    (path,) = lake.write("posts", [row("posts", at(3))])
    others = ("posts.parquet.part", "posts.parquet.tmp-1", ".posts.parquet.x", "posts.parquet.gz")
    for name in (part_of(path).name, *others):
        path.with_name(name).write_bytes(b"torn")
    assert client.command("SELECT count() FROM firehose.posts") == 1


def test_a_file_without_a_later_column_is_still_read(client: Client, lake: LakeBuilder) -> None:
    folder = lake.folder(at(5))
    folder.mkdir(parents=True)
    older = SCHEMAS["posts"].remove(SCHEMAS["posts"].get_field_index("mentions"))
    old = {k: v for k, v in row("posts", at(5), text="old").items() if k != "mentions"}
    pq.write_table(pa.Table.from_pylist([old], schema=older), folder / "posts.parquet")
    lake.write("posts", [row("posts", at(6), text="new", mentions=["did:plc:x"])])
    rows = client.query("SELECT text, mentions FROM firehose.posts ORDER BY time_us").result_rows
    assert rows == [("old", []), ("new", ["did:plc:x"])]


FILES_BY_CONDITION = {
    "1": 6,
    "hour_start = '2026-11-23 20:00:00'": 1,
    "hour_start >= '2026-11-23 19:00:00' AND hour_start < '2026-11-23 21:00:00'": 2,
    "year = 2026 AND month = 11 AND day = 23 AND hour = 20": 1,
    "date = '2026-11-23' AND hour = 0": 1,
    "date = '2026-11-23'": 4,
    "date > '2026-11-24'": 0,
    "date = (SELECT toDate('2026-11-24'))": 2,
    "(date, hour) IN (('2026-11-23', 20), ('2026-11-24', 0))": 2,
    "date = '2026-11-23' AND witnessed_at >= '2026-11-23 20:00:00'": 4,
}


@pytest.mark.parametrize("view", ["posts", "events"])
def test_a_condition_on_time_opens_only_its_files(client: Client, lake: LakeBuilder, view: str) -> None:
    lake.write("posts", [row("posts", at(hour), text="x") for hour in (0, 19, 20, 21, 24, 30)])
    query = f"SELECT max(did), max(witnessed_at) FROM firehose.{view} WHERE "
    opened = {condition: files_opened(client, query + condition) for condition in FILES_BY_CONDITION}
    assert opened == FILES_BY_CONDITION


#: Files opened and row groups read, of a flat hour and of one by user, which has three large accounts and others.
COST_BY_ACCOUNT = {
    "1": (5, 5),
    "did = 'did:plc:big'": (3, 1),
    "did = 'did:plc:ann'": (2, 2),
    "did = 'did:plc:nobody'": (2, 0),
    "did IN ('did:plc:big', 'did:plc:huge')": (4, 2),
    "did = 'did:plc:big' AND hour = 4": (2, 1),
    "did = 'did:plc:huge' AND uri LIKE 'at://did:plc:huge/%'": (3, 1),
}


@pytest.mark.parametrize("view", ["posts", "events"])
def test_a_condition_on_an_account_opens_its_file_and_the_one_of_the_others(
    client: Client, lake: LakeBuilder, view: str
) -> None:
    lake.write("posts", [row("posts", at(3), "ann"), row("posts", at(3, 1), "abe")])
    for user in ("big", "huge", "vast"):
        lake.write("posts", [row("posts", at(4, n), user) for n in range(3)], user=f"did:plc:{user}")
    lake.write("posts", [row("posts", at(4), "ann"), row("posts", at(4, 1), "art")], user="other")
    query = f"SELECT did, max(rkey) FROM firehose.{view} WHERE {{}} GROUP BY did ORDER BY did"
    opened = {asked: files_opened(client, query.format(asked)) for asked in COST_BY_ACCOUNT}
    read = {asked: counted(client, query.format(asked), "ParquetReadRowGroups") for asked in COST_BY_ACCOUNT}
    assert {asked: (opened[asked], read[asked]) for asked in COST_BY_ACCOUNT} == COST_BY_ACCOUNT
    both = client.query(query.format("did IN ('did:plc:big', 'did:plc:ann')")).result_rows
    assert [did for did, _ in both] == ["did:plc:ann", "did:plc:big"]


def test_rows_are_found_by_every_kind_of_condition(client: Client, lake: LakeBuilder) -> None:
    lake.write("posts", [row("posts", at(hour, 30)) for hour in (0, 19, 20)])
    for condition in (
        "hour = 20 AND date = '2026-11-23'",
        "hour_start = toDateTime('2026-11-23 20:00:00', 'UTC')",
        "witnessed_at >= '2026-11-23 20:00:00' AND witnessed_at < '2026-11-23 21:00:00'",
        "time_us = 1795465800000000",
    ):
        assert client.command(f"SELECT count() FROM firehose.posts WHERE {condition}") == 1, condition


def test_a_replaced_file_is_seen_at_once(client: Client, lake: LakeBuilder, tmp_path: Path) -> None:
    lake.write("posts", [row("posts", at(3))])
    assert client.command("SELECT count() FROM firehose.posts") == 1
    other = LakeBuilder(tmp_path / "aside")
    (new,) = other.write("posts", [row("posts", at(3, n)) for n in range(3)])
    new.replace(lake.folder(at(3)) / "posts.parquet")
    assert client.command("SELECT count() FROM firehose.posts") == 3
