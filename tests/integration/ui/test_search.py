"""Search through the page's server, against Python and DuckDB over the events that the lake was made of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import duckdb
import httpx
import pytest

from tests.integration.ui.conftest import END, HOSTILE, START, YESTERDAY, Site
from tests.integration.ui.test_queries import begin
from tests.integration.warehouse.lakes import type_of

DAY = 86_400
SPAN: dict[str, Any] = {"since": int(YESTERDAY.timestamp()), "until": int(END.timestamp())}
MEDIA = {
    "image": {"app.bsky.embed.images"},
    "video": {"app.bsky.embed.video"},
    "quote": {"app.bsky.embed.record", "app.bsky.embed.recordWithMedia"},
}


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[httpx.Client]:
    with site.client() as client:
        yield client


def texts(values: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}


def asked(client: httpx.Client, name: str, **values: Any) -> dict[str, Any]:
    answer = client.post(f"/api/search/{name}", json=texts(SPAN | values))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def pages(client: httpx.Client, q: str, **values: Any) -> list[dict[str, Any]]:
    """The posts of all pages."""
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        answer = asked(client, "posts", q=q, order="newest", after=after, **values)
        found += answer["posts"]
        if not (after := answer["after"]):
            return found


def english(record: dict[str, Any]) -> bool:
    """Whether a post declares English or one of its regions, in whatever case."""
    langs = record.get("langs") or []
    return any(re.split("[-_]", lang)[0].lower() == "en" for lang in langs)


def created(site: Site) -> Iterator[dict[str, Any]]:
    """The events that made posts in English."""
    for event in site.events:
        made = type_of(event) == "posts" and event["commit"]["operation"] == "create"
        if made and english(event["commit"]["record"]):
            yield event


def standing(site: Site) -> dict[str, tuple[int, dict[str, Any]]]:
    """Each post that was not deleted by its address: when its form of now was seen, and its record."""
    found: dict[str, tuple[int, dict[str, Any]]] = {}
    for event in sorted(site.events, key=lambda event: event["time_us"]):
        if type_of(event) != "posts":
            continue
        commit = event["commit"]
        uri = f"at://{event['did']}/app.bsky.feed.post/{commit['rkey']}"
        if commit["operation"] == "delete":
            found.pop(uri, None)
        else:
            found[uri] = event["time_us"], commit["record"]
    return found


def test_pages_have_each_post_once_newest_first(site: Site, client: httpx.Client) -> None:
    wanted = {uri: at for uri, (at, record) in standing(site).items() if english(record)}
    found = pages(client, "lang:en")
    assert len(wanted) > 100, "more than two pages"
    assert [post["uri"] for post in found] == sorted(wanted, key=lambda uri: -wanted[uri])
    written = {uri: record["text"] for uri, (_, record) in standing(site).items()}
    assert all("".join(piece for piece, _ in post["pieces"]) == written[post["uri"]] for post in found)


def test_what_was_asked_for_is_marked_and_markup_stays_text(site: Site, client: httpx.Client) -> None:
    found = pages(client, "ONERROR")
    written = {uri: str(record["text"]) for uri, (_, record) in standing(site).items()}
    assert {post["uri"] for post in found} == {uri for uri, text in written.items() if HOSTILE in text}
    for post in found:
        assert [piece for piece, marked in post["pieces"] if marked] == ["onerror"]
        assert "".join(piece for piece, _ in post["pieces"]) == written[post["uri"]]
    ranked = asked(client, "posts", q="onerror", order="ranked", after="")
    assert {post["uri"] for post in ranked["posts"]} == {post["uri"] for post in found} and not ranked["after"]


@pytest.mark.parametrize("step", ["minute", "5 minutes", "15 minutes", "hour", "day", "week", "month"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
def test_counts_by_the_readers_clock(site: Site, client: httpx.Client, step: str, zone: str) -> None:
    wanted = Counter(begin(event["time_us"] / 1e6, step, zone) for event in created(site))
    rows = asked(client, "counts", q="lang:en", step=step, zone=zone)["data"]
    assert rows == [[at, count] for at, count in sorted(wanted.items())]


def test_facets_are_those_of_the_lakes_posts(site: Site, client: httpx.Client) -> None:
    answer = asked(client, "facets", q="lang:en")
    found: dict[str, dict[str, int]] = {}
    for facet, name, _, posts in answer["data"]:
        found.setdefault(facet, {})[name] = posts
    files = f"{site.settings.lake}/year=*/month=*/day=*/hour=*/posts.parquet"
    with duckdb.connect() as duck:
        duck.execute(
            f"CREATE TABLE found AS SELECT * FROM read_parquet('{files}', "
            "hive_partitioning = false) WHERE operation = 'create' AND NOT resync"
            " AND len(list_filter(languages, lambda l: l = 'en' OR l LIKE 'en-%')) > 0"
        )
        values = {
            "from": "[did]",
            "lang": "list_distinct(languages)",
            "domain": "list_distinct(list_concat(link_hosts, link_domains))",
        }
        for facet, each in values.items():
            rows = duck.execute(
                f"SELECT v, count(*) AS n FROM (SELECT unnest({each}) AS v FROM found) WHERE v != '' GROUP BY v"
                " ORDER BY n DESC, v LIMIT 12"
            ).fetchall()
            assert list(found.get(facet, {}).items()) == rows, facet
        assert answer["counted"] == duck.execute("SELECT count(*) FROM found").fetchone()[0]  # type: ignore[index]
    media: Counter[str] = Counter()
    for event in created(site):
        record = event["commit"]["record"]
        embed = record.get("embed") or {}
        kinds = {embed.get("$type"), (embed.get("media") or {}).get("$type")}
        media.update(name for name, of in MEDIA.items() if kinds & of)
        media["reply"] += bool(record.get("reply"))
    assert {name: found["has"].get(name, 0) for name in media} == media and len(media) == 4


def test_the_span_is_the_querys_own_where_it_has_one(client: httpx.Client) -> None:
    day = START.replace(hour=0)
    assert asked(client, "span", q="cat") == {**SPAN, "ranked": True}
    found = asked(client, "span", q=f"lang:en since:{day:%Y-%m-%d} as_of:{START:%Y-%m-%dT%H:%MZ}")
    assert found == {"since": day.timestamp(), "until": START.timestamp(), "ranked": False}
    early = pages(client, f"lang:en until:{START:%Y-%m-%dT%H:%MZ}")
    assert early and all(post["at"] < START.timestamp() for post in early)


@pytest.mark.parametrize(
    ("name", "values", "kind", "position"),
    [
        ("span", {"q": "🐈 form:bob.test"}, "grammar", 2),
        ("posts", {"q": "cat from:nobody.test", "order": "newest", "after": ""}, "grammar", 4),
        ("posts", {"q": "cat", "order": "newest", "after": "1/1) OR (1"}, "value", None),
        ("posts", {"q": "cat", "order": "best", "after": ""}, "value", None),
        ("posts", {"q": "lang:en", "order": "ranked", "after": ""}, "grammar", 0),
        ("counts", {"q": "cat", "step": "second", "zone": "UTC"}, "value", None),
        ("counts", {"q": "cat", "step": "hour", "zone": "Mars"}, "value", None),
        ("facets", {}, "value", None),
        ("span", {"q": "cat since:2026-06-01 until:2026-05-01"}, "value", None),
        ("nothing", {}, "value", None),
    ],
)
def test_what_is_wrong_is_said_where_it_is(
    client: httpx.Client, name: str, values: dict[str, str], kind: str, position: int | None
) -> None:
    answer = client.post(f"/api/search/{name}", json=texts(SPAN | values))
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["kind"], error.get("position")) == (kind, position), error
