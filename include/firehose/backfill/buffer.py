"""The way of healed events into Redis: frames as the ingester writes them, and how far a heal has come.

Lives here: the only code of a heal that talks to Redis. Must not: know where events come from, or decode them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, cast

import msgspec
import redis

from firehose.backfill.events import Event
from firehose.batch.buffer import HEAL_BYTES_KEY, HEAL_KEY, client, entries, unavailable
from firehose.batch.foreign import gap_of
from firehose.errors import BufferFull, ServiceUnavailable
from firehose.settings import Settings
from ingester.contract import frame, scripts, wire
from ingester.contract.gap import Gap
from ingester.contract.redis_access import PIPELINE, RedisAccess

#: The share of Redis' memory that a heal leaves to the live stream.
_LEFT_TO_LIVE: Final = 0.2
_KEYS: Final = [HEAL_KEY, wire.COVERAGE_KEY, *map(wire.stream_key, wire.QUEUES)]
#: What is in the way, by the reply of the script.
_WRONG: Final = {b"type": "is of another type than it should be", b"full": "has given out its last id"}


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
        self._last_record = ""
        self._script = self._redis.register_script(scripts.BACKFILL)

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()

    def gaps(self) -> list[Gap]:
        """The records of gaps that no drain has taken to the lake yet. Read them before the lake's."""
        if not self._call(self._redis.exists, wire.COVERAGE_KEY):
            return []
        last = self._call(self._redis.xinfo_stream, wire.COVERAGE_KEY)["last-generated-id"]
        self._last_record = cast(bytes, last).decode()
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
        return int(known) if known.isdigit() else 0  # what is not a number is somebody else's

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
        lines: dict[str, list[bytes]] = {}
        for event in events:
            lines.setdefault(event.queue, []).append(event.line)
        arguments = scripts.arguments(
            _KEYS,
            frame.pack(lines),
            self._progress,
            gap_id=gap_id,
            progress=progress.decode(),
            record=record.decode(),
            last_record=self._last_record,
        )
        status, *details = self._call(self._script, _KEYS, arguments)
        if status == b"news":
            return False
        if status == b"lost":
            raise ServiceUnavailable(
                f"Redis at {self._access.where} lost what this heal wrote, or another heal is at work; heal again"
            )
        if status != b"written":
            raise ServiceUnavailable(
                f"Redis key {details[0].decode()} {_WRONG[status]}; the next drain sets it right, then heal again"
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
