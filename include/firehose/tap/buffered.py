"""Events as the ingester writes them to Redis: read only, nothing is taken or marked as read.

Must not: write, or wait for anything but more entries.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

import zstandard

from firehose.batch import buffer
from firehose.batch.frame import Entry, frame_of
from firehose.records.registry import REGISTRY
from firehose.schema import EVENT_TYPES
from firehose.settings import Settings
from firehose.tap.events import Seen, Unreadable, read_line
from firehose.tap.wanted import Wanted
from ingester.contract import wire

#: How often Redis is asked for more.
_LOOK_S: Final = 0.3


def messages(settings: Settings, wanted: Wanted, sleep: Callable[[float], None] = time.sleep) -> Iterator[Seen]:
    """The events that the ingester writes from now on, without end, and that are wanted.

    A frame that a batch takes between two looks is not seen: a look every third of a second misses none, since a
    batch takes what is older than its interval.

    Raises:
        ServiceUnavailable: Redis does not answer, or refuses.
    """
    types = wanted.types or EVENT_TYPES
    queues = [queue for queue in wire.QUEUES if queue in {REGISTRY[name].queue for name in types}]
    with buffer.connected(settings) as client:
        after = dict.fromkeys(queues, b"%d-0" % buffer.redis_ms(client))
        while True:
            for queue in queues:
                for entries in buffer.frames(client, queue, "(" + after[queue].decode(), "+"):
                    for entry in entries:
                        after[queue] = entry.id
                        yield from _events(queue, entry, wanted)
            sleep(_LOOK_S)


def _events(queue: str, entry: Entry, wanted: Wanted) -> Iterator[Seen]:
    """The wanted events of one frame; none of what is not a frame, which the next drain sets aside."""
    if (frame := frame_of(queue, entry)).foreign:
        return
    with zstandard.ZstdDecompressor().stream_reader(frame.content, read_across_frames=True) as stream:
        lines = stream.read()  # bounded: frame_of has counted it
    for line in filter(None, lines.split(b"\n")):
        try:
            event = read_line(line)
        except Unreadable:
            continue
        if wanted.has(event):
            yield event
