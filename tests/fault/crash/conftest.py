"""The one world of the crash tests, with the stream already taken through the pipeline once, without a crash."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec
import pytest

from devstack.embedded import clickhouse as endpoint
from devstack.embedded.redis import RedisServer, free_port
from firehose.batch.buffer import BACKFILL_KEY
from firehose.batch.interval import Batch
from firehose.settings import Settings
from firehose.warehouse.client import connect
from firehose.warehouse.migrate import migrate
from ingester.contract import wire
from ingester.contract.gap import Gap, Reason
from jetstream_simulator import process as simulator
from tests.fault.crash.world import STAGES, World
from tests.support.waiting import until

EVENTS = 2000
# Two hours meet in the middle of the stream.
STREAM = [f"--events={EVENTS}", "--rate=2000", "--malformed=0.02", "--seed=33", "--start=2026-05-25T14:59:59.5Z"]


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world at the stage ``published``; see :func:`_reference` for its stages."""
    home = tmp_path_factory.mktemp("crash")
    record = home / "sent.jsonl"
    with (
        RedisServer(home) as server,
        server.client() as client,
        simulator.start([*STREAM, f"--record={record}"], log=home / "simulator.log") as source,
    ):
        settings = Settings(
            home=str(home),
            lake=str(home / "lake"),
            redis_url=server.url,
            clickhouse_url=f"http://127.0.0.1:{free_port()}",
            clickhouse_loader_password="loads",
            clickhouse_analyst_password="reads",
        )
        with endpoint.start(settings), closing(connect(settings)) as clickhouse:
            migrate(clickhouse, settings)
            world = World(settings, client, source, clickhouse)
            with closing(world):
                _reference(world)
                yield world


def _reference(world: World) -> None:
    """Two batches, the second one beginning with what the resumed stream repeats; each stage saved."""
    start = world.second()
    with world.ingester() as process:
        until(lambda: world.source.health()["events"] > EVENTS / 2)
        assert process.stop() == 0
    middle = world.second(1)
    until(lambda: world.second() == middle)
    until(lambda: world.source.health()["done"])
    world.sent = (world.home / "sent.jsonl").read_bytes().splitlines()
    world.ingest()
    _, two = world.batches = [Batch.of(start, middle), Batch.of(middle, world.second(1))]
    world.run(("drain", two), ("validate", two))
    _note_gaps(world)
    world.client.set(BACKFILL_KEY, "somebody else's")
    for stage in STAGES:
        world.save(stage)
        world.run(world.steps_from(stage)[0])


def _note_gaps(world: World) -> None:
    """Records of the coverage stream for the first batch to take: of a gap, of its end, and of another one."""
    world.client.delete(wire.COVERAGE_KEY)
    late = Gap(id="late", reason=Reason.LATE, from_us=1, to_us=2, noted_us=3, host="wss://one", protocol="v1")
    partial = Gap(id="partial", reason=Reason.PARTIAL, from_us=2, to_us=9, noted_us=4, queue=wire.LIKES)
    filled = msgspec.structs.replace(late, noted_us=5, filled="replay")
    for number, gap in enumerate((late, partial, filled), 1):
        fields: Any = {wire.FIELD_GAP: msgspec.json.encode(gap)}
        world.client.xadd(wire.COVERAGE_KEY, fields, id=f"{world.batches[0].start_ms}-{number}")
