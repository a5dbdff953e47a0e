"""The hour's oracle can fail: what is lost, doubled or made up is seen, and a recorded gap excuses an event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
import redis

from firehose.batch.coverage import records_path
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.lake import layout
from firehose.lake.publish import publish
from firehose.quality.validate import validate
from firehose.settings import Settings
from firehose.store import LocalLake
from ingester.contract.gap import Gap, Reason, encoded_list
from jetstream_simulator import generate
from tests.fault.soak_hour.conservation import Account, account
from tests.fault.soak_hour.record import EVENT, Events, Kinds, digest
from tests.support.frames import fill

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
BATCH = Batch.of(START, START + timedelta(minutes=5))
NEXT = Batch.of(BATCH.end, BATCH.end + timedelta(minutes=5))
RUBBISH = [b"no event %d" % number for number in range(3)]
EVENTS = 600


def noted(lines: list[bytes], kinds: Kinds) -> Events:
    """What the record says of messages."""
    made = [(digest(line), BATCH.start_ms * 1000 + at, kinds.number(line)) for at, line in enumerate(lines)]
    return np.array(made, EVENT)


def test_what_is_lost_doubled_or_made_up_is_seen(
    redis_client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    lines = list(generate.events(EVENTS, seed=3, start_us=BATCH.start_ms * 1000))
    lake = tmp_path / "lake"
    settings = Settings(home=str(tmp_path), lake=str(lake), redis_url=redis_url)
    # Ten came twice, as after a reconnect.
    fill(redis_client, [*lines, *lines[:10], *RUBBISH], BATCH)
    drain(settings, BATCH)
    validate(settings, BATCH)
    publish(settings, BATCH)
    kinds = Kinds()

    def judged(sent: list[bytes], rubbish: list[bytes] = RUBBISH) -> Account:
        return account(lake, noted(sent, kinds), kinds, rubbish)

    sound = judged(lines)
    assert sound.problems == []
    assert (sound.sent, sound.delivered, sound.repeated, sound.rubbish) == (EVENTS, EVENTS + 13, 10, 3)
    assert sound.rows + sound.quarantined >= EVENTS and (sound.silent, sound.in_gaps) == (0, 0)

    lost = judged([*lines, b'{"time_us":1,"kind":"identity"}'])
    assert lost.silent == 1 and "1 events are lost, and no gap says so" in lost.problems[0]
    gap = Gap(id="late:a:1", reason=Reason.LATE, from_us=0, to_us=2**60, noted_us=1)
    path = records_path(LocalLake(lake), NEXT)
    path.write(encoded_list([gap]))
    excused = judged([*lines, b'{"time_us":1,"kind":"identity"}'])
    assert (excused.problems, excused.in_gaps) == ([], 1)
    path.write(encoded_list([msgspec.structs.replace(gap, noted_us=2, filled="replay")]))
    assert judged([*lines, b'{"time_us":1,"kind":"identity"}']).silent == 1, "a filled gap excuses nothing"

    made_up = judged(lines, RUBBISH[:2])
    assert any("1 messages are in raw files that nobody has sent" in problem for problem in made_up.problems)

    hour = max(layout.hour_files(LocalLake(lake), "likes"))
    kept = hour.read_bytes()
    hour.unlink()
    assert any("are not there" in problem for problem in judged(lines).problems)
    hour.write_bytes(kept)
    assert judged(lines).problems == []


@pytest.mark.parametrize("at", [0, EVENTS // 2])
def test_messages_that_cannot_be_told_apart_are_said(at: int, tmp_path: Path) -> None:
    lines = list(generate.events(EVENTS, seed=3))
    kinds = Kinds()
    found = account(tmp_path, noted([*lines, lines[at]], kinds), kinds, [])
    assert "1 messages twice" in found.problems[0]
