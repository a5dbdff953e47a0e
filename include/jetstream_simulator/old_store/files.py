"""Writes the old store's files: JSON caches, queues, Parquet folders, as the old system laid them out.

Lives here: paths and formats. Must not: choose what goes where.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any, Final

Object = dict[str, Any]
_CACHES: Final = {1: "bluesky-research/services/sync/stream/cache"} | {
    2: "bluesky-research/services/sync/stream/__local_cache__"
}
_ROWS: Final = 20_000
_BATCH: Final = 100
_COUNTS: Final = ("like_count", "reply_count", "repost_count")


class Caches:
    """JSON files, one a record."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._made: set[str] = set()

    def write(self, generation: int, folder: str, name: str, record: Object) -> str | None:
        """Write a record; its path, relative to the root, or None if there is a file of this name."""
        path = f"{_CACHES[generation]}/{folder}"
        if path not in self._made:
            (self._root / path).mkdir(parents=True, exist_ok=True)
            self._made.add(path)
        path = f"{path}/{name}.json"
        try:
            with (self._root / path).open("x") as file:
                file.write(json.dumps(record))
        except FileExistsError:
            return None
        return path


class Queue:
    """One queue: events, a hundred to a row."""

    def __init__(self, root: Path, name: str) -> None:
        self.path = f"BSKY_DATA_DIR/queue/{name}.db"
        self._file = root / self.path
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(self._file)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute(
            "CREATE TABLE queue (id INTEGER PRIMARY KEY AUTOINCREMENT, payload TEXT, metadata TEXT, "
            "created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, status TEXT DEFAULT 'pending')"
        )
        self._row = 1
        self._waiting: list[Object] = []

    def add(self, item: Object) -> str:
        """Add an event; its place is its row and its number in it."""
        place = f"{self._row}/{len(self._waiting)}"
        self._waiting.append(item)
        if len(self._waiting) == _BATCH:
            self._flush()
        return place

    def add_payload(self, payload: str | bytes | None) -> str:
        """Add a row of any payload; its number."""
        self._flush()
        self._insert(payload, "2024-10-05-14:05:01", 0)
        return str(self._row - 1)

    def close(self, wal: bool) -> None:
        """Write what waits. With ``wal`` some rows stay in the write-ahead log, as while the old system runs."""
        if wal and self._waiting:
            self._database.commit()
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._flush()
        self._database.commit()
        kept = [self._file, self._file.with_name(self._file.name + "-wal")] if wal else []
        for file in kept:
            shutil.copyfile(file, f"{file}.kept")
        self._database.close()
        for file in kept:
            Path(f"{file}.kept").replace(file)

    def _flush(self) -> None:
        if self._waiting:
            self._insert(json.dumps(self._waiting), self._waiting[-1]["created_at"], len(self._waiting))
            self._waiting = []

    def _insert(self, payload: str | bytes | None, created_at: str, size: int) -> None:
        metadata = json.dumps({"batch_size": _BATCH, "actual_batch_size": size})
        status = ("pending", "processing", "completed", "failed")[self._row % 4]
        row = (payload, metadata, created_at, status)
        self._database.execute(
            "INSERT INTO queue (payload, metadata, created_at, status) VALUES (?, ?, ?, ?)", row
        )
        self._row += 1


class Lake:
    """Parquet files below service paths, some tens of thousands of rows each."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._waiting: dict[tuple[str, str, bool], tuple[str, list[Object]]] = {}

    def add(self, service: str, age: str, date: str, row: Object, *, deep: bool) -> tuple[str, str]:
        """Add a row; the path of its file, and its number in it. ``deep``: in a folder named by a span of time."""
        folder = f"{age}/{_span(date)}" if deep else age
        key = (f"{service}/{folder}", date, deep)
        if key not in self._waiting:
            name = hashlib.md5(f"{key}{len(self._waiting)}{row}".encode(), usedforsecurity=False).hexdigest()
            path = f"bluesky_research_data/{service}/{folder}/partition_date={date}/{name}-0.parquet"
            self._waiting[key] = (path, [])
        path, rows = self._waiting[key]
        rows.append(row)
        place = str(len(rows) - 1)
        if len(rows) == _ROWS:
            self._write(*self._waiting.pop(key))
        return path, place

    def close(self) -> None:
        """Write all files that are not full."""
        for path, rows in self._waiting.values():
            self._write(path, rows)
        self._waiting = {}

    def _write(self, path: str, rows: list[Object]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        kinds = {name: pa.int64() if name in _COUNTS else pa.string() for name in rows[0]}
        file = self._root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows, pa.schema(list(kinds.items()))), file)


def _span(date: str) -> str:
    at = f"{date}-00:00:00"
    return f"startTimestamp={at}_endTimestamp={at}_fileCreatedTimestamp={at}.parquet"
