"""Small real lakes: hour files written with pyarrow from the project's own schema, and their ledger.

Each row needs only what a test is about; everything else has a plain default.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from clickhouse_connect.driver.client import Client

from firehose.batch.interval import Batch
from firehose.events.rows import decode_rows, to_table
from firehose.lake import closing, layout, ledger, records
from firehose.records.registry import BY_COLLECTION
from firehose.schema import COMMIT_TYPES, EVENT_TYPES, SCHEMAS
from firehose.settings import Settings
from firehose.store import LocalLake
from firehose.warehouse import event_tables
from ingester.contract import wire
from jetstream_simulator.identifiers import tid

Row = dict[str, Any]

DAY = datetime(2026, 11, 23, tzinfo=UTC)
TABLES = (
    "firehose.events_by_minute",
    "ops.account_states_by_hour",
    "firehose.languages_by_hour",
    "firehose.hashtags_by_hour",
    "firehose.link_domains_by_hour",
    "firehose.link_hosts_by_hour",
    "firehose.links_by_hour",
    "firehose.most_liked_posts_by_hour",
    "ops.imported_keys",
    "ops.imported_seen",
)


def forget(client: Client) -> None:
    """Back to a ClickHouse that has loaded nothing."""
    for table in (*TABLES, *event_tables.TABLES, "ops.batches", "ops.gaps", "ops.hours", "ops.adding"):
        client.command(f"TRUNCATE TABLE {table}")


def in_lake(engine: Settings) -> Settings:
    """The settings of the engine's one lake: for a lake elsewhere all views would be made again, which takes a
    second. It is below the one folder that the endpoint's sandbox lets it read.
    """
    return msgspec.structs.replace(engine, lake=str(Path(engine.lake) / "lake"))


def emptied(engine: Settings) -> Settings:
    """As :func:`in_lake`, with nothing in it."""
    settings = in_lake(engine)
    shutil.rmtree(settings.lake, ignore_errors=True)
    return settings


def drop_databases(client: Client) -> None:
    """Back to a ClickHouse that was never migrated."""
    for database in ("firehose", "ops"):
        client.command(f"DROP DATABASE IF EXISTS {database}")


def at(hour: int, minute: int = 0, second: float = 0.0) -> datetime:
    """An instant of the day that the lakes are about; hours from 24 on are the next day's."""
    return DAY + timedelta(hours=hour, minutes=minute, seconds=second)


def row(record_type: str, witnessed: datetime, account: str = "ann", **columns: Any) -> Row:
    """One row. A column that is not named is null, except what every event has."""
    made: Row = {
        "batch": witnessed.replace(second=0, microsecond=0),
        "time_us": int(witnessed.timestamp()) * 1_000_000 + witnessed.microsecond,
        "did": f"did:plc:{account}",
    }
    if record_type in COMMIT_TYPES:
        # As of a TID, the order of revisions is that of time.
        made |= {
            "rev": f"{made['time_us']:016d}",
            "operation": "create",
            "rkey": f"k{made['time_us']}",
            "cid": "bafy",
        }
    else:
        made |= {"seq": made["time_us"] % 1_000_000_007}
    if record_type == "other":
        made["collection"] = "app.bsky.feed.threadgate"
    return made | columns


def commit(
    collection: str, account: str, second: float, rkey: str, record: Row | None, operation: str = "create"
) -> Row:
    """An event in Jetstream's form, ``second`` seconds into the day; a revision later for each later second."""
    time_us = int(at(0, 0, second).timestamp() * 1_000_000)
    body: Row = {"rev": tid(time_us, 7), "operation": operation, "collection": collection, "rkey": rkey}
    if record is not None:
        body |= {"record": {"$type": collection, **record}, "cid": "bafyreib" + "a" * 51}
    return {"did": f"did:plc:{account}", "time_us": time_us, "kind": "commit", "commit": body}


def type_of(event: Row) -> str:
    """The record type of an event."""
    if event["kind"] == "commit":
        return BY_COLLECTION.get(event["commit"]["collection"], wire.OTHER)
    return {"identity": wire.IDENTITIES, "account": wire.ACCOUNTS}.get(event["kind"], wire.OTHER)


class LakeBuilder:
    """Writes hour files and ledger entries below ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, hour: datetime) -> Path:
        """The folder of an hour."""
        return self.root / f"{hour:year=%Y/month=%m/day=%d/hour=%H}"

    def write(self, record_type: str, rows: list[Row], *, user: str = "") -> list[Path]:
        """Replace the hour files of these rows; with ``user`` in the layout by user. Returns the files."""
        by_hour: dict[datetime, list[Row]] = {}
        for each in rows:
            witnessed = datetime.fromtimestamp(each["time_us"] // 1_000_000, UTC)
            by_hour.setdefault(witnessed.replace(minute=0, second=0), []).append(each)
        paths = []
        for hour, of_hour in by_hour.items():
            folder = self.folder(hour) / (f"{record_type}/user_did={user}" if user else "")
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{record_type}.parquet"
            pq.write_table(pa.Table.from_pylist(of_hour, schema=SCHEMAS[record_type]), path)
            paths.append(path)
        return paths

    def store(self, events: Iterable[dict[str, Any]]) -> dict[datetime, list[str]]:
        """Decode events in Jetstream's form, as a batch does, and write the files of each hour and type.

        Returns the types that were written in each hour.
        """
        by_file: dict[tuple[datetime, str], list[bytes]] = {}
        for event in events:
            hour = datetime.fromtimestamp(event["time_us"] // 3_600_000_000 * 3600, UTC)
            by_file.setdefault((hour, type_of(event)), []).append(json.dumps(event).encode())
        written: dict[datetime, list[str]] = {}
        for (hour, record_type), lines in by_file.items():
            rows, _, failed = decode_rows(record_type, lines)
            assert not failed, failed
            self.folder(hour).mkdir(parents=True, exist_ok=True)
            pq.write_table(to_table(record_type, rows, hour), self.folder(hour) / f"{record_type}.parquet")
            written.setdefault(hour, []).append(record_type)
        return written

    def close(self, hours: Iterable[datetime]) -> None:
        """Give the files of these hours the closed form."""
        for hour in hours:
            for path in sorted(self.folder(hour).glob("*.parquet")):
                records.adopt(LocalLake(path))
                closing.close(LocalLake(self.root), layout.file_of(LocalLake(path)))

    def store_as_other(self, events: Iterable[dict[str, Any]]) -> None:
        """As :meth:`store`, in the files of ``other``: as a version did that knew no other type of that queue."""
        lines = [json.dumps(event).encode() for event in events]
        rows, _, failed = decode_rows("other", lines)
        assert not failed, failed
        self.folder(DAY).mkdir(parents=True, exist_ok=True)
        pq.write_table(to_table("other", rows, DAY), self.folder(DAY) / "other.parquet")

    def publish(self, start: datetime, hours: dict[datetime, list[str]], edition: int = 0) -> ledger.LedgerEntry:
        """Write the ledger entry of the batch that starts at ``start``; a higher ``edition`` is a rerun."""
        batch = Batch(start, start + timedelta(minutes=5))
        types = sorted({name for names in hours.values() for name in names})
        counts = ledger.LedgerCounts(received=10, good=7, quarantined=2, duplicates=1, stored=7)
        entry = ledger.LedgerEntry(
            batch=batch.id,
            start=batch.start,
            end=batch.end,
            published_at=batch.end + timedelta(seconds=20 + edition, microseconds=123_456),
            counts=dict.fromkeys(types, counts),
            hours={f"{hour:%Y-%m-%dT%H}": names for hour, names in hours.items()},
        )
        ledger.write_entry(LocalLake(ledger.entry_path(self.root, batch)), entry)
        return entry


def small(lake: LakeBuilder) -> None:
    """Two hours of every type, with nulls, lists, deletes and ties, and two published batches."""
    coffee = "at://did:plc:ann/app.bsky.feed.post/k1"
    posts = [
        row(
            "posts",
            at(20, 1),
            "ann",
            rkey="k1",
            text="Coffee, anyone?",
            langs=["en"],
            hashtags=["coffee", "coffee"],
        ),
        row(
            "posts",
            at(20, 2),
            "bob",
            text="né à l'aube\n",
            langs=["fr", "en"],
            hashtags=["coffee"],
            links=["https://www.Example.com/a", "https://example.com/b"],
        ),
        row(
            "posts",
            at(20, 2, 30),
            "cyd",
            text="",
            langs=None,
            hashtags=[],
            reply_root_uri=coffee,
            reply_parent_uri=coffee,
        ),
        row("posts", at(20, 40), "cyd", rkey="k1", operation="delete", cid=None),
        row(
            "posts",
            at(21, 0),
            "ann",
            rkey="k2",
            text="more coffee",
            langs=[],
            hashtags=["coffee", "tea"],
            links=["https://www.Example.com/a"],
            created_at=at(20, 59, 58),
        ),
        row(
            "posts", at(21, 5), "bob", rkey="k3", text="tea", langs=["en"], hashtags=["tea"], reply_root_uri=coffee
        ),
    ]
    posts.append(row("posts", at(21, 9), "bob", rkey="k3", operation="delete", cid=None))
    likes = [row("likes", at(20, 3, n), f"fan{n}", subject_uri=coffee if n else "at://b") for n in range(4)]
    likes += [row("likes", at(21, 3), "ann", operation="delete", cid=None)]
    likes += [
        row("likes", at(21, 4), "ann", subject_uri="at://a"),
        row("likes", at(21, 4, 1), "bob", subject_uri="at://b"),
    ]
    follows = [row("follows", at(21, n), f"fan{n}", rkey=f"f{n}", subject_did="did:plc:ann") for n in range(3)]
    follows.append(row("follows", at(21, 30), "fan0", rkey="f0", operation="delete", cid=None))
    lake.write("posts", posts)
    lake.write("likes", likes)
    lake.write("follows", follows)
    lake.write("reposts", [row("reposts", at(21, 1), subject_uri=coffee, via_uri="at://x")])
    lake.write("blocks", [row("blocks", at(21, 2), subject_did="did:plc:bob")])
    lake.write("identities", [row("identities", at(21, 3), handle="ann.test", time="t")])
    lake.write("accounts", [row("accounts", at(21, 3), active=False, status="deactivated", time="t")])
    lake.write("other", [row("other", at(21, 3), rkey="self", extra="{}")])
    lake.publish(at(20, 55), {at(20): ["posts", "likes"]})
    lake.publish(at(21, 55), {at(21): list(EVENT_TYPES)})
