"""The hour's oracle can fail: what is lost, doubled or made up is seen, and a recorded gap excuses an event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import redis

from firehose.batch.coverage import records_path
from firehose.batch.interval import Batch
from firehose.lake import layout
from firehose.settings import Settings
from firehose.store import LocalLake
from ingester.contract.gap import Gap, Reason, encoded_list
from tests.fault.soak_hour.conservation import Account, account
from tests.fault.soak_hour.record import EVENT, Events, Kinds, digest
from tests.support.maintained import LIKES, published

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
BATCH, NEXT = (Batch.of(START + n * timedelta(minutes=5), START + (n + 1) * timedelta(minutes=5)) for n in (0, 1))
LOST = b'{"time_us":1,"kind":"identity"}'


def noted(lines: list[bytes], kinds: Kinds) -> Events:
    """What the record says of messages."""
    return np.array(
        [(digest(line), BATCH.start_ms * 1000 + n, kinds.number(line)) for n, line in enumerate(lines)], EVENT
    )


def test_what_is_lost_doubled_or_made_up_is_seen(
    redis_client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    lake, kinds = tmp_path / "lake", Kinds()
    settings = Settings(home=str(tmp_path), lake=str(lake), redis_url=redis_url)
    # Ten came twice, as after a reconnect.
    published(settings, redis_client, {BATCH: [*LIKES, *LIKES[:10]]})

    def judged(sent: list[bytes]) -> Account:
        return account(lake, noted(sent, kinds), kinds, [])

    sound, count = judged(LIKES), len(LIKES)
    assert sound.problems == []
    assert (sound.sent, sound.delivered, sound.repeated, sound.rows) == (count, count + 10, 10, count)

    lost = judged([*LIKES, LOST])
    assert lost.silent == 1 and "1 events are lost, and no gap says so" in lost.problems[0]
    gap = Gap(id="late:a:1", reason=Reason.LATE, from_us=0, to_us=2**60, noted_us=1)
    path = records_path(LocalLake(lake), NEXT)
    path.write(encoded_list([gap]))
    excused = judged([*LIKES, LOST])
    assert (excused.problems, excused.in_gaps, excused.silent) == ([], 1, 0)
    path.write(encoded_list([msgspec.structs.replace(gap, noted_us=2, filled="replay")]))
    assert judged([*LIKES, LOST]).silent == 1, "a gap that is filled excuses nothing"

    made_up = judged(LIKES[1:])
    assert "1 messages are in raw files that nobody has sent" in made_up.problems[0]
    assert judged([*LIKES, LIKES[0]]).alike == 1

    hour = max(layout.hour_files(LocalLake(lake), "likes"))
    kept = hour.read_bytes()
    hour.unlink()
    assert any("are not there" in problem for problem in judged(LIKES).problems)
    hour.write_bytes(kept)
    assert judged(LIKES).problems == []
