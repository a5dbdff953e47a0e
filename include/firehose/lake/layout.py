"""Where things lie in the lake: ``year=/month=/day=/hour=/<type>.parquet``, by witnessed time in UTC. No I/O."""

from __future__ import annotations

from datetime import UTC, datetime

from firehose.areas import F
from firehose.quality.result import HOUR_US
from firehose.store import L, LakePath

__all__ = ["HOUR_US", "hour_file", "hour_files", "hour_name", "hour_of_file", "parse_hour"]

_HOUR_FORMAT = "%Y-%m-%dT%H"


def hour_name(hour: int) -> str:
    """``2026-11-23T20`` for hours since the epoch."""
    return datetime.fromtimestamp(hour * 3600, UTC).strftime(_HOUR_FORMAT)


def parse_hour(name: str) -> int:
    """The inverse of :func:`hour_name`."""
    return int(datetime.strptime(name, _HOUR_FORMAT).replace(tzinfo=UTC).timestamp()) // 3600


def hour_file(lake: F, record_type: str, hour: int) -> F:
    """The file of one type and hour."""
    start = datetime.fromtimestamp(hour * 3600, UTC)
    return lake / f"{start:year=%Y/month=%m/day=%d/hour=%H}" / f"{record_type}.parquet"


def hour_of_file(path: LakePath) -> int:
    """Hours since the epoch of an hour file's folder.

    Raises:
        ValueError: the path has no such folders.
    """
    parts = dict(part.split("=", 1) for part in path.parts[-5:-1] if "=" in part)
    try:
        start = datetime(*(int(parts[key]) for key in ("year", "month", "day", "hour")), tzinfo=UTC)  # type: ignore[arg-type, misc]  # four ints
    except KeyError as error:
        raise ValueError(f"{path}: no {error} folder") from None
    return int(start.timestamp()) // 3600


def hour_files(lake: L, record_type: str) -> list[L]:
    """Every hour file of a type, in the order of time."""
    return lake.find(f"year=*/month=*/day=*/hour=*/{record_type}.parquet")
