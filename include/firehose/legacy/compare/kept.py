"""Where the results of comparisons lie in the lake, by old store and day, with the files that were compared.

``_quality/legacy/<store>/date=YYYY-MM-DD/``: ``files.parquet``, the register, then ``result.json`` and
``index.html``. The result names the register's digest, so that no result stands for another's files. Must not:
decide what passes, know an old format.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from firehose import crash
from firehose.areas import Area
from firehose.errors import CorruptLake
from firehose.legacy.compare.outcome import DayResult
from firehose.store import L, LakePath

_REGISTER: Final = pa.schema(
    [
        ("path", pa.string()),
        ("size", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("sha256", pa.string()),
        ("days", pa.list_(pa.string())),
        ("records", pa.int64()),
        ("refused", pa.int64()),
        ("imported", pa.bool_()),
    ]
)
_ROWS: Final = 10_000


class ComparedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it was when it was compared. ``imported``: the lake's imports have every record of it."""

    path: str
    size: int
    mtime_ns: int
    sha256: str
    days: list[str]
    records: int
    refused: int
    imported: bool


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A result, and the digest of its register."""

    result: DayResult
    register: str


def folder(lake: L, root: Path) -> L:
    """The folder of an old store's results."""
    return Area.QUALITY.of(lake) / "legacy" / hashlib.sha256(bytes(root.resolve())).hexdigest()[:16]


def write(lake: LakePath, root: Path, result: DayResult, files: Iterable[ComparedFile], page: str) -> None:
    """Keep a day's result. Killed before its end, the day has the result that it had, or none."""
    place = folder(lake, root) / f"date={result.day}"
    register = place / "files.parquet"
    with register.replacing() as part, pq.ParquetWriter(part, _REGISTER, compression="zstd") as writer:
        for rows in _chunks(files):
            writer.write_table(pa.Table.from_pylist([msgspec.structs.asdict(row) for row in rows], _REGISTER))
    crash.reached(crash.Point.COMPARED)
    kept = Kept(result=result, register=register.sha256())
    (place / "result.json").write(msgspec.json.format(msgspec.json.encode(kept)))
    (place / "index.html").write(page.encode())


def read(lake: LakePath, root: Path, day: date) -> DayResult | None:
    """The result of a day; None: it was never compared, or another comparison of it was killed half way.

    Raises:
        CorruptLake: it cannot be read.
    """
    return _read(folder(lake, root) / f"date={day}")


def _read(place: LakePath) -> DayResult | None:
    path = place / "result.json"
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=Kept)
        return kept.result if kept.register == path.with_name("files.parquet").sha256() else None
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise CorruptLake(f"{path}: not a comparison ({error}); compare the day again") from error


def newest(lake: LakePath) -> list[DayResult]:
    """The newest result of each old store that was compared.

    Raises:
        CorruptLake: one cannot be read.
    """
    made = (Area.QUALITY.of(lake) / "legacy").folders("*")
    of_days = (sorted(place.folders("date=*"), key=lambda path: path.name, reverse=True) for place in made)
    found = (next(filter(None, map(_read, places)), None) for places in of_days)
    return [result for result in found if result]


def days(lake: LakePath, root: Path) -> list[date]:
    """The days of an old store that were compared."""
    found = folder(lake, root).folders("date=*")
    return [date.fromisoformat(path.name.removeprefix("date=")) for path in found]


def files(lake: LakePath, root: Path, day: date) -> Iterator[ComparedFile]:
    """The files that have a record of a day, as they were compared."""
    with (folder(lake, root) / f"date={day}" / "files.parquet").reading_by_arrow() as stream:
        for part in pq.ParquetFile(stream).iter_batches(_ROWS):
            yield from (msgspec.convert(row, ComparedFile) for row in part.to_pylist())


def _chunks(files: Iterable[ComparedFile]) -> Iterator[list[ComparedFile]]:
    waiting: list[ComparedFile] = []
    for each in files:
        waiting.append(each)
        if len(waiting) == _ROWS:
            yield waiting
            waiting = []
    yield waiting
