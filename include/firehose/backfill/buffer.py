"""Writes the events of a backfill to Redis: as frames like the ingester's, together with how far it has come.

Lives here: the only code of a backfill that talks to Redis. Must not: know where events come from, or decode them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, cast

import msgspec
import redis

from firehose.backfill.events import QueueLine
from firehose.batch.buffer import BACKFILL_BYTES_KEY, BACKFILL_KEY, client, entries, unavailable
from firehose.batch.foreign import gap_of
from firehose.errors import BufferFull, ServiceUnavailable
from firehose.settings import Settings
from ingester.contract import frame, scripts, wire
from ingester.contract.gap import Gap, encoded
from ingester.contract.redis_access import PIPELINE, RedisAccess

#: The share of Redis' memory that a backfill leaves to the live stream.
_LEFT_TO_LIVE: Final = 0.2
#: The names of the two keys in the version before.
_OLD_KEYS: Final = {"firehose:heal": BACKFILL_KEY, "firehose:heal:bytes": BACKFILL_BYTES_KEY}
_KEYS: Final = [BACKFILL_KEY, wire.COVERAGE_KEY, *map(wire.stream_key, wire.QUEUES)]
#: What stops the script, by its reply.
_WRONG: Final = {b"type": "has the wrong type", b"full": "has used its last entry id"}


class Progress(msgspec.Struct, frozen=True):
    """How far a backfill has come: all events of its ``task`` up to the sequence number ``seq`` are in Redis.

    ``unknown`` of them were of kinds that this version does not know; they go to quarantine.
    """

    task: str
    seq: int
    unknown: int = 0


class BackfillBuffer:
    """The connection of a backfill to Redis. Every method may raise ServiceUnavailable."""

    def __init__(self, settings: Settings) -> None:
        self._access = RedisAccess.of(settings, PIPELINE)
        self._redis = client(settings, socket_timeout=30, client_name="bluesky-firehose-backfill")
        self._progress = b""
        self._last_record = ""
        self._script = self._redis.register_script(scripts.BACKFILL)

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()

    def adopt_old_keys(self) -> None:
        """Take over what a backfill of the version before has left under the old names of its keys."""
        for old, new in _OLD_KEYS.items():
            if self._call(self._redis.exists, old):
                self._call(self._redis.renamenx, old, new)

    def gaps(self) -> list[Gap]:
        """The records of gaps that no drain has taken to the lake yet. Read them before the lake's."""
        if not self._call(self._redis.exists, wire.COVERAGE_KEY):
            return []
        last = self._call(self._redis.xinfo_stream, wire.COVERAGE_KEY)["last-generated-id"]
        self._last_record = cast(bytes, last).decode()
        chunks = self._call(lambda: [*entries(self._redis, wire.COVERAGE_KEY, "-", "+")])
        # The drain sets aside what is not a record.
        return [gap for chunk in chunks for entry in chunk if (gap := gap_of(entry))]

    def now_us(self) -> int:
        """Redis' clock in µs."""
        seconds, microseconds = cast(tuple[int, int], self._call(self._redis.time))
        return seconds * 1_000_000 + microseconds

    def downloaded_today(self) -> int:
        """The bytes that backfills have downloaded on this UTC day."""
        known = cast("bytes | None", self._call(self._redis.hget, BACKFILL_BYTES_KEY, self._today())) or b""
        return int(known) if known.isdigit() else 0  # anything else was not written by a backfill

    def add_downloaded(self, count: int) -> None:
        """Count bytes towards this UTC day."""
        self._call(self._redis.hincrby, BACKFILL_BYTES_KEY, self._today(), count)

    def _today(self) -> str:
        return f"{datetime.fromtimestamp(self.now_us() / 1e6, UTC):%Y-%m-%d}"

    def begin(self, gap_id: str, task: str) -> Progress:
        """How far an earlier backfill with the same ``task`` came; ``seq`` is 0 if there was none.

        Later writes are refused if Redis has lost this progress, or if another backfill has moved it.
        """
        self._progress = cast("bytes | None", self._call(self._redis.hget, BACKFILL_KEY, gap_id)) or b""
        try:
            progress = msgspec.json.decode(self._progress or b'{"task":"","seq":0}', type=Progress)
        except msgspec.MsgspecError:
            return Progress(task, 0)
        return progress if progress.task == task else Progress(task, 0)

    def write(self, gap_id: str, lines: list[QueueLine], progress: Progress) -> None:
        """Put events into their queues together with the new progress: all of it, or nothing.

        Raises:
            BufferFull: Redis has no room left but what the live stream needs.
        """
        self._leave_room()
        self._write(gap_id, lines, msgspec.json.encode(progress), b"")

    def finish(self, filled: Gap) -> bool:
        """Write the gap's new record, once all of its events are in Redis.

        Returns False, without writing, if another record was written since :meth:`gaps`: this gap may have grown.
        """
        return self._write(filled.id, [], b"", encoded(filled))

    def _write(self, gap_id: str, lines: list[QueueLine], progress: bytes, record: bytes) -> bool:
        by_queue: dict[str, list[bytes]] = {}
        for waiting in lines:
            by_queue.setdefault(waiting.queue, []).append(waiting.line)
        arguments = scripts.arguments(
            _KEYS,
            frame.pack(by_queue),
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
                f"Redis at {self._access.where} lost what this backfill wrote, or another backfill is running; "
                "run the backfill again"
            )
        if status != b"written":
            raise ServiceUnavailable(
                f"Redis key {details[0].decode()} {_WRONG[status]}; wait for the next drain, which mends it, then "
                "run the backfill again"
            )
        self._progress = progress
        return True

    def _leave_room(self) -> None:
        memory = cast(dict[str, Any], self._call(self._redis.info, "memory"))
        used, most = int(memory["used_memory"]), int(memory["maxmemory"])
        if most and used > most * (1 - _LEFT_TO_LIVE):
            raise self._full(f"{used} of {most} bytes are used, and the rest is kept for the live stream")

    def _full(self, why: str) -> BufferFull:
        return BufferFull(
            f"Redis at {self._access.where} is too full for a backfill now ({why}); run it again after the next "
            "batches have been drained: it continues from here"
        )

    def _call(self, command: Any, *arguments: Any) -> Any:
        try:
            return command(*arguments)
        except redis.RedisError as error:
            text = " ".join(str(error).split())
            if "OOM " in f"{getattr(error, 'status_code', '')} {text}":
                raise self._full(text) from None
            raise unavailable(self._access, error) from None
