"""A day of what an import has read becomes a raw batch, as a drain makes one: files first, then the manifest.

Safe to repeat: a manifest names the parts that its batch took. Must not: read a store, decode lines.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import msgspec

from firehose.areas import Area
from firehose.batch import manifest as manifests
from firehose.batch.interval import Batch
from firehose.batch.lock import exclusive_per_batch
from firehose.batch.manifest import Manifest, QueueFile
from firehose.errors import CorruptLake, FirehoseError
from firehose.lake.ledger import entry_path, read_entry
from firehose.legacy.imports import parts
from firehose.legacy.imports.parts import Part, Spot
from firehose.records.registry import BY_QUEUE
from firehose.settings import Settings
from firehose.store import LakePath
from ingester.contract import wire

_MOST = 59


def days(lake: LakePath) -> dict[date, int]:
    """The days that parts have lines of, in order, and the bytes of these."""
    sizes: Counter[str] = Counter()
    for part in parts.parts(lake):
        for spot in part.spots:
            sizes[spot.day] += spot.size
    return {date.fromisoformat(day): sizes[day] for day in sorted(sizes)}


def batches(lake: LakePath, day: date) -> list[Batch]:
    """The batches of imports of a day, in order."""
    return [batch for batch in _names(day) if manifests.read(manifests.folder_of(lake, batch)) is not None]


def unpublished(lake: LakePath) -> tuple[list[date], list[date]]:
    """The days that parts have lines of, and those of them of which something is not published yet."""
    read = [(part.name, spot.day) for part in parts.parts(lake) for spot in part.spots]
    found, left = list(days(lake)), []
    for day in found:
        made = batches(lake, day)
        taken = {name for batch in made for name in _parts_of(lake, batch)}
        whole = all(name in taken for name, of_day in read if of_day == str(day))
        if not whole or any(read_entry(entry_path(lake, batch)) is None for batch in made):
            left.append(day)
    return found, left


def collect(settings: Settings, day: date) -> list[Batch]:
    """Make a batch of what parts have of a day and no batch has; returns all batches of imports of the day."""
    lake = settings.lake_path
    with (lock_of(lake)).lock():
        made = batches(lake, day)
        taken = {name for batch in made for name in _parts_of(lake, batch)}
        left = [part for part in parts.parts(lake) if part.name not in taken]
        left = [part for part in left if any(spot.day == str(day) for spot in part.spots)]
        if left:
            if len(made) == _MOST:
                raise FirehoseError(f"{day}: there are {_MOST} batches of imports of this day already")
            batch = next(batch for batch in _names(day) if batch not in made)
            _write(settings, batch, left)
            made.append(batch)
    return made


@exclusive_per_batch
def write_again(settings: Settings, batch: Batch) -> None:
    """Write the raw files of a batch that have expired: the parts have the same bytes. Else nothing is done.

    Where a part is gone, the manifest goes on to say that they have expired.

    Raises:
        CorruptLake: the parts do not have these bytes any more.
    """
    lake = settings.lake_path
    folder = manifests.folder_of(lake, batch)
    manifest, names = manifests.read(folder), _parts_of(lake, batch)
    of = [part for part in parts.parts(lake) if part.name in names]
    if manifest is None or manifest.expired is None or len(of) < len(names):
        return
    queues = {queue: _queue(lake, folder, queue, _spots(batch, queue, of)) for queue in manifest.queues}
    for queue, made in queues.items():
        if made.sha256 != manifest.queues[queue].sha256:
            (folder / made.name).discard()
            raise CorruptLake(
                f"{folder / made.name}: the parts in {Area.IMPORTS.of(lake)} do not give what the manifest says; "
                "restore them from a backup"
            )
    manifests.write(folder, msgspec.structs.replace(manifest, queues=queues, expired=None))


def lock_of(lake: LakePath) -> LakePath:
    """The lock of whoever makes batches of parts."""
    return Area.LOCKS.of(lake) / "imports-collect.lock"


def _names(day: date) -> Iterator[Batch]:
    start = datetime.combine(day, time(), UTC)
    for second in range(1, _MOST + 1):
        yield Batch.of(start + timedelta(seconds=second), start + timedelta(days=1))


def _parts_of(lake: LakePath, batch: Batch) -> set[str]:
    manifest = manifests.read(manifests.folder_of(lake, batch))
    return {first for queue in manifest.queues.values() for first, _ in queue.ranges} if manifest else set()


@exclusive_per_batch
def _write(settings: Settings, batch: Batch, of: list[Part]) -> None:
    folder = manifests.folder_of(settings.lake_path, batch)
    queues = {}
    for queue in BY_QUEUE:
        if spots := _spots(batch, queue, of):
            queues[queue] = _queue(settings.lake_path, folder, queue, spots)
    manifests.write(
        folder,
        Manifest(
            batch=batch.id,
            start=batch.start,
            end=batch.end,
            created_at=datetime.now(UTC),
            cursor=0,
            host="",
            protocol=wire.IMPORT,
            time_us=0,
            minutes_heard=0,
            queues=queues,
            first_start_ms=manifests.first_start_ms(settings.lake_path),
        ),
    )


def _spots(batch: Batch, queue: str, of: list[Part]) -> list[tuple[Part, Spot]]:
    day = f"{batch.start:%Y-%m-%d}"
    return [(part, spot) for part in of for spot in part.spots if (spot.day, spot.queue) == (day, queue)]


def _queue(lake: LakePath, folder: LakePath, queue: str, spots: list[tuple[Part, Spot]]) -> QueueFile:
    path = folder / f"{queue}.jsonl.zst"
    digest, size = hashlib.sha256(), 0
    with path.replacing() as draft, draft.open("wb") as out:
        for part, spot in spots:
            with parts.frames_path(lake, part.name).reading() as stream:
                stream.seek(spot.start)
                frame = stream.read(spot.end - spot.start)
            out.write(frame)
            digest.update(frame)
            size += len(frame)
    names = dict.fromkeys(part.name for part, _ in spots)
    return QueueFile(
        name=path.name,
        frames=len(spots),
        events=sum(spot.events for _, spot in spots),
        size=size,
        sha256=digest.hexdigest(),
        ranges=[(name, name) for name in names],
        first_us=min(spot.first_us for _, spot in spots),
        last_us=max(spot.last_us for _, spot in spots),
        index=[(spot.end - spot.start, spot.size) for _, spot in spots],
    )
