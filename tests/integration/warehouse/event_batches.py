"""Simulated events in batches of a lake, which may be published late, again, and in any order.

Lives here: the events, their files and the ledger's entries. Must not: ask.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from clickhouse_connect.driver.client import Client

from firehose.batch.interval import Batch
from firehose.events.rows import decode_rows, to_table
from firehose.lake import ledger
from firehose.store import LocalLake
from firehose.warehouse.summaries import load
from jetstream_simulator.identifiers import tid
from tests.integration.warehouse.lakes import DAY, LakeBuilder, Row, at, type_of

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


def identity(witnessed: datetime, did: str, seq: int, handle: str | None) -> Row:
    """An identity event; not every one names the handle."""
    return _about("identity", witnessed, did, seq, {"handle": handle} if handle else {})


def account(witnessed: datetime, did: str, seq: int, active: bool, status: str = "") -> Row:
    """An account event; not every one says why the account is not active."""
    return _about("account", witnessed, did, seq, {"active": active} | ({"status": status} if status else {}))


def _about(kind: str, witnessed: datetime, did: str, seq: int, said: Row) -> Row:
    time_us = int(witnessed.timestamp() * 1_000_000)
    return {"did": did, "time_us": time_us, "kind": kind, kind: {"did": did, "seq": seq, "time": "t", **said}}


def about_accounts(seed: int, count: int = 150) -> list[Row]:
    """Identity and account events of accounts that take handles from each other, in the same three hours.

    Two of one account may have one time, so that only the sequence number tells which is later.
    """
    rng = random.Random(seed)
    seconds = sorted(rng.randrange(90) * 120 for _ in range(count))
    found = []
    for number, second in enumerate(seconds):
        moment, did = at(22) + timedelta(seconds=second), f"did:plc:c{rng.randrange(8)}"
        if rng.random() < 0.6:
            found.append(identity(moment, did, number, rng.choice(["a.test", "b.test", "c.test", None])))
        else:
            status = rng.choice(["", "takendown", "suspended", "deleted"])
            found.append(account(moment, did, number, rng.random() < 0.4, status))
    return found


class Batches:
    """Events in batches of a lake: each batch has events that came at its time, and a few that came ``late``."""

    def __init__(
        self, lake: LakeBuilder, rng: random.Random, found: list[Row], count: int, *, late: float = 0.1
    ) -> None:
        self.lake = lake
        self.of: dict[int, list[Row]] = {}
        for number, event in enumerate(found):
            after = rng.randrange(3) if rng.random() < late else 0
            self.of.setdefault(min(number * count // len(found) + after, count - 1), []).append(event)
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


def stored(client: Client, lake: LakeBuilder, found: list[Row]) -> None:
    """Publish the events in a few batches, and load them."""
    batches = Batches(lake, random.Random(1), found, 3)
    for number in batches.of:
        batches.publish(number)
    load(client, LocalLake(lake.root))


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
