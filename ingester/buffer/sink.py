"""Talks to Redis for the ingester: claims the right to write, then writes flushes, each completely and once.

Lives here: the only code of the ingester that sends commands to Redis; it blocks. Must not: retries, buffers,
tasks.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ingester.buffer import refusals
from ingester.buffer.exchange import Claim, Flush, Held
from ingester.contract import crash, scripts, wire
from ingester.contract.gap import encoded, encoded_list
from ingester.contract.redis_access import RedisAccess
from ingester.contract.settings import SettingsError
from ingester.errors import Fenced, StateLost, Superseded
from ingester.jetstream.hosts import V1

TIMEOUT_S: Final = 5.0
_KEYS: Final = [wire.METADATA_KEY, wire.HEARTBEATS_KEY, *map(wire.stream_key, wire.QUEUES), wire.COVERAGE_KEY]


class _Client(redis.Redis):
    """A client whose process may die between a command and its reply; scripts are sent with it."""

    def parse_response(self, *args: Any, **options: Any) -> Any:
        crash.reached(crash.Point.COMMAND_SENT)
        return super().parse_response(*args, **options)  # type: ignore[no-untyped-call]  # redis gives no type


class Sink:
    """The connection to Redis of one ingester process. Not safe for concurrent calls."""

    def __init__(self, access: RedisAccess, name: str, host: str) -> None:
        try:
            # No retries of its own: after an error only a retry under the same flush number is safe.
            self._redis = _Client.from_url(
                access.url,
                socket_timeout=TIMEOUT_S,
                socket_connect_timeout=TIMEOUT_S,
                retry=Retry(NoBackoff(), 0),
                client_name="bluesky-firehose-ingester",
                **access.options(),
            )
        except ValueError as error:
            raise SettingsError(f"FIREHOSE_REDIS_URL: {error}") from None
        self._access = access
        self._claim = self._redis.register_script(scripts.CLAIM)
        self._write = self._redis.register_script(scripts.WRITE)
        self._name = name
        self._host = host
        self._writer = ""
        self._flush = 0
        self._cursor = ""
        self._kept = (b"", b"")  # history and resyncs, as Redis has them

    def claim(self, lease_ms: int) -> Claim | Held:
        """Claim the right to write for ``lease_ms``; from an ingester of the same name it is taken at once.

        Raises:
            SinkUnavailable: Redis is away or full; try again.
            SinkRefused: Redis will never allow it.
        """
        # A new identity each time, so that a write of the old one that is still under way is refused.
        writer = f"{self._name}/{uuid.uuid4().hex}"
        answer = self._call(
            self._claim, scripts.arguments(_KEYS, name=self._name, writer=writer, lease_ms=lease_ms)
        )
        if answer[0] == "wait":
            return Held.read(*answer[1:])
        crash.reached(crash.Point.CLAIMED)
        self._writer, self._flush, self._cursor, self._kept = writer, 0, answer[1], (b"", b"")
        return Claim.read(*answer[1:])

    def write(self, flush: Flush) -> None:
        """Write a flush. After :class:`SinkUnavailable` only the same flush may be tried again.

        Raises:
            SinkUnavailable: Redis is away or full, or its reply was lost; try again.
            Fenced, Superseded: another ingester writes now.
            StateLost: what this writer wrote is no longer there; claim again.
            SinkRefused: Redis will never accept it.
        """
        number, cursor = self._flush + 1, str(flush.cursor or "")
        kept = (flush.history, flush.resyncs)
        # Sent only when changed: they change rarely, and are larger than the rest of a heartbeat.
        history, resyncs = (b"" if new == known else new for new, known in zip(kept, self._kept, strict=True))
        arguments = scripts.arguments(
            _KEYS,
            flush.frames,
            # Compared byte for byte: another program may have put any bytes there.
            self._cursor.encode(errors="surrogateescape"),
            writer=self._writer,
            flush=str(number),
            flush_before=str(self._flush),
            cursor=cursor,
            time_us=str(flush.time_us or flush.cursor),
            host=flush.host or self._host,
            protocol=flush.protocol or V1,
            lease_ms=flush.lease_ms,
            connected=flush.connected,
            open_gaps=encoded_list(flush.open_gaps).decode() if flush.open_gaps else "",
            history=history.decode(),
            resyncs=resyncs.decode(),
            gaps=[encoded(gap).decode() for gap in flush.gaps],
            heartbeats_kept_ms=wire.HEARTBEATS_KEPT_MS,
        )
        status, *details = self._call(self._write, arguments)
        crash.reached(crash.Point.FLUSH_WRITTEN)
        if status == "stale":
            raise self._displaced(details[0])
        if status == "lost":
            raise StateLost
        self._flush, self._cursor, self._kept = number, cursor or self._cursor, kept

    def waiting(self) -> None:
        """Note that this process lives and is not connected. Outside of the fence: it moves and renews nothing.

        Raises:
            SinkUnavailable, SinkRefused: Redis does not take it.
        """
        try:
            seconds, micros = self._redis.time()
            self._redis.hset(wire.METADATA_KEY, wire.META_WAITING_MS, str(seconds * 1000 + micros // 1000))
        except redis.RedisError as error:
            raise refusals.of_error(error, self._access) from None

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()

    def _displaced(self, writer: str) -> Fenced | Superseded:
        if writer.rpartition("/")[0] == self._name:
            return Fenced(
                f"another process of the ingester {self._name} has taken over ({writer}); this one ends. "
                "If both are wanted, give them different FIREHOSE_INGESTER_NAMEs"
            )
        return Superseded(f"the ingester {writer} has taken over; this one ends and can be its standby")

    def _call(self, script: redis.commands.core.Script, arguments: list[bytes]) -> list[str]:
        try:
            # Another program may have put any bytes there, and they are compared later, so keep them all.
            answer = [word.decode(errors="surrogateescape") for word in script(keys=_KEYS, args=arguments)]
        except redis.RedisError as error:
            raise refusals.of_error(error, self._access) from None
        if refusal := refusals.of_answer(answer):
            raise refusal
        return answer
