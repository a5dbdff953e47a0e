"""What goes together: a file of the JSON cache, a queue's database, a folder of Parquet files.

Must not: decide whether it may go.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

_DATABASE: Final = ".db"
#: What SQLite leaves beside a database that is in use, or was not closed.
_BESIDE: Final = ("-wal", "-shm", "-journal")
_PARTITION: Final = "partition_date="


def unit_of(path: str) -> str:
    """The unit that a file belongs to, by its path below the root: itself, or the folder that is one data set."""
    folders = PurePosixPath(path).parents
    named = [folder for folder in folders if folder.name.endswith(".parquet")]
    if named:
        return str(named[-1])
    parent = folders[0]
    return str(parent) if parent.name.startswith(_PARTITION) else path


def there(root: Path, unit: str) -> Iterator[str]:
    """The files of a unit that are there now, and what lies beside a database."""
    place = root / unit
    if place.is_dir():
        yield from (str(path.relative_to(root)) for path in sorted(place.rglob("*")) if not path.is_dir())
        return
    names = [unit, *(unit + ending for ending in _BESIDE if unit.endswith(_DATABASE))]
    yield from (name for name in names if (root / name).exists())
