"""Which records of the firehose the old system has as well: the same in whatever order the two are loaded."""

from __future__ import annotations

from datetime import timedelta

from clickhouse_connect.driver.client import Client

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
