"""The named queries through the page's server, against Python over the events that the lake was made of."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import httpx
import pytest

from firehose.warehouse.client import connect
from tests.integration.ui.conftest import END, START, YESTERDAY, Site
from tests.integration.ui.strangers import GONE
from tests.integration.warehouse.lakes import type_of

DAY = 86_400
SINCE, UNTIL = int(START.timestamp()), int(END.timestamp())
HOURS = {"since": SINCE, "until": UNTIL - UNTIL % 3600 + 3600}
COMPARED = HOURS | {"before": SINCE - DAY, "before_until": HOURS["until"] - DAY}
NAMED = ("posts", "likes", "reposts", "follows", "blocks")


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[httpx.Client]:
    with site.client() as client:
        yield client


def asked(client: httpx.Client, name: str, **values: str | float) -> list[list[Any]]:
    answer = client.get(f"/api/query/{name}", params=values)
    assert answer.status_code == 200, answer.text
    rows: list[list[Any]] = answer.json()["data"]
    return rows


def moment(event: dict[str, Any]) -> float:
    return float(event["time_us"] / 1e6)


def within(site: Site, since: float = SINCE, until: float = UNTIL) -> list[dict[str, Any]]:
    return [event for event in site.events if since <= moment(event) < until]


def created(site: Site, record_type: str) -> list[dict[str, Any]]:
    events = within(site)
    return [e for e in events if type_of(e) == record_type and e["commit"]["operation"] == "create"]


def test_how_far_the_data_reach(site: Site, client: httpx.Client) -> None:
    ((first, last, batch, _),) = asked(client, "freshness")
    assert first == min(map(moment, site.events)) // 60 * 60 == YESTERDAY.timestamp()
    assert last == max(map(moment, site.events)) // 60 * 60 + 60
    assert batch == UNTIL


@pytest.mark.parametrize("step", ["minute", "5 minutes", "15 minutes", "hour", "day", "week", "month"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/New_York"])
def test_activity_by_the_readers_clock(site: Site, client: httpx.Client, step: str, zone: str) -> None:
    wanted: dict[float, Counter[str]] = defaultdict(Counter)
    for event in within(site, SINCE - DAY):
        name = type_of(event)
        wanted[begin(moment(event), step, zone)][name if name in NAMED else "other"] += 1
    rows = asked(client, "activity", since=SINCE - DAY, until=UNTIL, step=step, zone=zone)
    assert rows == [[at, *(counts[name] for name in (*NAMED, "other"))] for at, counts in sorted(wanted.items())]


def begin(at: float, step: str, zone: str) -> float:
    """The start of a step, by Python's calendar."""
    local = datetime.fromtimestamp(at, ZoneInfo(zone)).replace(second=0, microsecond=0)
    minutes = {"5 minutes": 5, "15 minutes": 15, "hour": 60}.get(step, 1)
    local = local.replace(minute=local.minute - local.minute % minutes)
    if step in ("day", "week", "month"):
        local = local.replace(hour=0, minute=0)
    if step == "week":
        local -= timedelta(days=local.weekday())
    return (local.replace(day=1) if step == "month" else local).timestamp()


def test_accounts_each_once_an_hour(site: Site, client: httpx.Client) -> None:
    wanted: dict[float, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for event in within(site):
        for name in ("all", type_of(event)):
            wanted[moment(event) // 3600 * 3600][name].add(event["did"])
    rows = asked(client, "accounts", **HOURS, step="hour", zone="UTC")
    assert rows == [
        [at, *(len(of[name]) for name in ("all", "posts", "likes"))] for at, of in sorted(wanted.items())
    ]
    everyone = {event["did"] for event in within(site)}
    ((_, estimate, _, _),) = asked(client, "accounts", **HOURS, step="day", zone="UTC")
    assert estimate == pytest.approx(len(everyone), rel=0.01)


def test_the_most_active_accounts(site: Site, client: httpx.Client) -> None:
    counts = Counter(event["did"] for event in within(site, SINCE, HOURS["until"]))
    rows = asked(client, "active_accounts", **HOURS)
    assert len(rows) == 20
    assert [events for _, events, _, _ in rows] == sorted(counts.values(), reverse=True)[:20]
    assert all(counts[did] == events for did, events, _, _ in rows)
    assert {status for did, _, _, status in rows if did == GONE} <= {"takendown"}


def test_languages_are_those_declared_first(site: Site, client: httpx.Client) -> None:
    wanted: Counter[str] = Counter()
    for post in created(site, "posts"):
        langs = post["commit"]["record"].get("langs") or [""]
        wanted[re.split("[-_]", langs[0])[0].lower()] += 1
    rows = asked(client, "languages", **COMPARED)
    assert {name: posts for name, posts, _ in rows if posts} == wanted


@pytest.fixture(scope="module")
def posts(site: Site) -> Iterator[duckdb.DuckDBPyConnection]:
    """The lake's posts, without resyncs, in DuckDB."""
    with duckdb.connect() as duck:
        files = f"{site.settings.lake}/year=*/month=*/day=*/hour=*/posts.parquet"
        duck.execute(
            "CREATE TABLE posts AS SELECT *, time_us // 1000000 AS seconds FROM "
            f"read_parquet('{files}', hive_partitioning = false) WHERE operation = 'create' AND NOT resync"
        )
        yield duck


@pytest.mark.parametrize(("name", "column"), [("hashtags", "tags"), ("domains", "link_domains")])
def test_most_rising_and_falling(
    site: Site, client: httpx.Client, posts: duckdb.DuckDBPyConnection, name: str, column: str
) -> None:
    with closing(connect(site.settings, "analyst")) as analyst:
        gifs = {
            domain for (domain,) in analyst.query("SELECT DISTINCT domain FROM firehose.gif_hosts").result_rows
        }
    counts: list[dict[str, int]] = []
    for since, until in ((SINCE, HOURS["until"]), (SINCE - DAY, HOURS["until"] - DAY)):
        tagged = posts.execute(
            f"SELECT value, count(*) FROM (SELECT unnest(list_distinct({column})) AS value FROM posts "
            f"WHERE seconds >= {since} AND seconds < {until}) WHERE value != '' GROUP BY value"
        ).fetchall()
        counts.append(dict(tagged))
    now, before = counts
    assert now and before
    for order in ("most", "rising", "falling"):
        rows = asked(client, name, **COMPARED, order=order, scale=3.5)
        assert rows, order
        for value, found, found_before, _ in rows:
            if value not in gifs:
                assert (found, found_before) == (now.get(value, 0), before.get(value, 0)), value
        scores = [rank(order, row[1], row[2] * 3.5) for row in rows]
        assert scores == sorted(scores, reverse=True), order
    (first, *_) = asked(client, name, **COMPARED, order="most", scale=1)
    assert first[1] == max(found for value, found in now.items() if value not in gifs)


def rank(order: str, now: float, before: float) -> float:
    change = (now - before) / math.sqrt(before + 1)
    return {"most": now, "rising": change, "falling": -change}[order]


@pytest.mark.parametrize(("kind", "record_type"), [("like", "likes"), ("repost", "reposts")])
def test_the_most_liked_and_reposted_posts(site: Site, client: httpx.Client, kind: str, record_type: str) -> None:
    standing: dict[tuple[str, str], str] = {}
    for event in sorted(within(site), key=moment):
        if type_of(event) != record_type:
            continue
        key = event["did"], event["commit"]["rkey"]
        if event["commit"]["operation"] == "delete":
            standing.pop(key, None)
        else:
            standing[key] = event["commit"]["record"]["subject"]["uri"]
    givers: dict[str, set[str]] = defaultdict(set)
    for (did, _), uri in standing.items():
        givers[uri].add(did)
    best = sorted((-len(dids), uri) for uri, dids in givers.items() if "/app.bsky.feed.post/" in uri)[:10]
    rows = asked(client, "top_posts", kind=kind, **HOURS)
    assert [(row[1], row[0]) for row in rows] == [(-count, uri) for count, uri in best]
    texts = defaultdict(set)
    for event in site.events:
        if type_of(event) == "posts" and "record" in event["commit"]:
            texts[event["did"], event["commit"]["rkey"]].add(event["commit"]["record"]["text"])
    told = asked(client, "texts_of", uris=" ".join(row[0] for row in rows), until=HOURS["until"])
    assert [row[0] for row in told] == [row[0] for row in rows]
    for uri, text, _ in told:
        assert text is None or text in texts[uri.split("/")[2], uri.split("/")[4]]
    assert any(text for _, text, _ in told)


def test_what_is_missing_is_what_the_view_says(site: Site, client: httpx.Client) -> None:
    since, until = SINCE - DAY, HOURS["until"]
    answer = client.get("/api/coverage", params={"since": since, "until": until}).json()
    with closing(connect(site.settings, "analyst")) as analyst:
        rows = analyst.query(
            "SELECT toUnixTimestamp(hour_start), seconds_missing, seconds_unaccounted FROM firehose.completeness"
            " WHERE type = 'posts'"
        ).result_rows
    assert sum(missing > 0 for _, missing, _ in rows) == 1 and sum(unknown > 0 for _, _, unknown in rows) > 1
    for hour, missing, unknown in rows:
        for kind, wanted in (("gap", missing), ("unknown", unknown)):
            spans = [lack for lack in answer["lacks"] if lack["kind"] == kind]
            found = sum(max(0, min(x["until"], hour + 3600) - max(x["since"], hour)) for x in spans)
            assert found == pytest.approx(wanted), (datetime.fromtimestamp(hour, UTC), kind)


def test_the_schema_has_what_an_analyst_reads(client: httpx.Client) -> None:
    tables = dict(asked(client, "schema"))
    assert "text" in tables["firehose.posts"] and "day" in tables["ops.events"]
