"""`firehose heal`, the former name of `firehose backfill`, and its keys in Redis: they work for one version."""

from __future__ import annotations

import signal
import subprocess

import redis

from firehose.batch.buffer import BACKFILL_BYTES_KEY, BACKFILL_KEY
from firehose.settings import Settings
from tests.integration.backfill.world import command, firehose, gap, note, noted, queued, sent
from tests.support.waiting import until

FORMER = {BACKFILL_KEY: "firehose:heal", BACKFILL_BYTES_KEY: "firehose:heal:bytes"}


def test_the_former_command_says_its_new_name_and_continues_from_the_former_keys(
    settings: Settings, redis_client: redis.Redis
) -> None:
    note(redis_client, gap())
    line, environment = command(settings, "backfill")
    running = subprocess.Popen(line, env=environment)
    keys = (BACKFILL_KEY, BACKFILL_BYTES_KEY)
    until(lambda: redis_client.exists(*keys) == 2, what="the backfill begins", pause_s=0.001)
    running.send_signal(signal.SIGKILL)
    assert running.wait(10) == -signal.SIGKILL
    written = sum(map(len, queued(redis_client).values()))
    downloaded = sum(map(int, redis_client.hvals(BACKFILL_BYTES_KEY)))
    assert 0 < written < sum(map(len, sent().values())), "it was killed before or after its work, not during it"
    for new, former in FORMER.items():
        redis_client.rename(new, former)

    done = firehose(settings, "heal")
    first, *_ = done.stderr.splitlines()
    assert (done.returncode, "`firehose heal` is now `firehose backfill`" in first) == (0, True), done
    assert queued(redis_client) == sent(), "it began again"
    assert [one.filled for one in noted(redis_client)] == ["", "archive"]
    assert not redis_client.exists(*FORMER.values())
    assert sum(map(int, redis_client.hvals(BACKFILL_BYTES_KEY))) > downloaded, "the day's bytes go on"
    assert "firehose heal" not in firehose(settings, "--help").stdout
