"""An ingester goes on with the state that the version before left in Redis. The state was written by its code."""

from __future__ import annotations

from typing import Any, Final

import redis

from ingester.buffer.exchange import Claim, Flush
from ingester.buffer.sink import Sink
from ingester.contract import wire
from ingester.contract.redis_access import INGESTER, RedisAccess
from ingester.contract.resyncs import Resyncs
from ingester.contract.settings import IngesterSettings
from ingester.jetstream.hosts import V1, V2, Host
from ingester.position.dropout import DropoutDetector
from ingester.position.gaps import Gaps
from ingester.position.partial_hosts import PartialHosts
from ingester.position.position import AfterEvent, AtTime
from tests.support.ingester import metadata

#: ``HGETALL firehose:metadata`` after a flush of the version before, whose host had stopped sending posts.
WRITTEN: Final[dict[Any, str]] = {
    "protocol": "v2",
    "time_us": "1763000060000000",
    "history": '{"wanted":"","host":"a.example v2","queues":{"posts":{"normal_us":1763000360000000,'
    '"since_us":1763000600000000,"seen":0,"expected":0.0,"rate":28.0,"learnt_us":600000000,'
    '"blind_until_us":1763000600000000,"blind_host":"a.example v2","asked":false},"likes":'
    '{"normal_us":1763000360000000,"since_us":1763000420000000,"seen":45000,"expected":0.0,"rate":250.0,'
    '"learnt_us":600000000,"blind_until_us":0,"blind_host":"","asked":false}}}',
    "host": "a.example",
    "first_start_ms": "1795636821053",
    "lag_us": "32636761057631",
    "cursor": "42",
    "events:identities": "1",
    "lease_ms": "1795636821057",
    "events": "1",
    "gaps": '[{"id":"blind:a.example:1763000360000000:posts","reason":"blind","from_us":1763000360000000,'
    '"to_us":1763000600000000,"noted_us":1763000600000000,"host":"a.example","protocol":"v2","queue":"posts"}]',
    "writer": "ingester/23e6ac3261c74875b68abdcbdccb6ece",
    "last_flush_ms": "1795636821057",
    "resyncs": '[["did:plc:abc","3ky"]]',
    "flush": "1",
}
SINCE_US = 1763000360000000
OTHER = Host("ws://b/subscribe", "b.example", V1)


def test_what_the_version_before_has_stored_is_gone_on_with(redis_url: str, redis_client: redis.Redis) -> None:
    redis_client.hset(wire.METADATA_KEY, mapping=WRITTEN)
    sink = Sink(RedisAccess.of(IngesterSettings(redis_url=redis_url), INGESTER), "ingester", "a.example")
    claim = sink.claim(60_000)
    assert isinstance(claim, Claim)
    assert claim.position == AfterEvent(42, 1763000060000000, "a.example", V2)

    gaps, detector, resyncs = Gaps(), DropoutDetector(), Resyncs()
    gaps.adopt(claim.gaps)
    hosts = PartialHosts(detector, gaps)
    assert hosts.adopt(claim.history, claim.position, SINCE_US) == {("a.example", V2)}
    assert detector.partial("posts") and not detector.partial("likes")
    assert hosts.since(OTHER) == AtTime(SINCE_US, "a.example"), "the next host brings what is missing"
    resyncs.learn(claim.resyncs)
    assert resyncs.has("did:plc:abc", "3ky")

    learnt = (gaps.open, detector.history(), resyncs.state)
    sink.write(Flush((), 42, True, 0, claim.time_us, claim.host, claim.protocol, (), *learnt))
    after = metadata(redis_client)
    assert after.keys() == WRITTEN.keys()
    for name in ("cursor", "time_us", "host", "protocol", "gaps", "history", "resyncs"):
        assert after[name] == WRITTEN[name], "so that the version before can go on with it as well"
