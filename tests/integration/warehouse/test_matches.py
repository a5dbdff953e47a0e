"""Which records both systems have, or several stores of the old one: the same in whatever order they come."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from clickhouse_connect.driver.client import Client

from firehose.settings import Settings
from firehose.warehouse.migrate import migrate
from jetstream_simulator.identifiers import tid
from tests.integration.warehouse.lakes import LakeBuilder, at, forget, row
from tests.integration.warehouse.old_records import bring, entry, old


def test_an_import_that_comes_first_or_later_matches_alike(client: Client, lake: LakeBuilder) -> None:
    key = tid(int((at(5) - timedelta(days=9)).timestamp()) * 1_000_000, 3)
    lake.write("posts", [row("posts", at(5, 10), "ann", rkey=key, cid="c-x")])
    lake.write("imported", [old(30, "ann", key, cid="c-x")])
    first, later = (entry(lake, at(hour), kind) for hour, kind in ((5, "posts"), (30, "imported")))
    found = []
    for order in ([first, later], [later, first]):
        forget(client)
        for each in order:
            bring(client, lake, each)
        found.append(client.query("SELECT hour, key FROM ops.imported_seen").result_rows)
    assert found[0] == found[1]
    assert [hour for hour, _ in found[0]] == [at(5)]


def test_a_record_that_some_stores_kept_without_its_cid_is_shown_once(
    client: Client, settings: Settings, lake: LakeBuilder
) -> None:
    """One store of each pair kept the CID; the queue may be one, whose events are rows themselves."""
    lake.write(
        "posts",
        [
            row("posts", at(5), "ann", rkey="r3", cid="c-r3", batch=at(5, 0, 1)),
            row("posts", at(5, 1), "ann", rkey="r4", cid="c-r4", batch=at(5, 0, 1)),
        ],
    )
    lake.write(
        "imported",
        [
            old(5, "ann", "r1", "cache-1", cid=None),
            old(5, "ann", "r1", "parquet"),
            old(5, "ann", "r2", "cache-1"),
            old(5, "ann", "r2", "parquet", cid=None),
            old(5, "ann", "r3", "queue", cid=None, batch=at(5, 0, 1)),
            old(5, "ann", "r3", "parquet"),
            old(5, "ann", "r4", "queue", batch=at(5, 0, 1)),
            old(5, "ann", "r4", "parquet", cid=None),
        ],
    )
    for kind in ("posts", "imported"):
        bring(client, lake, entry(lake, at(5), kind))
    for readers in ("both", "legacy"):
        migrate(client, msgspec.structs.replace(settings, readers=readers))
        rows = client.query("SELECT cid, provenance FROM firehose.posts").result_rows
        found = {cid: sorted(stores) for cid, stores in rows}
        stores = {"c-r1": ["cache-1", "parquet"], "c-r2": ["cache-1", "parquet"]}
        stores |= {"c-r3": ["parquet", "queue"], "c-r4": ["parquet", "queue"]}
        assert (found, len(rows)) == (stores, 4), readers
    migrate(client, settings)
    forget(client)


def test_a_deletion_is_not_taken_for_its_record(client: Client, settings: Settings, lake: LakeBuilder) -> None:
    """The old queue heard deletions of records that it had missed, or that a store without CIDs kept."""
    deleted = {"operation": "delete", "cid": None}
    lake.write(
        "posts",
        [row("posts", at(5), "ann", rkey=key, cid=f"c-{key}") for key in ("missed", "kept")]
        + [row("posts", at(5, 1), "ann", rkey=key, **deleted) for key in ("missed", "kept", "unheard")],
    )
    lake.write(
        "imported",
        [old(5, "ann", key, "queue", **deleted) for key in ("missed", "kept")]
        + [old(5, "ann", key, "parquet", cid=None) for key in ("kept", "unheard")],
    )
    for kind in ("posts", "imported"):
        bring(client, lake, entry(lake, at(5), kind))
    found = {}
    for readers in ("legacy", "both"):
        migrate(client, msgspec.structs.replace(settings, readers=readers))
        rows = client.query("SELECT rkey, operation, provenance FROM firehose.posts ORDER BY ALL").result_rows
        found[readers] = [(rkey, operation, sorted(stores)) for rkey, operation, stores in rows]
    deletions = [(key, "delete", ["firehose", "queue"]) for key in ("kept", "missed")]
    assert found["legacy"] == sorted([*deletions, *((key, "create", ["parquet"]) for key in ("kept", "unheard"))])
    assert found["both"] == sorted(
        [
            *deletions,
            ("unheard", "delete", ["firehose"]),
            ("unheard", "create", ["parquet"]),
            ("kept", "create", ["firehose", "parquet"]),
            ("missed", "create", ["firehose"]),
        ]
    )
    migrate(client, settings)
    forget(client)
