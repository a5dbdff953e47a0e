"""Random schedules of writes, drains, steps of the clock, and losses of Redis: no frame is lost or stranded.

And none is copied twice, unless Redis itself was set back to what it was before.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import redis
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from firehose.batch import buffer
from firehose.batch import manifest as manifests
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.batch.raw import read_chunks
from firehose.errors import MissedInterval, NotListening
from firehose.settings import Settings
from ingester.contract import wire
from tests.support.frames import frame
from tests.support.logins import PASSWORDS

INTERVALS = 5
QUEUES = (wire.POSTS, wire.LIKES)
WRITE = st.tuples(st.just("write"), st.integers(0, INTERVALS - 1), st.integers(0, 1))
DRAIN = st.tuples(st.just("drain"), st.integers(0, INTERVALS - 1), st.just(0))
REDIS = st.tuples(st.sampled_from(["save", "set back", "wipe", "die"]), st.integers(0, INTERVALS - 1), st.just(0))
Action = tuple[str, int, int]


class Pipeline:
    """A Redis, a lake, and what was written so far."""

    def __init__(self, client: redis.Redis, url: str, home: str, silent: set[int]) -> None:
        client.flushall()
        self.client, self.written, self.expected = client, 0, set[bytes]()
        self.settings = Settings(home=home, lake=f"{home}/lake", redis_url=url, redis_passwords=PASSWORDS)
        first = int(time.time()) // 60 * 60 - 60 * (INTERVALS + 2)
        starts = [datetime.fromtimestamp(first + 60 * n, UTC) for n in range(INTERVALS + 2)]
        self.batches = [Batch.of(start, end) for start, end in pairwise(starts)]
        self.saved = self._dump()
        self.set_back = False
        self._hear(silent)

    def _hear(self, silent: set[int]) -> None:
        heard = [batch.start_ms for number, batch in enumerate(self.batches) if number not in silent]
        self.client.zadd(wire.HEARTBEATS_KEY, {str(ms): ms for ms in heard})

    def _dump(self) -> dict[str, Any]:
        return {key: self.client.dump(key) for key in map(wire.stream_key, QUEUES)}

    def _restore(self, streams: dict[str, Any]) -> None:
        for key, content in streams.items():
            self.client.delete(key)
            if content:
                self.client.restore(key, 0, content)

    def act(self, action: Action) -> None:
        """Take one step of a schedule."""
        what, number, queue = action
        if what == "write":
            self.write(number, wire.stream_key(QUEUES[queue]))
        elif what == "save":
            self.saved = self._dump()
        elif what == "set back":
            self._restore(self.saved)
            self.lost()
            self.set_back = True
        elif what == "wipe":
            self.client.delete(*map(wire.stream_key, QUEUES))
            self.lost()
        else:
            before = self._dump()
            self.drain(number)
            if what == "die":  # after the manifest, before it deletes
                self._restore(before)
                self.set_back = True

    def write(self, number: int, key: str) -> None:
        """A frame with an id of an interval, or just behind the stream's last id, as Redis makes one."""
        self.written += 1
        line = b'{"n":%d}' % self.written
        ms, sequence = self.batches[number].start_ms + 1, 0
        if self.client.exists(key):
            last_ms, _, last_sequence = self.client.xinfo_stream(key)["last-generated-id"].partition(b"-")
            if int(last_ms) >= ms:
                ms, sequence = int(last_ms), int(last_sequence) + 1
        self.client.xadd(key, frame([line]), id=f"{ms}-{sequence}")
        self.expected.add(line)

    def drain(self, number: int) -> None:
        """Drain an interval, or learn that nothing was heard in it."""
        with suppress(MissedInterval, NotListening):
            drain(self.settings, self.batches[number])

    def lost(self) -> None:
        """Redis holds less than it did: what it lost and no batch has cannot come again here."""
        held = {
            zstandard.decompress(entry.get(wire.FIELD_PAYLOAD)).strip()
            for queue in QUEUES
            for chunk in buffer.frames(self.client, queue, "-", "+")
            for entry in chunk
        }
        self.expected &= held | set(self.copied())

    def copied(self) -> Counter[bytes]:
        """What the batches hold, and how often."""
        folders = [manifests.folder_of(self.settings.local_lake, batch) for batch in self.batches]
        paths = [path for folder in folders if manifests.read(folder) for path in sorted(folder.glob("*.zst"))]
        return Counter(line for path in paths for chunk in read_chunks(path, 99) for line in chunk)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    schedule=st.lists(st.one_of(WRITE, WRITE, DRAIN, DRAIN, REDIS), max_size=25),
    silent=st.sets(st.integers(0, INTERVALS - 1)),
)
@example(schedule=[("write", 1, 0), ("drain", 1, 0), ("wipe", 0, 0), ("write", 0, 0), ("write", 1, 1)], silent={0})
@example(schedule=[("write", 1, 0), ("die", 1, 0), ("wipe", 0, 0), ("write", 1, 0), ("drain", 1, 0)], silent=set())
def test_no_schedule_loses_or_strands_a_frame(
    redis_client: redis.Redis, redis_url: str, schedule: list[Action], silent: set[int]
) -> None:
    with TemporaryDirectory() as home:
        pipeline = Pipeline(redis_client, redis_url, home, silent)
        for action in schedule:
            pipeline.act(action)
        # Every interval's run is cleared until it succeeds, and time goes on to one more.
        for number in range(INTERVALS + 1):
            pipeline.drain(number)
        copied = pipeline.copied()
        assert pipeline.expected <= set(copied)
        assert not any(redis_client.xlen(wire.stream_key(queue)) for queue in QUEUES)
        if not pipeline.set_back:
            assert max(copied.values(), default=1) == 1
        assert not list(Path(home).glob("**/*.part"))
