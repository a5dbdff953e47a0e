"""Days whose hour files are all in closed form: closing passes them by, without a look at each record.

``_hours/closed.json`` has, for each such day, a digest of its records (:mod:`firehose.lake.listed`). Whatever
writes an hour file writes its record, and then the day is looked at again. Losing it costs a look at every day.
Must not: decide what can be closed.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import msgspec

from firehose.areas import Area
from firehose.lake.closed_form import CLOSED
from firehose.store import LakePath

_NAME: Final = "closed.json"


class _Settled(msgspec.Struct, frozen=True):
    form: str
    days: dict[str, str]


def read(lake: LakePath) -> dict[date, str]:
    """The days that are known to be closed, with the digests that they had then."""
    try:
        settled = msgspec.json.decode((Area.HOURS.of(lake) / _NAME).read_bytes(), type=_Settled)
    except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
        return {}  # every day is looked at, and this is written again
    days = settled.days if settled.form == CLOSED else {}
    return {date.fromisoformat(day): digest for day, digest in days.items()}


def write(lake: LakePath, days: dict[date, str]) -> None:
    """These, and no others, are closed."""
    settled = _Settled(CLOSED, {day.isoformat(): digest for day, digest in sorted(days.items())})
    (Area.HOURS.of(lake) / _NAME).write(msgspec.json.encode(settled))
