"""The tables of events on the real engine: their rows, in whatever order batches come."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clickhouse_connect.driver.client import Client

from firehose.batch.interval import Batch
from firehose.events.rows import decode_rows, to_table
from firehose.lake import ledger
from firehose.store import LocalLake
from firehose.warehouse import event_tables, plan
from firehose.warehouse.summaries import load
from jetstream_simulator.identifiers import tid
from tests.integration.warehouse.dying import DyingClient
from tests.integration.warehouse.lakes import DAY, LakeBuilder, Row, at, forget, type_of

LIKE, POST, REPOST = "app.bsky.feed.like", "app.bsky.feed.post", "app.bsky.feed.repost"
FOLLOW = "app.bsky.graph.follow"
CID = "bafyreib" + "a" * 51


class Record(NamedTuple):
    """A record that exists: who wrote it under which key, and what it says."""

    did: str
    collection: str
    rkey: str
    body: Row


def commit(witnessed: datetime, operation: str, record: Record) -> Row:
    """An event in Jetstream's form."""
    time_us = int(witnessed.timestamp() * 1_000_000)
    body: Row = {
        "rev": tid(time_us - 1500, 7),
        "operation": operation,
        "collection": record.collection,
        "rkey": record.rkey,
    }
    if operation != "delete":
        body |= {"record": {"$type": record.collection, **record.body}, "cid": CID}
    return {"did": record.did, "time_us": time_us, "kind": "commit", "commit": body}


def events(seed: int, count: int = 500) -> list[Row]:
    """Posts, replies, likes, reposts and follows of three hours around midnight, and deletes."""
    rng = random.Random(seed)
    moments = sorted(at(22) + timedelta(seconds=rng.random() * 10_800) for _ in range(count))
    there: list[Record] = []
    posts = [f"at://did:plc:a{n}/{POST}/{key(rng, DAY, n)}" for n in range(4)]
    found = []
    for number, moment in enumerate(moments):
        if there and rng.random() < 0.25:
            found.append(commit(moment, "delete", there.pop(rng.randrange(len(there)))))
            continue
        record = made(rng, moment, number, posts)
        if record.collection == POST:
            posts.append(f"at://{record.did}/{POST}/{record.rkey}")
        if rng.random() < 0.04:
            found.append(commit(moment, "delete", record))  # made before the lake began
        else:
            there.append(record)
            found.append(commit(moment, "create", record))
    return found


def made(rng: random.Random, moment: datetime, number: int, posts: list[str]) -> Record:
    """A new record about one of these posts, or a post of its own."""
    did, rkey = f"did:plc:b{rng.randrange(40)}", key(rng, moment, number)
    subject = {"uri": posts[min(int(rng.expovariate(0.3)), len(posts) - 1)], "cid": CID}
    collection = rng.choice([LIKE] * 5 + [POST] * 3 + [REPOST, FOLLOW])
    if collection == FOLLOW:
        return Record(did, collection, rkey, {"subject": f"did:plc:b{rng.randrange(40)}", "createdAt": "x"})
    if collection != POST:
        return Record(did, collection, rkey, {"subject": subject, "createdAt": "x"})
    body: Row = {"text": "hi", "createdAt": "x"}
    if rng.random() < 0.6:
        body["reply"] = {"parent": subject, "root": subject}
    if rng.random() < 0.3:
        body["embed"] = {"$type": "app.bsky.embed.record", "record": subject}
    return Record(did, collection, rkey, body)


def key(rng: random.Random, moment: datetime, number: int) -> str:
    """A record key: the TID of the moment, of another time, or no TID."""
    time_us = int(moment.timestamp() * 1_000_000) - 2000
    if rng.random() < 0.1:
        return f"own-key-{number}"
    return tid(time_us - (400 * 86_400_000_000 if rng.random() < 0.1 else 0), number % 32)


class Batches:
    """Events in batches of a lake: each batch has events that came at its time, and a few that came late."""

    def __init__(self, lake: LakeBuilder, rng: random.Random, found: list[Row], count: int) -> None:
        self.lake = lake
        self.of: dict[int, list[Row]] = {}
        for number, event in enumerate(found):
            late = rng.randrange(3) if rng.random() < 0.1 else 0
            self.of.setdefault(min(number * count // len(found) + late, count - 1), []).append(event)
        self.tables = {number: tables(number, of_batch) for number, of_batch in self.of.items()}
        self.published: dict[int, int] = {}

    def publish(self, number: int) -> None:
        """Write the hour files with what is published, this batch included, then its entry in the ledger."""
        edition = self.published[number] = self.published.get(number, -1) + 1
        batch = Batch(DAY + timedelta(minutes=5 * number), DAY + timedelta(minutes=5 * number + 5))
        for hour, kind in self.tables[number]:
            parts = [of_batch for each in self.published if (of_batch := self.tables[each].get((hour, kind)))]
            self.lake.folder(hour).mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.concat_tables(parts), self.lake.folder(hour) / f"{kind}.parquet")
        self._enter(batch, number, edition)

    def _enter(self, batch: Batch, number: int, edition: int) -> None:
        hours: dict[str, list[str]] = {}
        counts: Counter[str] = Counter()
        for (hour, kind), rows in self.tables[number].items():
            hours.setdefault(f"{hour:%Y-%m-%dT%H}", []).append(kind)
            counts[kind] += len(rows)
        stored = {
            kind: ledger.LedgerCounts(received=n, good=n, quarantined=0, duplicates=0, stored=n)
            for kind, n in counts.items()
        }
        entry = ledger.LedgerEntry(
            batch=batch.id,
            start=batch.start,
            end=batch.end,
            published_at=batch.end + timedelta(seconds=edition),
            counts=stored,
            hours=hours,
        )
        ledger.write_entry(LocalLake(ledger.entry_path(self.lake.root, batch)), entry)


def tables(number: int, found: list[Row]) -> dict[tuple[datetime, str], pa.Table]:
    """The rows of a batch by hour and type."""
    lines: dict[tuple[datetime, str], list[bytes]] = {}
    for event in found:
        hour = datetime.fromtimestamp(event["time_us"] // 3_600_000_000 * 3600, UTC)
        lines.setdefault((hour, type_of(event)), []).append(json.dumps(event).encode())
    start = DAY + timedelta(minutes=5 * number)
    return {
        (hour, kind): to_table(kind, decode_rows(kind, of_file)[0], start)
        for (hour, kind), of_file in lines.items()
    }


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


@pytest.fixture(autouse=True)
def events_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests are about the summaries."""
    monkeypatch.setattr(plan, "SUMMARIES", ())


@pytest.fixture(scope="module")
def story() -> list[Row]:
    return events(5)


@pytest.fixture
def batches(lake: LakeBuilder, story: list[Row]) -> Batches:
    return Batches(lake, random.Random(7), story, 12)


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
    query = "SELECT toUnixTimestamp64Micro(at), account, operation, collection, record, rev FROM ops.events"
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
    client: Client, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
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
