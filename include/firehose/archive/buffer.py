"""The way of healed events into Redis: frames as the ingester writes them, and how far a heal has come.

Lives here: the only code of a heal that talks to Redis. Must not: know where events come from, or decode them.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any, Final, cast

import msgspec
import redis
import zstandard

from firehose.archive.events import Event
from firehose.batch.buffer import HEAL_BYTES_KEY, HEAL_KEY, client, entries, unavailable
from firehose.batch.foreign import gap_of
from firehose.errors import BufferFull, ServiceUnavailable
from firehose.settings import Settings
from ingester.contract import wire
from ingester.contract.gap import Gap
from ingester.contract.redis_access import PIPELINE, RedisAccess

log = logging.getLogger(__name__)

#: As the ingester packs them.
_FRAME_EVENTS: Final = 500
_LEVEL: Final = 1
#: The share of Redis' memory that a heal leaves to the live stream.
_LEFT_TO_LIVE: Final = 0.2
_KEYS: Final = [HEAL_KEY, wire.COVERAGE_KEY, *map(wire.stream_key, wire.QUEUES)]
_INDEX: Final = {queue: _KEYS.index(wire.stream_key(queue)) + 1 for queue in wire.QUEUES}

# Begins with looking, then with a write that Redis refuses when it is full: after it nothing in it can fail.
# ARGV: the gap's id, its progress so far, its new progress ('': done), the gap's record ('': none), the last id of
# the stream of gaps that was read, then for each frame: index in KEYS, n, first, last, payload. Replies 'written',
# 'lost' where the progress is another one, 'news' where a record is to be written and there are newer ones than
# were read, or the key that is no stream (or no hash).
_WRITE: Final = f"""
for i, key in ipairs(KEYS) do
  local found = redis.call('TYPE', key).ok
  if found ~= 'none' and found ~= (i == 1 and 'hash' or 'stream') then return key end
end
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 'lost' end
if ARGV[4] ~= '' and redis.call('EXISTS', KEYS[2]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[2])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' and info[i + 1] ~= ARGV[5] then return 'news' end
  end
end
for i = 6, #ARGV, 5 do
  redis.call('XADD', KEYS[tonumber(ARGV[i])], '*', '{wire.FIELD_COUNT.decode()}', ARGV[i + 1],
    '{wire.FIELD_FIRST_US.decode()}', ARGV[i + 2], '{wire.FIELD_LAST_US.decode()}', ARGV[i + 3],
    '{wire.FIELD_PAYLOAD.decode()}', ARGV[i + 4])
end
if ARGV[4] ~= '' then redis.call('XADD', KEYS[2], '*', '{wire.FIELD_GAP.decode()}', ARGV[4]) end
if ARGV[3] == '' then redis.call('HDEL', KEYS[1], ARGV[1])
else redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
return 'written'
"""


class Progress(msgspec.Struct, frozen=True):
    """What a heal has brought to Redis: all that it was asked for (``task``) up to the sequence number ``seq``.

    ``unknown`` of these events were of kinds that it does not know, and so are in quarantine.
    """

    task: str
    seq: int
    unknown: int = 0


class HealBuffer:
    """The connection of a heal to Redis. Every method may raise ServiceUnavailable."""

    def __init__(self, settings: Settings) -> None:
        self._access = RedisAccess.of(settings, PIPELINE)
        self._redis = client(settings, socket_timeout=30, client_name="bluesky-firehose-heal")
        self._progress = b""
        self._last_record = b""
        self._script = self._redis.register_script(_WRITE)

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()

    def gaps(self) -> list[Gap]:
        """The records of gaps that no drain has taken to the lake yet. Read them before the lake's."""
        if not self._call(self._redis.exists, wire.COVERAGE_KEY):
            return []
        self._last_record = self._call(self._redis.xinfo_stream, wire.COVERAGE_KEY)["last-generated-id"]
        chunks = self._call(lambda: [*entries(self._redis, wire.COVERAGE_KEY, "-", "+")])
        # What is not a record is the drain's to set aside.
        return [gap for chunk in chunks for entry in chunk if (gap := gap_of(entry))]

    def now_us(self) -> int:
        """Redis' clock in µs."""
        seconds, microseconds = cast(tuple[int, int], self._call(self._redis.time))
        return seconds * 1_000_000 + microseconds

    def downloaded_today(self) -> int:
        """The bytes that heals of this UTC day have downloaded."""
        known = cast("bytes | None", self._call(self._redis.hget, HEAL_BYTES_KEY, self._today())) or b""
        return int(known) if known.isdigit() else 0  # what is no number is somebody else's

    def add_downloaded(self, count: int) -> None:
        """Count bytes towards this UTC day."""
        self._call(self._redis.hincrby, HEAL_BYTES_KEY, self._today(), count)

    def _today(self) -> str:
        return f"{datetime.fromtimestamp(self.now_us() / 1e6, UTC):%Y-%m-%d}"

    def begin(self, gap_id: str, task: str) -> Progress:
        """How far an earlier heal of the same ``task`` has come; up to 0: there was none.

        What is written afterwards is refused if Redis no longer has it, or if another heal was faster.
        """
        self._progress = cast("bytes | None", self._call(self._redis.hget, HEAL_KEY, gap_id)) or b""
        try:
            progress = msgspec.json.decode(self._progress or b'{"task":"","seq":0}', type=Progress)
        except msgspec.MsgspecError:
            return Progress(task, 0)
        return progress if progress.task == task else Progress(task, 0)

    def write(self, gap_id: str, events: list[Event], progress: Progress) -> None:
        """Put events into their queues together with how far the heal has come: all of it, or nothing.

        Raises:
            BufferFull: Redis has no room, or only what the live stream needs.
        """
        self._leave_room()
        self._write(gap_id, events, msgspec.json.encode(progress), b"")

    def finish(self, healed: Gap) -> bool:
        """Write the gap's new record, once all of its events are there.

        False: nothing was done. Somebody has written a record since :meth:`gaps`; this gap may have grown.
        """
        return self._write(healed.id, [], b"", msgspec.json.encode(healed))

    def _write(self, gap_id: str, events: list[Event], progress: bytes, record: bytes) -> bool:
        arguments: list[bytes | str | int] = [gap_id, self._progress, progress, record, self._last_record]
        for queue, lines in _by_queue(events).items():
            for start in range(0, len(lines), _FRAME_EVENTS):
                part = lines[start : start + _FRAME_EVENTS]
                arguments += [_INDEX[queue], len(part), *_ends(part), _packed(part)]
        answer = self._call(self._script, _KEYS, arguments)
        if answer == b"news":
            return False
        if answer == b"lost":
            raise ServiceUnavailable(
                f"Redis at {self._access.where} lost what this heal wrote, or another heal is at work; heal again"
            )
        if answer != b"written":
            raise ServiceUnavailable(
                f"Redis key {answer.decode()} is of another type than it should be; the next drain sets it aside, "
                "then heal again"
            )
        self._progress = progress
        return True

    def _leave_room(self) -> None:
        memory = cast(dict[str, Any], self._call(self._redis.info, "memory"))
        used, most = int(memory["used_memory"]), int(memory["maxmemory"])
        if most and used > most * (1 - _LEFT_TO_LIVE):
            raise self._full(f"{used} of {most} bytes are used, and the rest is left to the live stream")

    def _full(self, why: str) -> BufferFull:
        return BufferFull(
            f"Redis at {self._access.where} is too full to heal now ({why}); heal again once batches have been "
            "drained: it goes on from here"
        )

    def _call(self, command: Any, *arguments: Any) -> Any:
        try:
            return command(*arguments)
        except redis.RedisError as error:
            text = " ".join(str(error).split())
            if "OOM " in f"{getattr(error, 'status_code', '')} {text}":
                raise self._full(text) from None
            raise unavailable(self._access, error) from None


def _by_queue(events: list[Event]) -> dict[str, list[Event]]:
    queues: dict[str, list[Event]] = {}
    for event in events:
        queues.setdefault(event.queue, []).append(event)
    return queues


def _ends(events: list[Event]) -> tuple[int, int]:
    return events[0].time_us, events[-1].time_us


def _packed(events: list[Event]) -> bytes:
    lines = wire.join_lines([event.line for event in events])
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(lines)
