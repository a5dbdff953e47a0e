"""What the tests of a drain under power loss share: frames in Redis, the step, and what is found in the lake.

Lives here: helpers. Must not: say what is right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

import redis

from firehose.batch import manifest as manifests
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.batch.raw import read_chunks
from firehose.settings import Settings
from ingester.contract.crash import Point
from tests.fault.power.journal import Deleted, Event, Returned
from tests.support.frames import add_frames

#: The crash points that a drain reaches only if Redis holds something foreign.
OF_FOREIGN: Final = (Point.MOVED_ASIDE, Point.FOREIGN_SYNCED, Point.FOREIGN_RENAMED)


def lines_of(queue: str, count: int) -> list[bytes]:
    """``count`` events of a queue, all different."""
    return [b'{"%s":%d}' % (queue.encode(), number) for number in range(count)]


def put_frames(client: redis.Redis, batch: Batch, queue: str, count: int) -> None:
    """Put frames of one event each into a queue, within the batch's interval."""
    add_frames(client, queue, lines_of(queue, count), batch, events=1)


def step(batch: Batch) -> Callable[[Settings], object]:
    """The drain of a batch."""
    return lambda settings: drain(settings, batch)


def deletes(event: Event) -> bool:
    """Whether Redis has just lost something, or the step is through: the disk must have it all by now."""
    return isinstance(event, Deleted | Returned)


def copied(settings: Settings, batch: Batch) -> Counter[bytes]:
    """The events of the batch's files."""
    folder = manifests.folder_of(settings.local_lake, batch)
    paths = sorted(folder.glob("*.zst"))
    return Counter(line for path in paths for lines in read_chunks(path, 500) for line in lines)
