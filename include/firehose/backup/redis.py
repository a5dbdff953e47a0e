"""Redis' part of a set: read by plain commands in the order in which events travel, so it needs no moment of rest.

First the cursor and what is like one, then the records of gaps, then the queues; the lake is copied after that.
An event that leaves Redis meanwhile is in the lake by then, and what comes in meanwhile comes again from the
source, by the cursor. Must not: know what is in an entry; copy keys of other programs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final, cast

import msgspec
import redis

from firehose.backup.objects import File
from firehose.backup.sets import Backup, Group
from firehose.batch import buffer
from firehose.errors import CorruptBackup, FirehoseError
from ingester.contract import wire

PART: Final = "redis"
_STATE: Final = "state"
#: Read before the queues: what a record says has happened is in a queue, or in the lake, when those are read.
_HASHES: Final = (wire.METADATA_KEY, buffer.BACKFILL_KEY, buffer.BACKFILL_BYTES_KEY)
_STREAMS: Final = (wire.COVERAGE_KEY, *map(wire.stream_key, wire.QUEUES))
KEYS: Final = (*_HASHES, wire.HEARTBEATS_KEY, *_STREAMS)
_LENGTH: Final = 4
_AT_A_TIME: Final = 200


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Everything but the streams."""

    hashes: dict[str, list[tuple[bytes, bytes]]]
    heartbeats: list[tuple[bytes, float]]


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    id: bytes
    fields: list[bytes]


def copy(client: redis.Redis, backup: Backup) -> Group:
    """Copy the ingester's state, the records of gaps and the queues. Holds one object's bytes in memory."""
    hashes = {key: list(cast(dict[bytes, bytes], client.hgetall(key)).items()) for key in _HASHES}
    beats = cast(list[tuple[bytes, float]], client.zrange(wire.HEARTBEATS_KEY, 0, -1, withscores=True))
    state = State(hashes=hashes, heartbeats=beats)
    files = [backup.objects.put_file(_STATE, [msgspec.msgpack.encode(state)])]
    files += [backup.objects.put_file(key, _entries(client, key)) for key in _STREAMS]
    return backup.group(files, "")


def _entries(client: redis.Redis, key: str) -> Iterator[bytes]:
    """Each entry that is there now with its length in front. What comes in meanwhile is left."""
    if not client.exists(key):
        return
    last = cast(dict[str, bytes], client.xinfo_stream(key))["last-generated-id"]
    for chunk in buffer.entries(client, key, "-", last.decode()):
        for entry in chunk:
            body = msgspec.msgpack.encode(_Entry(entry.id, list(entry.fields)))
            yield len(body).to_bytes(_LENGTH, "big") + body


def refuse_used(client: redis.Redis) -> None:
    """See that a Redis holds nothing of the pipeline.

    Raises:
        FirehoseError: it does.
    """
    if found := [key for key in KEYS if client.exists(key)]:
        raise FirehoseError(f"Redis holds {found[0]} already: a restore needs one without data of the pipeline")


def empty(client: redis.Redis) -> None:
    """Remove what an unfinished restore has put into Redis."""
    client.unlink(*KEYS)


def load(client: redis.Redis, backup: Backup, group: Group) -> int:
    """Put a copy into a Redis that is empty, the cursor last; returns the number of entries.

    Raises:
        CorruptBackup: the copy is damaged.
    """
    files = {file.key: file for file in backup.files(group)}
    state = msgspec.msgpack.decode(b"".join(backup.objects.read(files[_STATE])), type=State)
    count = sum(_load_stream(client, backup, files[key]) for key in _STREAMS)
    if state.heartbeats:
        client.zadd(wire.HEARTBEATS_KEY, dict(state.heartbeats))
    for key in reversed(_HASHES):
        if fields := state.hashes[key]:
            client.hset(key, mapping=dict(fields))
    return count


def _load_stream(client: redis.Redis, backup: Backup, file: File) -> int:
    count = 0
    with backup.objects.stream(file) as stream:
        for chunk in _chunks(_decoded(cast(BinaryIO, stream), file.key)):
            pipeline = client.pipeline(transaction=False)
            for entry in chunk:
                # By the command itself: a field may be there twice in an entry of another program.
                pipeline.execute_command("XADD", file.key, entry.id, *entry.fields)  # type: ignore[no-untyped-call]
            pipeline.execute()
            count += len(chunk)
    return count


def _decoded(stream: BinaryIO, key: str) -> Iterator[_Entry]:
    while length := stream.read(_LENGTH):
        size = int.from_bytes(length, "big")
        if len(body := stream.read(size)) != size:
            raise CorruptBackup(f"{key}: the copy ends within an entry")
        yield msgspec.msgpack.decode(body, type=_Entry)


def _chunks(entries: Iterable[_Entry]) -> Iterator[list[_Entry]]:
    chunk: list[_Entry] = []
    for entry in entries:
        chunk.append(entry)
        if len(chunk) == _AT_A_TIME:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
