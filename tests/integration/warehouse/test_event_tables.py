"""The tables of events on the real engine: their rows, in whatever order batches come."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from clickhouse_connect.driver.client import Client

from firehose.batch.interval import Batch
from firehose.lake import ledger
from firehose.store import LocalLake
from firehose.warehouse import event_parts, event_tables
from firehose.warehouse.summaries import load
from jetstream_simulator.identifiers import tid
from tests.integration.warehouse.dying import DyingClient
from tests.integration.warehouse.event_batches import (
    CID,
    FOLLOW,
    LIKE,
    POST,
    REPOST,
    Batches,
    Record,
    about_accounts,
    commit,
    events,
)
from tests.integration.warehouse.lakes import LakeBuilder, Row, at, forget

pytestmark = pytest.mark.usefixtures("events_only")


def contents(client: Client) -> dict[str, list[Any]]:
    """What the tables say, whether or not the engine has merged their parts."""
    plain = ", ".join(
        ["day", "hour", "at", "account", "type", "operation", "collection", "record", "rev", "resync"]
    )
    edges = "edges.kind, edges.account, edges.collection, edges.record"
    queries = {
        "events": f"SELECT {plain}, {edges} FROM ops.events",
        "strays": f"SELECT {plain}, {edges} FROM ops.strays",
        "edges": "SELECT *, record FROM ops.edges",
        "engagement": "SELECT * FROM ops.engagement_by_hour FINAL",
        "accounts": "SELECT * FROM ops.accounts_by_day FINAL",
        "collections": "SELECT * FROM ops.collections_by_hour FINAL",
        "names": "SELECT * FROM ops.names FINAL",
        "post texts": "SELECT * FROM ops.post_texts",
        "post changes": "SELECT * FROM ops.post_changes",
        "account changes": "SELECT * FROM ops.account_changes",
        "handles": "SELECT handle, did FROM mergeTreeProjection(ops, account_changes, by_handle)",
    }
    return {name: sorted(client.query(query).result_rows, key=repr) for name, query in queries.items()}


def edges_of(found: list[Row]) -> Counter[tuple[str, str, int]]:
    """What happened by kind, address and change, worked out in Python: the address that was turned to."""
    there: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    counted: Counter[tuple[str, str, int]] = Counter()
    for event in found:
        body = event["commit"]
        record = (event["did"], body["collection"], body["rkey"])
        if body["operation"] == "create":
            there[record] = turned_to(body["collection"], body["record"])
        change = 1 if body["operation"] == "create" else -1
        counted.update((kind, target, change) for kind, target in there.get(record, []))
        if change < 0:
            there.pop(record, None)
    return counted


def turned_to(collection: str, body: Row) -> list[tuple[str, str]]:
    """The kinds and addresses of what a record is about."""
    if collection == POST:
        reply = body.get("reply", {})
        quote = [("quote", body["embed"]["record"]["uri"])] if "embed" in body else []
        return [({"parent": "reply", "root": "root"}[part], ref["uri"]) for part, ref in reply.items()] + quote
    if collection == FOLLOW:
        return [("follow", body["subject"])]
    return [({LIKE: "like", REPOST: "repost"}[collection], body["subject"]["uri"])]


@pytest.fixture(scope="module")
def story() -> list[Row]:
    return events(5)


@pytest.fixture
def batches(lake: LakeBuilder, story: list[Row]) -> Batches:
    found = sorted([*story, *about_accounts(6)], key=lambda event: int(event["time_us"]))
    return Batches(lake, random.Random(7), found, 12)


def test_views_answer_for_one_account_one_record_and_the_top(
    client: Client, batches: Batches, story: list[Row]
) -> None:
    for number in batches.of:
        batches.publish(number)
        if number % 4 == 0:
            load(client, LocalLake(batches.lake.root))
    load(client, LocalLake(batches.lake.root))
    wanted = edges_of(story)
    likes = Counter(
        {uri: wanted["like", uri, 1] - wanted["like", uri, -1] for kind, uri, _ in wanted if kind == "like"}
    )
    span = {"since": at(22), "until": at(25), "kind": "like", "top": 1000}
    query = (
        "SELECT uri, made, undone, net FROM firehose.top_records(kind = {kind:String},"
        " since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, top = {top:UInt32})"
    )
    found = client.query(query, parameters=span).result_rows
    assert {uri: (made, undone, net) for uri, made, undone, net in found} == {
        uri: (wanted["like", uri, 1], wanted["like", uri, -1], net) for uri, net in likes.items()
    }
    best = sorted(likes.values(), reverse=True)
    assert best[2] > 1, "so that the view leaves out records that cannot be among the first"
    for top in (1, 3, 10):
        rows = client.query(query, parameters=span | {"top": top}).result_rows
        assert [net for _, _, _, net in rows] == best[:top]
        assert all(likes[uri] == net for uri, _, _, net in rows)
    uri, _ = likes.most_common(1)[0]
    of_one = {"uri": uri}
    query = "SELECT kind, undone, did FROM firehose.about(uri = {uri:String})"
    rows = client.query(query, parameters=of_one).result_rows
    assert Counter((kind, -1 if undone else 1) for kind, undone, _ in rows) == Counter(
        {(kind, change): n for (kind, about, change), n in wanted.items() if about == uri}
    )
    assert {did for kind, undone, did in rows if kind == "like" and not undone} == {
        each["did"]
        for each in story
        if each["commit"]["operation"] == "create"
        and each["commit"]["record"].get("subject", {}) == {"uri": uri, "cid": CID}
        and each["commit"]["collection"] == LIKE
    }
    query = "SELECT sum(made), sum(undone) FROM firehose.engagement(uri = {uri:String}) WHERE kind = 'like'"
    assert client.query(query, parameters=of_one).result_rows == [
        (wanted["like", uri, 1], wanted["like", uri, -1])
    ]
    query = (
        "SELECT witnessed_at, operation, uri, arrayZip(kinds, targets)"
        " FROM firehose.account_events(did = 'did:plc:b7')"
    )
    assert client.query(query).result_rows == [*account_events(story, "did:plc:b7")]


def test_a_thread_is_a_tree_in_order_with_what_was_deleted(client: Client, lake: LakeBuilder) -> None:
    """1 is answered by 2 and 5, 2 by 3 and 4; 3 is deleted, 6 answers what was never seen, 4 has its own key."""
    first = f"at://did:plc:a/{POST}/{tid(1, 1)}"
    keys = {n: "own" if n == 4 else tid(int(at(22, n).timestamp()) * 1_000_000, n) for n in range(2, 7)}
    uris = {1: first} | {n: f"at://did:plc:a{n}/{POST}/{key}" for n, key in keys.items()}
    parents = {2: 1, 3: 2, 4: 2, 5: 1}
    replies = []
    for n, rkey in keys.items():
        parent = {"uri": uris[parents[n]] if n in parents else uris[1] + "0", "cid": CID}
        body = {"text": "hi", "createdAt": "x", "reply": {"parent": parent, "root": {"uri": first, "cid": CID}}}
        replies.append(commit(at(22, n), "create", Record(f"did:plc:a{n}", POST, rkey, body)))
    replies.append(commit(at(22, 30), "delete", Record("did:plc:a3", POST, keys[3], {})))
    batches = Batches(lake, random.Random(1), replies, 1)
    batches.publish(0)
    load(client, LocalLake(lake.root))
    query = "SELECT depth, uri, parent_uri, did, deleted FROM firehose.thread(uri = {uri:String})"
    assert client.query(query, parameters={"uri": first}).result_rows == [
        (depth, uris[n], uris[parents[n]], f"did:plc:a{n}", n == 3)
        for n, depth in ((2, 1), (3, 2), (4, 2), (5, 1))
    ]


def account_events(found: list[Row], did: str) -> Iterator[tuple[datetime, str, str, list[tuple[str, str]]]]:
    """What an account did, worked out in Python."""
    there: dict[str, list[tuple[str, str]]] = {}
    for event in found:
        if event["did"] != did:
            continue
        body = event["commit"]
        uri = f"at://{did}/{body['collection']}/{body['rkey']}"
        if body["operation"] == "create":
            there[uri] = turned_to(body["collection"], body["record"])
        moment = datetime.fromtimestamp(event["time_us"] / 1_000_000, UTC)
        yield moment, body["operation"], uri, there.get(uri, [])


class Names:
    """The texts that numbers stand for."""

    def __init__(self, client: Client) -> None:
        self._names = dict(
            cast(list[tuple[int, str]], client.query("SELECT number, name FROM ops.names").result_rows)
        )

    def did(self, number: int) -> str:
        """A DID."""
        return self._names[number]

    def key(self, number: int) -> str:
        """A record key or revision."""
        return self._names[number] if number >> 63 else tid(number >> 10, number & 1023)


def test_edges_are_those_of_the_records_with_their_undos(
    client: Client, batches: Batches, story: list[Row]
) -> None:
    for number in batches.of:
        batches.publish(number)
    load(client, LocalLake(batches.lake.root))
    names, found = Names(client), Counter[tuple[str, str, int]]()
    query = "SELECT kind, target, collection, target_record, change FROM ops.edges"
    for kind, target, collection, record, change in client.query(query).result_rows:
        about = f"at://{names.did(target)}/{collection}/{names.key(record)}" if record else names.did(target)
        found[kind, about, change] += 1
    wanted = edges_of(story)
    assert found == wanted
    assert sum(n for (_, _, change), n in wanted.items() if change < 0) > 50
    query = "SELECT kind, sum(made), sum(undone) FROM ops.engagement_by_hour GROUP BY kind"
    assert {kind: (made, undone) for kind, made, undone in client.query(query).result_rows} == {
        kind: tuple(sum(n for (k, _, c), n in wanted.items() if (k, c) == (kind, change)) for change in (1, -1))
        for kind in ("like", "repost", "reply", "root", "quote")
    }


def test_each_event_is_there_with_its_clocks(client: Client, batches: Batches, story: list[Row]) -> None:
    for number in batches.of:
        batches.publish(number)
    load(client, LocalLake(batches.lake.root))
    query = (
        "SELECT toUnixTimestamp64Micro(at), account, operation, collection, record, rev FROM ops.events"
        " WHERE operation != ''"
    )
    names = Names(client)
    found = [
        (at_us, names.did(account), operation, collection, names.key(record), names.key(rev))
        for at_us, account, operation, collection, record, rev in client.query(query).result_rows
    ]
    said = ("operation", "collection", "rkey", "rev")
    assert sorted(found) == sorted(
        (each["time_us"], each["did"], *(each["commit"][name] for name in said)) for each in story
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_batches_changes_nothing(client: Client, batches: Batches, seed: int) -> None:
    """Late batches, batches that are published again, and refreshes in between: as one load of them all."""
    rng = random.Random(seed)
    order = list(batches.of)
    rng.shuffle(order)
    for number in order:
        batches.publish(number)
        if rng.random() < 0.2:
            batches.publish(rng.choice(list(batches.published)))
        if rng.random() < 0.3:
            load(client, LocalLake(batches.lake.root))
    load(client, LocalLake(batches.lake.root))
    found = contents(client)
    assert all(found.values())
    forget(client)
    load(client, LocalLake(batches.lake.root))
    assert contents(client) == found


def deaths() -> Iterator[int]:
    """Numbers of commands before which the process dies."""
    yield from range(3, 60, 8)


def test_a_load_that_dies_is_completed_by_the_next(client: Client, batches: Batches) -> None:
    *early, last, again = batches.of
    for number in early:
        batches.publish(number)
    load(client, LocalLake(batches.lake.root))
    for number in (last, again, early[3]):
        batches.publish(number)
    died = 0
    for commands in deaths():
        try:
            load(DyingClient(client, commands), LocalLake(batches.lake.root))  # type: ignore[arg-type]  # a proxy
            break
        except SystemExit:
            died += 1
    load(client, LocalLake(batches.lake.root))
    found = contents(client)
    forget(client)
    load(client, LocalLake(batches.lake.root))
    assert contents(client) == found
    assert died > 3


def test_new_batches_are_added_and_no_hour_is_made_again(
    client: Client, lake: LakeBuilder, story: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = Batches(lake, random.Random(7), story, 12, late=0)

    def forbidden(_: Client, part: object) -> None:
        pytest.fail(f"made again: {part}")

    monkeypatch.setattr(event_tables, "_rebuild", forbidden)
    for number in (0, 1, 2):
        batches.publish(number)
        load(client, LocalLake(batches.lake.root))
    added = client.command("SELECT count() FROM ops.events")
    assert added == sum(len(batches.of[number]) for number in (0, 1, 2))
    batches.publish(0)
    with pytest.raises(pytest.fail.Exception, match="made again"):
        load(client, LocalLake(batches.lake.root))


def test_a_record_that_is_written_again_makes_no_hour_again(
    client: Client, lake: LakeBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reply is deleted, written again as no reply, and deleted: the second delete is about nothing, rightly."""
    first = {"uri": f"at://did:plc:a/{POST}/{tid(1, 1)}", "cid": CID}
    reply = {"text": "hi", "createdAt": "x", "reply": {"parent": first, "root": first}}
    key = tid(int(at(22).timestamp()) * 1_000_000, 1)
    again = {"text": "hi", "createdAt": "x"}
    told: list[tuple[str, Row]] = [("create", reply), ("delete", {}), ("create", again), ("delete", {})]
    found = [
        commit(at(22, n), operation, Record("did:plc:b", POST, key, body))
        for n, (operation, body) in enumerate(told)
    ]
    monkeypatch.setattr(event_tables, "_rebuild", lambda _, part: pytest.fail(f"made again: {part}"))
    batches = Batches(lake, random.Random(1), found, 1, late=0)
    batches.publish(0)
    load(client, LocalLake(lake.root))
    query = "SELECT operation, edges.kind FROM ops.events ORDER BY at"
    assert client.query(query).result_rows == [
        ("create", ["reply", "root"]),
        ("delete", ["reply", "root"]),
        ("create", []),
        ("delete", []),
    ]


def test_hours_are_made_again_some_rows_at_a_time(
    client: Client, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day of the network does not fit into memory."""
    for number in batches.of:
        batches.publish(number)
    load(client, LocalLake(batches.lake.root))
    found, made, rebuild = contents(client), [], event_tables._rebuild

    def noted(connected: Client, part: event_parts.Part) -> list[datetime]:
        made.append(part.hours)
        return rebuild(connected, part)

    monkeypatch.setattr(event_tables, "_rebuild", noted)
    monkeypatch.setattr(event_parts, "_ROWS", 200)
    client.command("TRUNCATE TABLE ops.batches")
    load(client, LocalLake(batches.lake.root))
    assert contents(client) == found
    assert len(made) == len(set(made)) >= 3
    assert {len(hours) for hours in made} == {1}


@pytest.mark.parametrize("restored", [False, True])
def test_rows_that_came_before_their_batchs_turn_are_not_there_twice(
    client: Client, batches: Batches, restored: bool
) -> None:
    """Files are in place while the entry of the ledger is not, or what says which batches are loaded is older."""
    for number in (0, 1, 2, 3):
        batches.publish(number)
    last = ledger.entry_path(batches.lake.root, Batch(at(0, 15), at(0, 20)))
    entry = last.read_bytes()
    if restored:
        load(client, LocalLake(batches.lake.root))
        client.command(
            "DELETE FROM ops.batches WHERE id = '20261123T001500Z' SETTINGS lightweight_deletes_sync = 2"
        )
        event_tables.doubt(client)
    else:
        last.unlink()
        load(client, LocalLake(batches.lake.root))
        batches.publish(0)
        load(client, LocalLake(batches.lake.root))
        last.write_bytes(entry)
    load(client, LocalLake(batches.lake.root))
    found = contents(client)
    assert client.command("SELECT count() FROM ops.adding") == 0
    forget(client)
    load(client, LocalLake(batches.lake.root))
    assert contents(client) == found
    assert len(found["events"]) == sum(len(batches.of[number]) for number in (0, 1, 2, 3))


def test_a_new_batch_in_hours_that_are_made_again_is_there_once(client: Client, batches: Batches) -> None:
    for number in (0, 1):
        batches.publish(number)
    load(client, LocalLake(batches.lake.root))
    for number in (0, 2):
        batches.publish(number)
    load(client, LocalLake(batches.lake.root))
    assert client.command("SELECT count() FROM ops.events") == sum(len(batches.of[number]) for number in (0, 1, 2))


def test_batches_that_are_forgotten_are_made_again_and_not_added(
    client: Client, lake: LakeBuilder, story: list[Row]
) -> None:
    """As a migration does that changes what rows hold, and an operator who lost a server of a cluster."""
    batches = Batches(lake, random.Random(7), story, 12, late=0)
    for number in (0, 1, 2):
        batches.publish(number)
    load(client, LocalLake(batches.lake.root))
    client.command("TRUNCATE TABLE ops.batches")
    batches.publish(3)
    load(client, LocalLake(batches.lake.root))
    found = contents(client)
    forget(client)
    load(client, LocalLake(batches.lake.root))
    assert contents(client) == found
    assert len(found["events"]) == sum(len(batches.of[number]) for number in (0, 1, 2, 3))


def test_a_create_that_comes_after_its_undo_is_undone(client: Client, lake: LakeBuilder) -> None:
    """In a later batch: a host lost it, another one sent it, or a gap was filled."""
    liked = {"subject": {"uri": f"at://did:plc:a/{POST}/{tid(1, 1)}", "cid": CID}, "createdAt": "x"}
    record = Record("did:plc:b", LIKE, tid(int(at(22).timestamp()) * 1_000_000, 1), liked)
    undo, create = commit(at(22, 10), "delete", record), commit(at(22, 1), "create", record)
    batches = Batches(lake, random.Random(1), [undo, create], 2, late=0)
    for number in (0, 1):
        batches.publish(number)
        load(client, LocalLake(lake.root))
    query = "SELECT at, change FROM ops.edges ORDER BY at"
    assert client.query(query).result_rows == [(at(22, 1), 1), (at(22, 10), -1)]
