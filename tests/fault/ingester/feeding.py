"""A source whose events are of now: their times are what gaps are made of.

Lives here: helpers. Must not: tests.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from tests.support.ingester import event as numbered


@contextmanager
def fed(sent: list[bytes]) -> Iterator[None]:
    """In the block the source has another event each 20 ms."""
    stop = threading.Event()

    def feed() -> None:
        for number in itertools.count():
            original = numbered(number)
            sent.append(original.replace(b"1700000000%06d" % (number * 1000), b"%d" % (time.time_ns() // 1000)))
            if stop.wait(0.02):
                return

    feeding = threading.Thread(target=feed)
    feeding.start()
    try:
        yield
    finally:
        stop.set()
        feeding.join()


def utc(moment: float) -> datetime:
    """A moment, in whole seconds."""
    return datetime.fromtimestamp(int(moment), UTC)
