"""Redis' streams as the drain sees them: read in pieces, and emptied of what a synced file proves to be copied.

Must not: decide what belongs to a batch.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

import redis

from firehose import crash
from firehose.batch.manifest import Manifest, QueueFile
from firehose.errors import ServiceUnavailable
from firehose.settings import Settings, redacted
from ingester import wire

log = logging.getLogger(__name__)

Entry = tuple[bytes, dict[bytes, bytes]]

#: One read holds at most so many frames: some 8 MiB at the usual size of a frame.
_READ_FRAMES: Final = 100


@contextmanager
def connected(settings: Settings) -> Iterator[redis.Redis]:
    """A client of Redis.

    Raises:
        ServiceUnavailable: it does not answer, at any time within the block.
    """
    try:
        with redis.Redis.from_url(settings.redis_url) as client:
            yield client
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise ServiceUnavailable(
            f"Redis at {redacted(settings.redis_url)} does not answer ({error}); start it, then retry"
        ) from error


def redis_ms(client: redis.Redis) -> int:
    """Redis's own clock in milliseconds: the clock of entry ids."""
    seconds, microseconds = client.time()
    return seconds * 1000 + microseconds // 1000


def entries(client: redis.Redis, queue: str, low: str, high: str) -> Iterator[list[Entry]]:
    """The frames of a queue from id ``low`` to ``high`` (inclusive), some at a time."""
    key = wire.stream_key(queue)
    while chunk := cast(list[Entry], client.xrange(key, low, high, count=_READ_FRAMES)):
        yield chunk
        low = "(" + chunk[-1][0].decode()


def next_ms(client: redis.Redis, queue: str, low_ms: int, high_ms: int) -> int | None:
    """The time in the id of the first frame of a queue in [low_ms, high_ms), or None."""
    if low_ms >= high_ms:
        return None
    found = cast(list[Entry], client.xrange(wire.stream_key(queue), str(low_ms), str(high_ms - 1), count=1))
    return int(found[0][0].partition(b"-")[0]) if found else None


def remove_copied(client: redis.Redis, folder: Path, manifest: Manifest) -> None:
    """Delete the frames that the batch's files hold. Whatever else has an id in their ranges stays."""
    for queue, copied in manifest.queues.items():
        ids = _still_there(client, folder, queue, copied)
        for offset in range(0, len(ids), _READ_FRAMES):
            client.xdel(wire.stream_key(queue), *ids[offset : offset + _READ_FRAMES])
            crash.reached(crash.Point.DELETED_SOME)


def _still_there(client: redis.Redis, folder: Path, queue: str, copied: QueueFile) -> list[bytes]:
    """Ids of the frames in the copied ranges, if they are what the file ends with; else none.

    Frames are deleted in the order of the file, so what a death left of them is its end. An id proves nothing:
    a Redis that was emptied, or restored from an older copy, may give it again if its clock goes back.
    """
    ids: list[bytes] = []
    size, digest = 0, hashlib.sha256()
    for first, last in copied.ranges:
        for chunk in entries(client, queue, first, last):
            for entry_id, fields in chunk:
                payload = fields.get(wire.FIELD_PAYLOAD, b"")
                ids.append(entry_id)
                size += len(payload)
                digest.update(payload)
    if ids and digest.digest() != _digest_of_end(folder / copied.name, size):
        log.warning(
            "%s: Redis holds %d other frames with ids of these: left to a later batch",
            folder / copied.name,
            len(ids),
        )
        return []
    return ids


def _digest_of_end(path: Path, size: int) -> bytes:
    """The SHA-256 of a file's last ``size`` bytes; empty where it is missing or shorter."""
    if not path.is_file() or path.stat().st_size < size:
        return b""
    with path.open("rb") as stream:
        stream.seek(-size, os.SEEK_END)
        return hashlib.file_digest(stream, "sha256").digest()
