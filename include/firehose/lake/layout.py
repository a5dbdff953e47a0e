"""Where things lie in the lake: ``year=/month=/day=/hour=/<type>.parquet``, by witnessed time in UTC. No I/O.

An hour of a type may be by user instead: ``<type>/user_did=<did>/<type>.parquet`` for each of some accounts, and
``<type>/user_did=other/<type>.parquet`` for all others. Which it is says :mod:`firehose.lake.users`.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from firehose.areas import F
from firehose.quality.result import HOUR_US as HOUR_US
from firehose.records.registry import REGISTRY
from firehose.store import L, LakePath

#: So many folders of hours are kept by name: those of a year.
HOURS_KEPT: Final = 9000
_HOUR_FORMAT = "%Y-%m-%dT%H"
#: The ``user`` of the one file of an hour that is flat, and of the file of all other accounts in one that is not.
FLAT: Final = ""
OTHERS: Final = "other"
_USER_FOLDER: Final = "user_did="
# What every storage and every reader takes as the name of a folder.
_IN_A_PATH: Final = re.compile(r"did:[a-z]+:[A-Za-z0-9._:-]{1,200}")


class HourFile(NamedTuple):
    """A file of an hour, by hours since the epoch, type and ``user``. They are in the order of time."""

    hour: int
    record_type: str
    user: str = FLAT

    def __str__(self) -> str:
        """``2026-11-23T20 likes``, and the user."""
        return f"{hour_name(self.hour)} {self.record_type} {self.user}".rstrip()

    @classmethod
    def parse(cls, name: str) -> HourFile:
        """The inverse of ``str``."""
        hour, record_type, *user = name.split(" ")
        return cls(parse_hour(hour), record_type, *user)

    @property
    def of(self) -> tuple[int, str]:
        """The hour and the type, whatever its layout."""
        return self.hour, self.record_type

    @property
    def day(self) -> date:
        """The day that it lies in, in UTC."""
        return datetime.fromtimestamp(self.hour * 3600, UTC).date()

    def path(self, lake: F) -> F:
        """Where it lies."""
        return hour_file(lake, self.record_type, self.hour, self.user)


def hour_name(hour: int) -> str:
    """``2026-11-23T20`` for hours since the epoch."""
    return datetime.fromtimestamp(hour * 3600, UTC).strftime(_HOUR_FORMAT)


def parse_hour(name: str) -> int:
    """The inverse of :func:`hour_name`."""
    return int(datetime.strptime(name, _HOUR_FORMAT).replace(tzinfo=UTC).timestamp()) // 3600


def hour_file(lake: F, record_type: str, hour: int, user: str = FLAT) -> F:
    """The file of one type and hour; ``user``: of an hour that is by user."""
    return lake / f"{_folder(hour)}/{within_hour(record_type, user)}.parquet"


def within_hour(record_type: str, user: str) -> str:
    """The key of a file within its hour's folder, without suffix."""
    return f"{record_type}/{_USER_FOLDER}{user}/{record_type}" if user else record_type


def user_of_folder(path: LakePath) -> str:
    """The user that a file is of, by the folder that it lies in."""
    folder = path.parent.name
    return folder.removeprefix(_USER_FOLDER) if folder.startswith(_USER_FOLDER) else FLAT


def file_of(path: LakePath) -> HourFile:
    """The hour file with this path.

    Raises:
        ValueError: the path has no folders of an hour.
    """
    user = user_of_folder(path)
    folders = path.parts[-7:-3] if user else path.parts[-5:-1]
    try:
        return HourFile(_hour_of(tuple(folders)), path.stem, user)
    except KeyError as error:
        raise ValueError(f"{path}: no {error} folder") from None


@lru_cache(HOURS_KEPT)
def _hour_of(folders: tuple[str, ...]) -> int:
    """The hour that folders of these names are of, the inverse of :func:`_folder`."""
    parts = dict(part.split("=", 1) for part in folders if "=" in part)
    year, month, day, hour = (int(parts[key]) for key in ("year", "month", "day", "hour"))
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp()) // 3600


def hour_of_file(path: LakePath) -> int:
    """Hours since the epoch of an hour file. Raises as :func:`file_of`."""
    return file_of(path).hour


def lake_of(hour_file: L) -> L:
    """The lake that an hour file lies in."""
    return hour_file.parents[6 if user_of_folder(hour_file) else 4]


def hour_files(lake: L, record_type: str, hour: int | None = None) -> list[L]:
    """Every hour file of a type, or those of one hour, in the order of time."""
    folder = "year=*/month=*/day=*/hour=*" if hour is None else _folder(hour)
    found = lake.find(f"{folder}/{record_type}.parquet")
    if REGISTRY[record_type].by_user:
        found += lake.find(f"{folder}/{within_hour(record_type, '*')}.parquet")
    return sorted(found, key=file_of)


@lru_cache(HOURS_KEPT)
def _folder(hour: int) -> str:
    return f"{datetime.fromtimestamp(hour * 3600, UTC):year=%Y/month=%m/day=%d/hour=%H}"


def fits_a_path(did: str) -> bool:
    """Tell whether an account may have a folder of its own."""
    return _IN_A_PATH.fullmatch(did) is not None
