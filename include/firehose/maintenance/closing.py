"""Closes hours one by one, until a time is over. Must not: know what closing is (:mod:`firehose.lake.closing`)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from firehose.errors import CorruptLake
from firehose.lake.closing import closable, close
from firehose.maintenance.plan import Chosen
from firehose.store import LakePath


class Outcome(NamedTuple):
    """The bytes that closing a file has saved, or why it could not be closed."""

    saved: int
    problem: str


def candidates(lake: LakePath, now: datetime, quiet: timedelta) -> Iterator[Chosen]:
    """The hour files that can be closed, in the order of time."""
    for file in closable(lake, now, quiet):
        yield Chosen(file, file.path(lake).size())


def closed(lake: LakePath, hours: Sequence[Chosen], seconds: float) -> Iterator[Outcome]:
    """Close these, until the time is over: the one at hand is ended."""
    until = time.monotonic() + seconds
    for one in hours:
        if time.monotonic() >= until:
            return
        try:
            done = close(lake, one.file)
            yield Outcome(done.before - done.bytes, "")
        except CorruptLake as error:
            yield Outcome(0, str(error))
