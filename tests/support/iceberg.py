"""An oracle of Iceberg tables: what they name is there as it was. Must not: use what writes them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.table import StaticTable, Table

from firehose.areas import Area
from firehose.files import sha256
from firehose.lake import layout
from firehose.lake.rowgroups import read_groups
from firehose.store import LocalLake

_NAME = re.compile(r".*/data/\d{4}-\d\d-\d\dT\d\d-([0-9a-f]{64})\.parquet")
#: Columns that tell one event of a repository from another.
EVENT = ["did", "rkey", "operation", "time_us"]


def open_table(lake: Path, record_type: str) -> Table:
    """The table as any tool opens it, by its hint."""
    return StaticTable.from_metadata(str(Area.ICEBERG.of(LocalLake(lake)) / record_type))


def events(table: Table, snapshot: int | None = None) -> Counter[tuple[object, ...]]:
    """Its events, each as often as it is there."""
    return _counted(table.scan(selected_fields=tuple(EVENT), snapshot_id=snapshot).to_arrow())


def events_of_lake(lake: Path, record_type: str) -> Counter[tuple[object, ...]]:
    """The lake's, open hours too."""
    found: Counter[tuple[object, ...]] = Counter()
    for path in layout.hour_files(LocalLake(lake), record_type):
        for rows in read_groups(path, record_type):
            found += _counted(rows.select(EVENT))
    return found


def assert_right(lake: Path, record_type: str) -> None:
    """Every file that a version names, in any of its snapshots, is there, whole, and what its name says."""
    folder = Area.ICEBERG.of(lake) / record_type
    for version in sorted((folder / "metadata").glob("v*.metadata.json")):
        table = StaticTable.from_metadata(str(version))
        for snapshot in table.snapshots() if version == _latest(folder) else [table.current_snapshot()]:
            assert snapshot
            for task in table.scan(snapshot_id=snapshot.snapshot_id).plan_files():
                path = Path(task.file.file_path.removeprefix("file://"))
                match = _NAME.fullmatch(str(path))
                assert match and sha256(path) == match[1], path
                assert path.stat().st_size == task.file.file_size_in_bytes
                assert pq.read_metadata(path).num_rows == task.file.record_count


def files(lake: Path, record_type: str) -> set[str]:
    """All files of a table, those that nothing names too, with random ids left out."""
    folder = Area.ICEBERG.of(lake) / record_type
    found = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return {re.sub(r"snap-\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "*", name) for name in found}


def _latest(folder: Path) -> Path:
    return max((folder / "metadata").glob("v*.metadata.json"), key=lambda path: int(path.name[1:].split(".")[0]))


def _counted(rows: pa.Table) -> Counter[tuple[object, ...]]:
    return Counter(zip(*(rows[name].to_pylist() for name in EVENT), strict=True))
