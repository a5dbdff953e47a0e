"""What the views Post, Account and Collections ask, against Python over the events that the lake was made of."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.integration.ui import strangers, threads
from tests.integration.ui.conftest import END, HOSTILE, START, Site
from tests.integration.ui.strangers import (
    ANSWER,
    DELETED,
    EDITED,
    EDITOR,
    FIRST,
    FIRST_CID,
    GONE,
    HANDLE,
    POST,
    QUOTE,
)
from tests.integration.ui.test_queries import asked, moment
from tests.integration.warehouse.lakes import type_of

HOURS = {"since": int(START.timestamp()), "until": (int(END.timestamp()) // 3600 + 1) * 3600}
KINDS = ("like", "repost", "reply", "quote")
LISTED = {"like": "likes", "repost": "reposts"}
Key = tuple[str, str, str]


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[httpx.Client]:
    with site.client() as client:
        yield client


def test_a_posts_forms_and_what_their_cids_prove(site: Site, client: httpx.Client) -> None:
    forms = client.get("/api/post", params=of(EDITED)).json()["forms"]
    assert [(f["operation"], f["proof"]) for f in forms] == [("create", "matches"), ("update", "differs")]
    assert forms[0]["record"] == FIRST and forms[0]["computed"] == FIRST_CID
    wanted = [e["commit"] for e in site.events if key_of(e) == tuple(EDITED.split("/")[2:])]
    assert [(f["rev"], f["record"], f["cid"]) for f in forms] == [
        (c["rev"], c["record"], c["cid"]) for c in wanted
    ]
    forms = client.get("/api/post", params=of(DELETED)).json()["forms"]
    assert [f["operation"] for f in forms] == ["create", "delete"]
    assert client.get("/api/post", params={"did": EDITOR, "rkey": "never"}).json() == {"forms": []}


def test_records_of_posts_are_what_was_sent(site: Site, client: httpx.Client) -> None:
    sent = [e for e in site.events if type_of(e) == "posts" and "record" in e["commit"]]
    for event in sent[::40]:
        did, rkey = event["did"], event["commit"]["rkey"]
        forms = client.get("/api/post", params={"did": did, "rkey": rkey}).json()["forms"]
        (form,) = [f for f in forms if f["rev"] == event["commit"]["rev"] and f["operation"] != "delete"]
        assert form["record"] == event["commit"]["record"] and form["cid"] == event["commit"]["cid"]


def of(uri: str) -> dict[str, str]:
    _, _, did, _, rkey = uri.split("/")
    return {"did": did, "rkey": rkey}


def key_of(event: dict[str, Any]) -> Key | None:
    if event["kind"] != "commit":
        return None
    return event["did"], event["commit"]["collection"], event["commit"]["rkey"]


def about(event: dict[str, Any]) -> list[tuple[str, str]]:
    """What a record is about, of the kinds that the views list."""
    record = event["commit"].get("record", {})
    kind = {"likes": "like", "reposts": "repost"}.get(type_of(event))
    if kind:
        return [(kind, record["subject"]["uri"])]
    if type_of(event) == "follows":
        return [("follow", record["subject"])]
    if type_of(event) != "posts":
        return []
    found = [("reply", record["reply"]["parent"]["uri"])] if "reply" in record else []
    embed = record.get("embed", {})
    quoted = embed.get("record", {})
    quoted = quoted.get("record", quoted)
    return found + ([("quote", quoted["uri"])] if isinstance(quoted, dict) and "uri" in quoted else [])


@pytest.fixture(scope="module")
def lives(site: Site) -> dict[Key, list[dict[str, Any]]]:
    """The events of each record, in their order."""
    found: dict[Key, list[dict[str, Any]]] = defaultdict(list)
    for event in sorted(site.events, key=moment):
        if (key := key_of(event)) and event["commit"]["operation"] in ("create", "update", "delete"):
            found[key].append(event)
    return found


def test_engagement_by_hour(site: Site, client: httpx.Client, lives: dict[Key, list[dict[str, Any]]]) -> None:
    made: dict[str, Counter[tuple[int, str]]] = defaultdict(Counter)
    for events in lives.values():
        told: list[tuple[str, str]] = []
        for event in events:
            hour = int(moment(event)) // 3600 * 3600
            if event["commit"]["operation"] == "delete":
                for _, uri in told:
                    made[uri][hour, "undone"] += 1
            else:
                for kind, uri in about(event):
                    made[uri][hour, kind] += event["commit"]["operation"] == "create"
                told = about(event)
    best = sorted(made, key=lambda uri: -sum(made[uri].values()))[:4]
    for uri in [each for each in best if each.startswith("at://")] + [EDITED]:
        counts = made[uri]
        wanted = [
            [hour, *(counts[hour, kind] for kind in (*KINDS, "undone"))] for hour in sorted({h for h, _ in counts})
        ]
        assert asked(client, "post_engagement", uri=uri) == wanted, uri


def test_thread_and_quotes(site: Site, client: httpx.Client, lives: dict[Key, list[dict[str, Any]]]) -> None:
    # By thread and answer: the post that it answers, and whether it was deleted. One that an edit took out of the
    # thread is not; one that was made again in another thread was deleted in this one.
    threaded: dict[str, dict[str, tuple[str, bool]]] = defaultdict(dict)
    for (did, collection, rkey), events in lives.items():
        uri, root = f"at://{did}/{collection}/{rkey}", ""
        for commit in (event["commit"] for event in events if collection == POST):
            if commit["operation"] == "create" and (reply := commit["record"].get("reply")):
                root = reply["root"]["uri"]
                threaded[root][uri] = (reply["parent"]["uri"], False)
            elif commit["operation"] == "delete" and root:
                threaded[root][uri] = (threaded[root][uri][0], True)
    largest = sorted((root for root in threaded if root != threads.WIDE), key=lambda root: -len(threaded[root]))
    for root in [*largest[:3], EDITED]:
        wanted = set()
        level = {root}
        for depth in range(1, 500):
            below = {uri for uri, (parent, _) in threaded[root].items() if parent in level}
            wanted |= {(depth, uri, threaded[root][uri][1]) for uri in below}
            if not (level := below):
                break
        rows = asked(client, "post_thread", uri=root)
        assert {(depth, uri, deleted) for depth, _, uri, _, deleted, _, _ in rows} == wanted
    ((_, did, uri, _, deleted, text, status),) = asked(client, "post_thread", uri=EDITED)
    assert (did, uri, deleted, text, status) == (GONE, ANSWER, False, f"{strangers.SECRET} (answer)", "takendown")
    ((_, did, uri, _, deleted, text, status),) = asked(client, "post_quotes", uri=EDITED)
    assert (did, uri, deleted, text, status) == (GONE, QUOTE, False, f"{strangers.SECRET} (quote)", "takendown")


def test_deep_and_wide_threads_and_quotes(client: httpx.Client) -> None:
    deep = asked(client, "post_thread", uri=threads.DEEP)
    levels = range(1, threads.LEVELS + 1)
    assert [(depth, uri) for depth, _, uri, *_ in deep] == [(level, threads.address(level, 1)) for level in levels]
    texts = {level: f"answer {level}" for level in levels} | {50: "edited answer 50", 150: "now on its own"}
    assert [text for *_, text, _ in deep] == list(texts.values())
    assert [uri for _, _, uri, _, deleted, *_ in deep if deleted] == [threads.DELETED]
    wide = asked(client, "post_thread", uri=threads.WIDE)
    assert [(depth, uri) for depth, _, uri, *_ in wide] == [
        (1, threads.address(each, 2)) for each in range(1, 501)
    ]
    quotes = {
        uri: (deleted, text) for _, _, uri, _, deleted, text, _ in asked(client, "post_quotes", uri=threads.DEEP)
    }
    wanted = [(False, "edited quote"), (True, "quote 2"), (False, "no quote now"), (False, "quoted again")]
    assert quotes == dict(zip(threads.QUOTES, wanted, strict=True))


def test_who_an_account_was(client: httpx.Client) -> None:
    assert [row[2:] for row in asked(client, "account_history", did=GONE)][-1] == ["other.example", "takendown"]
    rows = asked(client, "account_handles", handle=HANDLE)
    began = strangers.BEGAN.timestamp()
    assert [(did, since - began, until and until - began) for did, since, _, until, _, _ in rows] == [
        (EDITOR, 80, None),
        (GONE, 60, 70),
    ]
    assert asked(client, "account_handles", handle="never.example") == []


def test_what_an_account_does(site: Site, client: httpx.Client, lives: dict[Key, list[dict[str, Any]]]) -> None:
    busiest = [did for did, _ in Counter(event["did"] for event in site.events).most_common(3)]
    for did in [*busiest, EDITOR]:
        days: dict[int, Counter[str]] = defaultdict(Counter)
        for event in site.events:
            if event["did"] == did:
                day = days[int(moment(event)) // 86_400 * 86_400]
                operation = event.get("commit", {}).get("operation")
                day["events"] += 1
                day["deletes"] += operation == "delete"
                day[type_of(event)] += operation == "create"
        names = ("events", "posts", "likes", "reposts", "follows", "deletes")
        wanted = [[day, *(counts[name] for name in names)] for day, counts in sorted(days.items())]
        assert asked(client, "account_days", did=did, zone="UTC") == wanted
        own = {key: events for key, events in lives.items() if key[0] == did}
        for kind in ("like", "follow"):
            times: Counter[str] = Counter()
            for events in own.values():
                if events[-1]["commit"]["operation"] != "delete":
                    for found, uri in about(events[-1]):
                        times[uri.removeprefix("at://").split("/")[0]] += found == kind
            ranked = sorted(((-n, name) for name, n in times.items() if n))[:20]
            assert asked(client, "account_likes", did=did, kind=kind) == [[name, -n] for n, name in ranked]
    linked: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for event in site.events:
        if type_of(event) == "posts" and event["commit"]["operation"] != "delete":
            for url in links(event["commit"]["record"]):
                linked[event["did"]][re.sub(r"^www\.", "", urlsplit(url).hostname or "")].add(
                    event["commit"]["rkey"]
                )
    did = max(linked, key=lambda did: len(linked[did]))
    hosts = dict(asked(client, "account_links", did=did))
    assert hosts and len(hosts) <= 20
    assert {name: hosts[name] for name in hosts if name in linked[did]} == {
        name: len(posts) for name, posts in linked[did].items() if name in hosts
    }
    assert any(name in linked[did] for name in hosts)
    rows = asked(client, "account_posts", did=EDITOR)
    assert [(row[2], row[4], row[5]) for row in rows] == [
        (DELETED, True, "soon deleted"),
        (EDITED, False, f"edited {HOSTILE}"),
    ]


def links(record: dict[str, Any]) -> Iterator[str]:
    """The addresses that a post links to."""
    for facet in record.get("facets") or []:
        yield from (feature["uri"] for feature in facet["features"] if "uri" in feature)
    external = (record.get("embed") or {}).get("external")
    if external:
        yield external["uri"]


def test_collections(site: Site, client: httpx.Client) -> None:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    hours: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for event in site.events:
        if event["kind"] == "commit" and HOURS["since"] <= moment(event) < HOURS["until"]:
            name = event["commit"]["collection"]
            counts[name].update(("all", event["commit"]["operation"]))
            hours[name][int(moment(event)) // 3600 * 3600].append(event["did"])
    rows = asked(client, "collections", **HOURS)
    order = sorted(counts, key=lambda name: (-counts[name]["all"], name))
    assert rows == [[name, *(counts[name][of] for of in ("all", "create", "update", "delete"))] for name in order]
    for name in (order[0], order[-1], "com.example.hostile"):
        wanted = [[hour, len(dids), len(set(dids))] for hour, dids in sorted(hours[name].items())]
        assert asked(client, "collection_accounts", **HOURS, collection=name) == wanted
    ((uri, _, did, extra),) = asked(client, "collection_samples", **HOURS, collection="com.example.hostile")
    assert did == EDITOR and "com.example.hostile" in uri and "onerror" in extra
    assert GONE not in {row[2] for row in asked(client, "collection_samples", **HOURS, collection=POST)}
