"""A gap filled by a backfill that is killed half way: in the lake nothing is missing, and nothing is twice."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import msgspec
import redis

from firehose.batch.buffer import BACKFILL_KEY
from firehose.batch.coverage import read_gaps
from firehose.lake.verify import verify
from firehose.settings import Settings
from ingester.contract import wire
from jetstream_simulator import process
from tests.integration.backfill.world import FIRST, LAST, LINES, SEALED, command, firehose, gap, note
from tests.support.pipeline import expected_rows, ingest, next_second, now_s, rows, to_the_lake
from tests.support.waiting import until

#: The gap's record may reach further than what is missing: that much is there already.
OVERLAP = 20


def test_a_filled_gap_is_whole_in_the_lake(settings: Settings, redis_client: redis.Redis, tmp_path: Path) -> None:
    live = [*LINES[:FIRST], *LINES[LAST:SEALED]]
    (tmp_path / "live.jsonl").write_bytes(b"".join(line + b"\n" for line in live))
    since = now_s(redis_client)
    with process.start(["--replay", str(tmp_path / "live.jsonl")]) as source:
        settings = msgspec.structs.replace(settings, jetstream_url=source.url)
        ingest(settings, redis_client, len(live))
    before = to_the_lake(settings, redis_client, since)
    assert rows(settings.local_lake) == expected_rows(live)
    assert sum(counts.stored for counts in before.counts.values()) == len(live)

    since = next_second(redis_client)
    note(redis_client, gap(FIRST - OVERLAP, LAST + OVERLAP))
    line, environment = command(settings, "backfill")
    killed = subprocess.Popen(line, env=environment)
    until(lambda: redis_client.exists(BACKFILL_KEY), what="the backfill begins", pause_s=0.001)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait(10) == -signal.SIGKILL
    assert redis_client.exists(BACKFILL_KEY), "it had ended before it was killed"
    assert firehose(settings, "backfill").returncode == 0

    after = to_the_lake(settings, redis_client, since)
    assert rows(settings.local_lake) == expected_rows(LINES[:SEALED])
    counted = after.counts.values()
    assert sum(counts.stored for counts in counted) == LAST - FIRST
    assert (sum(c.duplicates for c in counted), sum(c.quarantined for c in counted)) == (2 * OVERLAP, 0)
    # The lake does not call it filled in the batch of the events, but in one after they have left Redis.
    assert [one.filled for one in read_gaps(settings.local_lake)] == [""]
    assert firehose(settings, "backfill").stderr == "no gap is open\n"
    since = next_second(redis_client)
    redis_client.zadd(wire.HEARTBEATS_KEY, {str(since * 1000): since * 1000})
    to_the_lake(settings, redis_client, since)
    assert [one.filled for one in read_gaps(settings.local_lake)] == ["archive"]
    report = verify(settings.local_lake)
    assert report.ok, report.problems
    assert firehose(settings, "backfill").stderr == "no gap is open\n"
