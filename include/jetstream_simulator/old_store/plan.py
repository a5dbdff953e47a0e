"""What an old store shall be like: how many records over how many days, what was lost, what is wrong in it.

Lives here: the plan, and what follows from it. Must not: events, files.
"""

from __future__ import annotations

from dataclasses import dataclass

from jetstream_simulator.generate import DEFAULT_START_US

DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Plan:
    """Options of a store. Shares are from 0 to 1; all chance comes of ``seed``."""

    records: int = 10_000  # events of the stream that the old system listened to
    days: int = 30
    seed: int = 0
    start_us: int = DEFAULT_START_US
    files: float = 0.1  # of the records as JSON files, one a record; the rest is in queues and Parquet files
    copies: float = 0.02  # in a second store as well
    gaps: float = 0.0  # lost at restarts: the first minutes of spans of time
    cleared: float = 0.0  # of JSON files, removed with the cache before they were exported
    likes_lost: bool = False  # no likes and follows in JSON files, as from April to December 2025
    altered: float = 0.0  # of posts outside queues, with another text than the stream's
    only_old: int = 0  # posts that the stream never had
    faults: int = 0  # files or rows of each kind of fault
    foreign: bool = False  # a file of an unknown shape in a store's folder
    wal: bool = False  # leave the last rows of each queue in a write-ahead log

    @property
    def rate(self) -> float:
        """Events a second of the stream, so that they fill the days."""
        return self.records * 1e6 / (self.days * DAY_US)

    def day(self, time_us: int) -> int:
        """The number of a time's day, from 0."""
        return (time_us - self.start_us) // DAY_US
