"""Copies of events on either side of an hour's edge: staged as a validation leaves them, and as they end up.

Lives here: helpers. Must not: tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from firehose import crash, files, schema
from firehose.batch.interval import Batch
from firehose.errors import FirehoseError
from firehose.lake import layout
from firehose.lake.ledger import LedgerCounts, entry_path, read_entry
from firehose.lake.publish import publish
from firehose.lake.users import Rule
from firehose.lake.verify import verify
from firehose.quality.outcome import SliceResult, StagedRows, TypeCounts, ValidateResult
from firehose.quality.result import staged_path, write_result, write_slice
from firehose.records.registry import REGISTRY
from firehose.settings import Settings
from firehose.store import LocalLake

HOUR = 494_452
#: The edge between HOUR - 1 and HOUR; the next one lies an hour later.
EDGE = HOUR * layout.HOUR_US
START = datetime(2026, 6, 1, tzinfo=UTC)
BATCHES = [Batch.of(START + timedelta(minutes=5 * n), START + timedelta(minutes=5 * n + 5)) for n in range(5)]
#: Imports of that day. Their copies come after those of all batches.
IMPORTS = [Batch.of(START + timedelta(seconds=n), START + timedelta(days=1)) for n in (1, 2)]
SECOND = 1_000_000


class Copy(NamedTuple):
    """An event, and when a host says that it came, in microseconds."""

    event: int
    time_us: int

    @property
    def hour(self) -> int:
        """The hour file that it belongs to."""
        return self.time_us // layout.HOUR_US


def run(lake: Path, batch: Batch, users: Rule | None = None) -> None:
    """Publish a staged batch; ``users``: which accounts get files of their own."""
    settings = Settings(home=str(lake.parent), lake=str(lake))
    if users:
        settings = msgspec.structs.replace(settings, user_files_events=users.threshold, user_files_most=users.most)
    publish(settings, batch)


def table_of(record_type: str, batch: Batch, copies: Sequence[Copy]) -> pa.Table:
    """Rows of some copies, deletions of nothing."""
    columns = {
        "batch": [batch.start] * len(copies),
        "time_us": [copy.time_us for copy in copies],
        "did": [f"did:plc:{copy.event % 3}" for copy in copies],
        # Some events of an account lie in one commit.
        "rev": [f"rev{copy.event // 2}" for copy in copies],
        "rkey": [f"key{copy.event}" for copy in copies],
        "seq": [copy.event for copy in copies],
        "collection": ["com.example.thing"] * len(copies),
        "operation": ["delete"] * len(copies),
    }
    wanted = schema.SCHEMAS[record_type]
    rows = [pa.array(columns.get(one.name, [None] * len(copies)), one.type) for one in wanted]
    return pa.Table.from_arrays(rows, schema=wanted)


def stage(lake: Path, batch: Batch, copies: Sequence[Copy], record_type: str = schema.LIKES) -> None:
    """Leave what a validation leaves, in two slices."""
    half = len(copies) // 2
    for number, part in enumerate((copies[:half], copies[half:])):
        path = staged_path(lake, batch, record_type, number)
        with files.replacing(path) as partial:
            pq.write_table(table_of(record_type, batch, part), partial)
        hours = [copy.hour for copy in part]
        described = SliceResult(
            queue=REGISTRY[record_type].queue,
            number=number,
            types={
                record_type: StagedRows(
                    counts=TypeCounts(len(part), len(part), 0),
                    rows={str(hour): hours.count(hour) for hour in set(hours)},
                    sha256=files.sha256(path),
                )
            },
            reasons={},
            suites=[],
        )
        write_slice(LocalLake(lake), batch, described)
    good = len(copies)
    counts = {record_type: TypeCounts(good, good, 0)}
    result = ValidateResult(
        good=good,
        quarantined=0,
        error_rate=0.0,
        suite_success=True,
        failed_expectations=[],
        docs="",
        counts=counts,
        types=[*REGISTRY],
    )
    write_result(LocalLake(lake), batch, result)


def stored(lake: Path, record_type: str = schema.LIKES) -> dict[int, list[tuple[int, Batch, int]]]:
    """What the files of each hour hold: event, batch and time of every row."""
    found: dict[int, list[tuple[int, Batch, int]]] = {}
    starts = {batch.start: batch for batch in (*BATCHES, *IMPORTS)}
    column = "seq" if record_type == schema.ACCOUNTS else "rkey"
    for path in layout.hour_files(LocalLake(lake), record_type):
        rows = pq.ParquetFile(path).read([column, "batch", "time_us"]).to_pylist()
        found.setdefault(layout.hour_of_file(path), []).extend(
            (int(str(row[column]).removeprefix("key")), starts[row["batch"]], row["time_us"]) for row in rows
        )
    return {hour: sorted(rows) for hour, rows in found.items() if rows}


def wanted(batches: dict[Batch, list[Copy]]) -> dict[int, list[tuple[int, Batch, int]]]:
    """What the hour files should hold: of each event the earliest batch's copy, of these the earlier hour's.

    Imports come after the others.
    """
    first: dict[int, tuple[Batch, Copy]] = {}
    for batch in sorted(batches, key=lambda one: (one in IMPORTS, one.start)):
        for copy in sorted(batches[batch], key=lambda one: one.hour):
            first.setdefault(copy.event, (batch, copy))
    found: dict[int, list[tuple[int, Batch, int]]] = {}
    for event, (batch, copy) in sorted(first.items()):
        found.setdefault(copy.hour, []).append((event, batch, copy.time_us))
    return found


def counts_of(lake: Path, batch: Batch, record_type: str = schema.LIKES) -> LedgerCounts:
    """What the ledger says of a batch."""
    entry = read_entry(LocalLake(entry_path(lake, batch)))
    assert entry is not None
    return entry.counts[record_type]


def hours_of(lake: Path, batch: Batch) -> set[int]:
    """The hours that the ledger says a batch has touched."""
    entry = read_entry(LocalLake(entry_path(lake, batch)))
    assert entry is not None
    return {layout.parse_hour(name) for name in entry.hours}


def assert_sound(lake: Path) -> None:
    """Nothing is wrong with the lake."""
    report = verify(LocalLake(lake))
    assert report.ok, report.problems


def before(event: int, seconds: float = 1) -> Copy:
    """A copy stamped before the edge."""
    return Copy(event, EDGE - int(seconds * SECOND))


def after(event: int, seconds: float = 1) -> Copy:
    """A copy stamped after the edge."""
    return Copy(event, EDGE + int(seconds * SECOND))


class Killed(FirehoseError):
    """Stands for a death: what it interrupts is left as it is."""


class Boundaries:
    """Counts the durable boundaries that a publication passes, and dies at one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = -1
        for name in ("reached", "file_synced", "file_renamed"):
            monkeypatch.setattr(crash, name, self._passed)

    def _passed(self, _: object) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed("now")
