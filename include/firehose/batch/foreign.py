"""Foreign keys and entries in Redis: moved out of the pipeline's way, and kept with their bytes.

A key of a foreign type is renamed to ``<key>:misplaced`` in one step, so that the ingester can write again; then
its content goes to ``_quarantine/redis/`` in the lake, and only then it is deleted. So do entries of the
stream of gaps that are not records of gaps. Foreign entries of the queues' streams are the drain's: they belong to
a batch. Must not: read frames."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

import msgspec
import redis

from firehose import crash, observed
from firehose.areas import Area
from firehose.batch import buffer, tally
from firehose.batch.frame import Entry, as_command
from firehose.batch.lock import locks_folder
from firehose.batch.scripts import script
from firehose.errors import ServiceUnavailable
from firehose.store import LakePath
from ingester.contract import wire
from ingester.contract.gap import Gap
from ingester.contract.logs import get_logger

log = get_logger(__name__)

Tell = Callable[[str], object]

_STREAMS: Final = (*map(wire.stream_key, wire.QUEUES), wire.COVERAGE_KEY)
_TYPES: Final = {
    wire.METADATA_KEY: "hash",
    wire.HEARTBEATS_KEY: "zset",
    buffer.BACKFILL_KEY: "hash",
    buffer.BACKFILL_BYTES_KEY: "hash",
    tally.KEY: "hash",
    **dict.fromkeys(_STREAMS, "stream"),
}
_ASIDE: Final = ":misplaced"
#: A larger key is moved out of the way, and left in Redis: a task must fit in memory.
_MOST_BYTES: Final = 256 * 1024 * 1024

_MOVE: Final = script("move_aside")


def log_it(said: str) -> None:
    """Tell of foreign data in the log only."""
    log.error("foreign data in Redis", found=said)


def set_aside(client: redis.Redis, lake: LakePath, tell: Tell) -> None:
    """Make room for the ingester, and keep what was in its way. Safe to repeat at any point.

    ``tell`` gets one line for all that was found, before it is deleted from Redis.

    Raises:
        ServiceUnavailable: a key cannot be moved, because what was moved before is still there.
    """
    with (locks_folder(lake) / "foreign.lock").lock():
        # What was moved by a drain that died may be in the way of what is there now.
        blocked = _set_aside(client, lake, tell) and _set_aside(client, lake, tell)
    if blocked:
        raise ServiceUnavailable(
            f"Redis keys {', '.join(blocked)} are of a foreign type, and {blocked[0]}{_ASIDE} is taken, so they "
            "cannot be moved out of the way; save what is there and delete it (see docs/operations.md)"
        )


def _set_aside(client: redis.Redis, lake: LakePath, tell: Tell) -> list[str]:
    """Move, keep, tell, delete. Returns the keys that cannot be moved."""
    said, blocked = _move(client)
    crash.reached(crash.Point.MOVED_ASIDE)
    moved = {key: path for key in _TYPES if (path := _keep_moved(client, lake, key))}
    records = {} if blocked else dict(_keep_records(client, lake))
    said += [f"what was in Redis key {key} is kept in {path}" for key, path in moved.items()]
    for path, ids in records.items():
        said.append(f"{len(ids)} entries of {wire.COVERAGE_KEY} are not gaps, and kept in {path}")
    if said:
        tell("; ".join(said))
    tally.add(client, observed.FOREIGN_KEYS, by=len(moved) + sum(map(len, records.values())))
    for key in moved:
        client.unlink(key + _ASIDE)
    for ids in records.values():
        client.xdel(wire.COVERAGE_KEY, *ids)
    return blocked


def _move(client: redis.Redis) -> tuple[list[str], list[str]]:
    """Rename what is of a foreign type. Returns what to say of it, and the keys that cannot be."""
    said, blocked = [], []
    keys = [name for key in _TYPES for name in (key, key + _ASIDE)]
    for words in cast(list[Any], client.register_script(_MOVE)(keys, [*_TYPES.values()])):
        key, found, wanted = (word.decode() for word in words[:3])
        if words[3]:
            blocked.append(key)
        else:
            said.append(f"Redis key {key} held a {found}, not a {wanted}, and was renamed to {key}{_ASIDE}")
    return said, blocked


def _keep_moved(client: redis.Redis, lake: LakePath, key: str) -> LakePath | None:
    """Keep the content of a key that was moved; None: there is none, or it is too large for this process."""
    if not client.exists(key + _ASIDE):
        return None
    if (size := int(client.memory_usage(key + _ASIDE) or 0)) > _MOST_BYTES:
        log.error("too large to be kept, so it is left in Redis", key=key + _ASIDE, bytes=size)
        return None
    content = client.dump(key + _ASIDE)
    return None if content is None else _keep(lake, key, as_command(b"RESTORE", key.encode(), b"0", content))


def _keep_records(client: redis.Redis, lake: LakePath) -> Iterator[tuple[LakePath, list[bytes]]]:
    """Keep the entries of the stream of gaps that are not records; where, and their ids."""
    key = wire.COVERAGE_KEY
    for chunk in buffer.entries(client, key, "-", "+"):
        if foreign := [entry for entry in chunk if gap_of(entry) is None]:
            commands = (as_command(b"XADD", key.encode(), entry.id, *entry.fields) for entry in foreign)
            yield _keep(lake, key, b"".join(commands)), [entry.id for entry in foreign]


def _keep(lake: LakePath, key: str, content: bytes) -> LakePath:
    """Keep bytes durably under a name that is their own, so that keeping them again changes nothing."""
    name = f"{key.replace(':', '-')}-{hashlib.sha256(content).hexdigest()[:16]}.resp"
    path = Area.QUARANTINE.of(lake) / "redis" / name
    path.write(content)
    return path


def gap_of(entry: Entry) -> Gap | None:
    """The record in an entry of the stream of gaps; None: it is not one."""
    if len(entry.fields) != 2 or entry.fields[0] != wire.FIELD_GAP:
        return None
    try:
        return msgspec.json.decode(entry.fields[1], type=Gap)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
