"""The source is away: the ingester says that it lives, so that an alert names the source and not the ingester."""

from __future__ import annotations

from datetime import UTC, datetime

import redis

from firehose.monitor.of_sources import ingester_down, no_data
from firehose.observe import Snapshot
from firehose.observe.ingester import ingester as observed
from firehose.settings import Settings
from ingester.contract import wire
from tests.support.ingester import Ingest, Source, first_events, metadata, until_stored
from tests.support.waiting import until

#: Ten minutes, in ms.
_AGO = 600_000


def test_a_source_that_is_away_is_not_an_ingester_that_does_not_run(
    ingest: Ingest, redis_client: redis.Redis
) -> None:
    with Source(first_events(50)) as source, ingest(source.url) as ingester:
        until_stored(redis_client, 49)
        source.__exit__(None, None, None)
        until(lambda: wire.META_WAITING_MS in metadata(redis_client), what="it says that it waits")
        now_ms = int(redis_client.time()[0]) * 1000
        # As it is after ten minutes: nothing was flushed, and no minute was listened to.
        redis_client.hset(wire.METADATA_KEY, wire.META_LAST_FLUSH_MS, now_ms - _AGO)
        redis_client.delete(wire.HEARTBEATS_KEY)
        redis_client.zadd(wire.HEARTBEATS_KEY, {str((now_ms - _AGO) // 60_000 * 60_000): now_ms - _AGO})
        lease = metadata(redis_client)[wire.META_LEASE_MS]
        said = metadata(redis_client)[wire.META_WAITING_MS]
        until(lambda: metadata(redis_client)[wire.META_WAITING_MS] != said, what="it says so again")
        assert metadata(redis_client)[wire.META_LEASE_MS] == lease, "a spare takes over all the same"
        found = alerts(redis_client)
        assert found == (0, 1), "the source is away"
        ingester.kill()
        redis_client.hset(wire.METADATA_KEY, wire.META_WAITING_MS, now_ms - _AGO)
        assert alerts(redis_client) == (1, 0), "the ingester is"


def alerts(client: redis.Redis) -> tuple[int, int]:
    """How many alerts there would be of the ingester, and of the source."""
    now = datetime.now(UTC)
    seen = Snapshot(at=now, ingester=observed(client, now))
    return tuple(len(list(find(Settings(), seen))) for find in (ingester_down, no_data))  # type: ignore[return-value]
