"""The coverage ledger: what was learnt of gaps, one JSON file of records a batch. A gap is never silent.

``_coverage/date=YYYY-MM-DD/batch=<id>.json``, a list of :class:`ingester.contract.gap.Gap`; there is none where
nothing was learnt. Must not: say which records count (gaps.py does).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final

import msgspec
import redis

from firehose import crash
from firehose.areas import Area, F
from firehose.batch import buffer
from firehose.batch.ahead import AHEAD_MS
from firehose.batch.buffer import Connect
from firehose.batch.foreign import gap_of
from firehose.batch.gaps import BY_ARCHIVE, lines, open_gaps, resolve
from firehose.batch.interval import Batch
from firehose.errors import CorruptLake
from firehose.settings import Settings
from firehose.store import LakePath
from ingester.contract import wire
from ingester.contract.gap import Gap, Reason, encoded_list
from ingester.contract.logs import get_logger

log = get_logger(__name__)

_READ_ENTRIES: Final = 500


def records_path(lake: F, batch: Batch) -> F:
    """Where a batch's records lie."""
    return Area.COVERAGE.of(lake) / f"date={batch.start:%Y-%m-%d}" / f"batch={batch.id}.json"


def read_records(path: LakePath) -> list[Gap]:
    """The records in a file; none where there is no file.

    Raises:
        CorruptLake: the file is not a list of records.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Gap])
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CorruptLake.unreadable(path, error) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CorruptLake(f"{path}: no list of gaps ({error}); restore it from a backup") from error


def read_gaps(lake: LakePath) -> list[Gap]:
    """Every gap that the lake knows of, as its latest record has it, in the order of time.

    Raises:
        CorruptLake: a file of the coverage ledger cannot be read.
        LakeOutdated: the lake has the folder names of an earlier version.
    """
    return resolve(_records(lake))


def known_gaps(settings: Settings, connect: Connect = buffer.client, since: date | None = None) -> list[Gap]:
    """Every gap that the lake or Redis knows of: what no drain has taken to the lake yet counts as well.

    ``since``: only records in batches from that day on are read, so that it costs no more as the lake grows. A
    gap whose first record is older has its latest one all the same, if that is not.

    Raises:
        ServiceUnavailable: Redis does not answer.
        CorruptLake: a file of the coverage ledger cannot be read.
        LakeOutdated: the lake has the folder names of an earlier version.
    """
    with buffer.connected(settings, connect) as client:  # first: what a drain takes from there is in the lake then
        waiting = [gap for _, gap in _waiting(client, "-", "+")]
    return resolve([*waiting, *_records(settings.lake_path, since)])


def recent_gaps(lake: LakePath, since: date) -> list[Gap]:
    """As :func:`read_gaps`, by the records in batches from a day on.

    Raises:
        CorruptLake: a file of the coverage ledger cannot be read.
    """
    return resolve(_records(lake, since))


def damaged(lake: LakePath) -> Iterator[str]:
    """A line for each file of the coverage ledger that cannot be read."""
    for path in _paths(lake):
        try:
            read_records(path)
        except CorruptLake as error:
            yield str(error)


def _paths(lake: LakePath, since: date | None = None) -> list[LakePath]:
    area = Area.COVERAGE.of(lake)
    if since is None:
        return area.find("date=*/batch=*.json")
    days = [day for day in area.folders("date=*") if day.name >= f"date={since}"]
    return [path for day in days for path in day.find("batch=*.json")]


def _records(lake: LakePath, since: date | None = None) -> list[Gap]:
    lake.require_current()
    return [record for path in _paths(lake, since) for record in read_records(path)]


def gaps_of(settings: Settings, batch: Batch, connect: Connect = buffer.client) -> list[Gap]:
    """The open gaps of which this batch has a record; each is logged. What is known by now counts, wherever it is.

    Raises:
        ServiceUnavailable: Redis does not answer.
        CorruptLake: a file of the coverage ledger cannot be read.
        LakeOutdated: the lake has the folder names of an earlier version.
    """
    if not (ids := {record.id for record in read_records(records_path(settings.lake_path, batch))}):
        return []
    found = [gap for gap in open_gaps(known_gaps(settings, connect)) if gap.id in ids]
    for line in lines(found):
        log.warning("gap in coverage", batch=batch.id, gap=line)
    return found


def take(client: redis.Redis, lake: LakePath, batch: Batch) -> list[Gap]:
    """Copy every record from before the batch's end out of Redis, durably, and return all that the file has now.

    Records of earlier intervals come along, whichever drain was to take them: a record names its own time, and one
    that is in two files counts once. What an earlier attempt had copied stays: Redis may have lost it since.

    That an archive filled a gap is taken once every frame from before that record has left Redis, and so is in a
    batch: once the lake says that a gap is filled, its events are never fetched again.
    """
    waiting = _for_batch(client, batch)
    return _add(lake, batch, [gap for at, gap in waiting if gap.filled != BY_ARCHIVE or _is_oldest(client, at)])


def _is_oldest(client: redis.Redis, entry_id: bytes) -> bool:
    """Tell whether no queue has a frame from before this record."""
    before = "(" + entry_id.decode()
    return not any(client.xrange(wire.stream_key(queue), "-", before, count=1) for queue in wire.QUEUES)


def forget(client: redis.Redis, lake: LakePath, batch: Batch) -> None:
    """Delete from Redis the records that the batch's file holds, and no others."""
    if kept := set(read_records(records_path(lake, batch))):
        ids = [entry_id for entry_id, gap in _for_batch(client, batch) if gap in kept]
        for offset in range(0, len(ids), _READ_ENTRIES):
            client.xdel(wire.COVERAGE_KEY, *ids[offset : offset + _READ_ENTRIES])
            crash.reached(crash.Point.DELETED_SOME)


def record_silence(lake: LakePath, batch: Batch) -> None:
    """Record, durably, that nothing listened in a batch's interval. Recording it again changes nothing."""
    gap_id = f"{Reason.NOT_LISTENING}/{batch.id}"
    if all(record.id != gap_id for record in read_records(records_path(lake, batch))):
        gap = Gap(
            id=gap_id,
            reason=Reason.NOT_LISTENING,
            from_us=batch.start_ms * 1000,
            to_us=batch.end_ms * 1000,
            noted_us=time.time_ns() // 1000,
        )
        _add(lake, batch, [gap])


def _for_batch(client: redis.Redis, batch: Batch) -> Iterator[tuple[bytes, Gap]]:
    """Those that a batch takes: from before its end, and those whose ids are too far ahead for any batch."""
    yield from _waiting(client, "-", str(batch.end_ms - 1))
    yield from _waiting(client, str(buffer.redis_ms(client) + AHEAD_MS), "+")


def _waiting(client: redis.Redis, low: str, high: str) -> Iterator[tuple[bytes, Gap]]:
    """The records in Redis from the id ``low`` to ``high``, with their ids."""
    for chunk in buffer.entries(client, wire.COVERAGE_KEY, low, high):
        for entry in chunk:
            if gap := gap_of(entry):
                yield entry.id, gap
            else:  # the next drain sets it aside
                log.error("entry is not a record of a gap", key=wire.COVERAGE_KEY, entry=entry.id.decode())


def _add(lake: LakePath, batch: Batch, records: Iterable[Gap]) -> list[Gap]:
    path = records_path(lake, batch)
    known = {*read_records(path), *records}
    ordered = sorted(known, key=lambda gap: (gap.noted_us, gap.id, msgspec.json.encode(gap)))
    # Written also where nothing is new: what an earlier attempt left may not be on the disk under its name.
    if ordered:
        path.write(msgspec.json.format(encoded_list(ordered)))
    return ordered
