"""How far the loaded tables are behind the ledger, by a snapshot: a real ClickHouse against the listing."""

from __future__ import annotations

from datetime import timedelta

from clickhouse_connect.driver.client import Client

from firehose.observe import PARTS, Observer
from firehose.observe.services import SummaryState
from firehose.settings import Settings
from firehose.warehouse.summaries import refresh
from tests.integration.warehouse.lakes import LakeBuilder, at

ONLY = frozenset(PARTS) - {"summaries"}


def behind(settings: Settings) -> SummaryState:
    found = Observer(settings, without=ONLY).look(at(22, 30))
    assert found.summaries, found.unknown
    return found.summaries


def test_tables_are_behind_until_they_are_loaded_and_again_when_a_batch_is_published_anew(
    client: Client, settings: Settings, small_lake: LakeBuilder
) -> None:
    first = behind(settings)
    assert (first.behind, first.oldest, first.loaded, first.loaded_at) == (2, "20261123T205500Z", 0, None)
    assert first.behind_s >= 0
    refresh(settings)
    now = behind(settings)
    assert (now.behind, now.behind_s, now.loaded) == (0, 0.0, 2)
    assert now.loaded_at is not None
    small_lake.publish(at(20, 55), {at(20): ["posts"]}, edition=1)
    assert behind(settings).behind == 1, "another edition is not the one that is loaded"
    assert Observer(settings, without=ONLY).look(at(22, 30) + timedelta(days=9)).unknown == {}
