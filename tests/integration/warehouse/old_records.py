"""Records of the old system in a lake, and the tables that say which of them the firehose has as well.

Lives here: such rows, and loading them. Must not: tests.
"""

from __future__ import annotations

import shutil
from datetime import datetime
from typing import Any

from clickhouse_connect.driver.client import Client

from firehose.lake.ledger import LedgerEntry
from firehose.warehouse import event_tables, matches, summaries
from tests.integration.warehouse.lakes import LakeBuilder, Row, at

POST, LIKE, FOLLOW = "app.bsky.feed.post", "app.bsky.feed.like", "app.bsky.graph.follow"


def old(hour: int, account: str, rkey: str, store: str = "cache-1", **columns: Any) -> Row:
    """A record as the old system kept it, filed in an hour."""
    filed = {"time_us": int(at(hour).timestamp()) * 1_000_000, "filed_by": "key", "batch": at(hour, 0, 1)}
    made = {
        "did": f"did:plc:{account}",
        "collection": POST,
        "rkey": rkey,
        "operation": "create",
        "cid": f"c-{rkey}",
    }
    return made | filed | {"store": store, "path": f"{rkey}.json", "place": "", "role": ""} | columns


def entry(lake: LakeBuilder, hour: datetime, *kinds: str) -> LedgerEntry:
    """What the ledger says of a batch that wrote rows of these types into an hour."""
    made = lake.publish(hour, {hour: [*kinds]})
    shutil.rmtree(lake.root / "_ledger")
    return made


def bring(client: Client, lake: LakeBuilder, batch: LedgerEntry) -> None:
    """Load the tables of events and of matches, as a refresh does."""
    if "imported" not in batch.counts:
        event_tables.load(client, [batch], {}, set())
    for rebuild in matches.rebuilds(client, [batch], {}):
        summaries._rebuild(client, rebuild, {})
