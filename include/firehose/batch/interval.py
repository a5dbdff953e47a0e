"""A batch: one half-open interval of the Redis clock, named by its start. Pure values, no I/O."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from firehose.areas import Area, F

_ID_FORMAT = "%Y%m%dT%H%M%SZ"

#: Of a day that an import has brought: a second after midnight at which no interval of Redis' clock begins.
IMPORT_SECONDS: Final = range(1, 60)
_IMPORT: Final = re.compile(r"\d{8}T0000(?:0[1-9]|[1-5]\d)Z")


def is_import(batch_id: str) -> bool:
    """Whether a batch is a day of what an earlier system kept, and so nothing that was listened to live."""
    return _IMPORT.fullmatch(batch_id) is not None


class Batch(msgspec.Struct, frozen=True):
    """The entries whose Redis id lies in [start, end). Both in UTC, whole seconds."""

    start: datetime
    end: datetime

    @classmethod
    def of(cls, start: datetime, end: datetime) -> Batch:
        """A batch from two aware datetimes.

        Raises:
            ValueError: naive times, an empty interval, or fractions of a second.
        """
        if start.tzinfo is None or end.tzinfo is None:
            raise ValueError(f"a batch needs times with a zone, got {start} and {end}")
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        if end <= start or start.microsecond or end.microsecond:
            raise ValueError(f"a batch needs a positive interval in whole seconds, got {start} to {end}")
        # Airflow hands over its own datetime subclass; plain ones compare and serialise alike everywhere.
        return cls(_plain(start), _plain(end))

    @classmethod
    def parse(cls, batch_id: str, seconds: int) -> Batch:
        """The batch of an id such as ``20261123T204000Z`` and a length in seconds."""
        start = datetime.strptime(batch_id, _ID_FORMAT).replace(tzinfo=UTC)
        return cls(start, start + timedelta(seconds=seconds))

    @property
    def id(self) -> str:
        """``20261123T204000Z``: the start, sortable, the same at every rerun."""
        return self.start.strftime(_ID_FORMAT)

    @property
    def start_ms(self) -> int:
        """Start in milliseconds since the epoch, as in Redis entry ids."""
        return int(self.start.timestamp()) * 1000

    @property
    def end_ms(self) -> int:
        """End (exclusive) in milliseconds since the epoch."""
        return int(self.end.timestamp()) * 1000

    def folder(self, lake: F, area: Area) -> F:
        """This batch's folder in an area of the lake: ``<lake>/<area>/date=…/batch=…``."""
        return area.of(lake) / f"date={self.start:%Y-%m-%d}" / f"batch={self.id}"


def _plain(moment: datetime) -> datetime:
    return datetime.fromtimestamp(moment.timestamp(), UTC)
