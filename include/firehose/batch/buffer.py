"""Redis' streams as the drain sees them: read in pieces, and emptied of what a synced file proves to be copied.

Must not: decide what belongs to a batch, or what is a frame (frame.py does).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import redis

from firehose import crash
from firehose.batch.frame import Entry, copied_form, presumed_form
from firehose.batch.manifest import Manifest, QueueFile
from firehose.batch.scripts import script
from firehose.errors import FirehoseError, ServiceUnavailable
from firehose.settings import Settings
from firehose.store import LakePath
from ingester.contract import wire
from ingester.contract.logs import get_logger
from ingester.contract.redis_access import PIPELINE, RedisAccess

log = get_logger(__name__)

#: Redis hash: how far the backfill of a gap has come, by the gap's id.
BACKFILL_KEY: Final = "firehose:backfill"
#: Redis hash: bytes that backfills have downloaded, by UTC day.
BACKFILL_BYTES_KEY: Final = "firehose:backfill:bytes"
#: One read holds at most this many frames: some 8 MiB at the usual size of a frame.
_READ_FRAMES: Final = 100
#: A read ends with the entry that brings it here, so that it is bounded whatever somebody has put there.
_READ_BYTES: Final = 16 * 1024 * 1024

#: Nothing can follow it; Redis does not take it as the exclusive begin of a range.
_LAST_ID: Final = b"%d-%d" % (2**64 - 1, 2**64 - 1)

_READ: Final = script("entries")


#: Makes a client of Redis, as the role ``pipeline``. Airflow's tasks hand in one that takes Airflow's connection.
Connect = Callable[[Settings], redis.Redis]


def client(settings: Settings, role: str = PIPELINE, **options: Any) -> redis.Redis:
    """A client (bytes in, bytes out) that logs in as ``role``.

    Raises:
        FirehoseError: ``FIREHOSE_REDIS_URL`` is not one.
        SettingsError: the role's password cannot be read.
    """
    access = RedisAccess.of(settings, role)
    try:
        return redis.Redis.from_url(access.url, **access.options(), **options)
    except ValueError as error:
        raise FirehoseError(f"FIREHOSE_REDIS_URL: {error}") from None


@contextmanager
def connected(settings: Settings, connect: Connect = client) -> Iterator[redis.Redis]:
    """A client of Redis that ``connect`` makes, as the role ``pipeline``.

    Raises:
        ServiceUnavailable: Redis does not answer or refuses a command, at any time within the block.
        FirehoseError, SettingsError: see :func:`client`.
    """
    with connect(settings) as connection:
        try:
            yield connection
        except redis.RedisError as error:
            raise unavailable(RedisAccess.of(settings, PIPELINE), error) from error


def unavailable(access: RedisAccess, error: redis.RedisError) -> ServiceUnavailable:
    """One line of what is wrong with Redis and what to do."""
    said = " ".join(str(error).split())
    if refusal := access.refusal(error):
        return ServiceUnavailable(refusal)
    if isinstance(error, redis.ConnectionError | redis.TimeoutError):
        return ServiceUnavailable(f"Redis at {access.where} does not answer ({said}); start it, then retry")
    if "WRONGTYPE" in f"{getattr(error, 'status_code', '')} {said}":
        said += "; the next drain sets aside what is there"
    return ServiceUnavailable(f"Redis at {access.where} refuses a command ({said}); see to it, then retry")


def redis_ms(client: redis.Redis) -> int:
    """Redis's own clock in milliseconds: the clock of entry ids."""
    seconds, microseconds = client.time()
    return seconds * 1000 + microseconds // 1000


def entries(client: redis.Redis, key: str, low: str, high: str) -> Iterator[list[Entry]]:
    """The entries of a stream from id ``low`` to ``high`` (inclusive), some at a time.

    What is in memory is bounded by ``_READ_BYTES`` and one entry, and that by Redis' ``proto-max-bulk-len``.
    """
    read = client.register_script(_READ)
    while found := cast(list[Any], read([key], [low, high, _READ_FRAMES, _READ_BYTES, _LAST_ID])):
        yield [Entry(entry_id, tuple(fields)) for entry_id, fields in found]
        if found[-1][0] == _LAST_ID:
            return
        low = "(" + found[-1][0].decode()


def frames(client: redis.Redis, queue: str, low: str, high: str) -> Iterator[list[Entry]]:
    """As :func:`entries`, of a queue."""
    return entries(client, wire.stream_key(queue), low, high)


def next_ms(client: redis.Redis, queue: str, low_ms: int, high_ms: int) -> int | None:
    """The time in the id of the first entry of a queue in [low_ms, high_ms), or None."""
    if low_ms >= high_ms:
        return None
    found = cast(list[Any], client.xrange(wire.stream_key(queue), str(low_ms), str(high_ms - 1), count=1))
    return int(found[0][0].partition(b"-")[0]) if found else None


def holds(client: redis.Redis, queue: str, copied: QueueFile) -> bool:
    """Whether Redis has any entry with an id in the copied ranges."""
    return any(client.xrange(wire.stream_key(queue), first, last, count=1) for first, last in copied.ranges)


def remove_copied(client: redis.Redis, folder: LakePath, manifest: Manifest) -> None:
    """Delete the entries that the batch's files hold. Whatever else has an id in their ranges stays."""
    for queue, copied in manifest.queues.items():
        ids = _still_there(client, folder, queue, copied)
        for offset in range(0, len(ids), _READ_FRAMES):
            client.xdel(wire.stream_key(queue), *ids[offset : offset + _READ_FRAMES])
            crash.reached(crash.Point.DELETED_SOME)


def _still_there(client: redis.Redis, folder: LakePath, queue: str, copied: QueueFile) -> list[bytes]:
    """Ids of the entries in the copied ranges, if they are what the file ends with; else none.

    Entries are deleted in the order of the file, so what a death left of them is its end. An id proves nothing:
    a Redis that was emptied, or restored from an older copy, may give it again if its clock goes back.
    """
    # Where no entry was foreign, none need be looked into again.
    form = copied_form if copied.foreign else presumed_form
    ids: list[bytes] = []
    size, digest = 0, hashlib.sha256()
    for first, last in copied.ranges:
        for chunk in frames(client, queue, first, last):
            for entry in chunk:
                content = form(queue, entry)
                ids.append(entry.id)
                size += len(content)
                digest.update(content)
    if not ids or digest.digest() == _digest_of_end(folder / copied.name, size):
        return ids
    log.warning(
        "other frames with the ids of copied ones are left to a later batch",
        file=folder / copied.name,
        frames=len(ids),
    )
    return []


def _digest_of_end(path: LakePath, size: int) -> bytes:
    """The SHA-256 of a file's last ``size`` bytes; empty where it is missing or shorter."""
    if not path.exists() or path.size() < size:
        return b""
    with path.reading() as stream:
        stream.seek(-size, os.SEEK_END)
        return hashlib.file_digest(stream, "sha256").digest()
