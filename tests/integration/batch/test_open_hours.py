"""A batch into an hour that holds rows already: what is read and decoded of these, and that all rows are right."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firehose import schema
from firehose.batch.interval import Batch
from firehose.errors import CorruptLake
from firehose.lake import closed_file, closing, layout, metadata, records, rowgroups, splice
from firehose.lake.footers import Merged
from firehose.lake.hourfile import HourCommit, merge
from firehose.store import LocalLake
from tests.support.copies import EDGE, HOUR, START, Copy, table_of

GROUP = 20


@pytest.fixture
def path(tmp_path: Path) -> LocalLake:
    return LocalLake(layout.hour_file(tmp_path / "lake", schema.LIKES, HOUR))


@pytest.fixture(autouse=True)
def small_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rowgroups, "ROW_GROUP_ROWS", GROUP)


class Reads:
    """The row groups that are read, and which columns of each; None: all."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[tuple[int, set[str] | None]] = []
        read = pq.ParquetFile.read_row_groups

        def several(file: pq.ParquetFile, groups: list[int], columns: list[str] | None = None) -> pa.Table:
            self.seen += [(group, set(columns) if columns else None) for group in groups]
            return read(file, groups, columns)

        monkeypatch.setattr(pq.ParquetFile, "read_row_groups", several)
        monkeypatch.setattr(
            pq.ParquetFile, "read_row_group", lambda file, group, columns=None: several(file, [group], columns)
        )

    @property
    def decoded(self) -> list[int]:
        """The row groups that were read whole."""
        return [group for group, columns in self.seen if columns is None]


def bring(path: LocalLake, minute: int, events: Sequence[int], record_type: str = schema.LIKES) -> Merged:
    """Merge some events by the batch of a minute."""
    start = START + timedelta(minutes=minute)
    batch = Batch.of(start, start + timedelta(minutes=1))
    rows = table_of(record_type, batch, [Copy(event, EDGE + event) for event in events])
    return merge(path, HourCommit(record_type, batch.start, lambda _=None: iter([rows])))


def sizes(path: LocalLake) -> list[int]:
    """The rows of each row group; none where there is no file."""
    if not path.exists():
        return []
    footer = pq.read_metadata(path)
    return [footer.row_group(number).num_rows for number in range(footer.num_row_groups)]


def test_what_a_batch_does_not_change_is_not_decoded(path: LocalLake, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(path, 0, range(20_000, 20_000 + 5 * GROUP))
    reads = Reads(monkeypatch)
    # Its revisions come after all of those that are there, as the statistics say.
    bring(path, 1, range(40_000, 40_000 + GROUP))
    assert reads.seen == []
    # Revisions on either side of them, and no copy: one column of each.
    bring(path, 2, [2, 180_000])
    assert reads.seen == [(group, {"rev"}) for group in range(6)]
    # A copy of one, which stays: the identities of its row group. The batch before left two rows, as few as these.
    reads.seen.clear()
    assert bring(path, 3, [4, 20_000, 180_002]).duplicates == 1
    wide = [columns for _, columns in reads.seen if columns != {"rev"}]
    assert wide == [{*schema.IDENTITY[schema.LIKES], "batch"}, None]
    assert sizes(path) == [4, *[GROUP] * 6]


def test_row_groups_that_lose_rows_are_decoded(path: LocalLake, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(path, 1, range(1000, 1000 + 5 * GROUP))
    reads = Reads(monkeypatch)
    assert bring(path, 0, [1000, 1001, 5000]).displaced == 2
    assert len(reads.decoded) == 1
    # So is that with a batch's own rows, when it is published again.
    reads.seen.clear()
    assert bring(path, 0, [5000]) == Merged(1, 0, 0)
    assert len(reads.decoded) == 1
    assert held(path) == {5000: 0} | dict.fromkeys(range(1002, 1000 + 5 * GROUP), 1)


ENGINE = """
import sys
from chdb import _chdb
print(_chdb.connect(":memory:").query(sys.argv[1], "TSV").bytes().decode(), end="")
"""


def test_the_engine_reads_a_file_of_copied_row_groups(path: LocalLake) -> None:
    for minute in range(3):
        bring(path, minute, range(1000 * minute, 1000 * minute + 3 * GROUP))
    assert sizes(path) == [GROUP] * 9
    query = f"""
        SELECT toUnixTimestamp(batch) DIV 60 AS minute, count(), uniqExact(rkey), min(time_us),
            countIf(rev = 'rev510'), (SELECT count() FROM file('{path}', Parquet) WHERE time_us = {EDGE + 1020})
        FROM file('{path}', Parquet) GROUP BY minute ORDER BY minute"""
    done = subprocess.run([sys.executable, "-c", ENGINE, query], capture_output=True, text=True, check=True)
    first = int(START.timestamp()) // 60
    rows = [(first + n, 3 * GROUP, 3 * GROUP, EDGE + 1000 * n, 2 * (n == 1), 1) for n in range(3)]
    assert done.stdout == "".join("\t".join(map(str, row)) + "\n" for row in rows)


def test_small_row_groups_are_few_and_not_joined_often(path: LocalLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rowgroups, "ROW_GROUP_ROWS", 80)
    reads, rows, again = Reads(monkeypatch), 0, 0
    for minute in range(24):
        before, new = sizes(path), 1 + 7 * minute % 23
        reads.seen.clear()
        bring(path, minute, range(1000 * minute, 1000 * minute + new))
        rows, again = rows + new, again + sum(before[group] for group in reads.decoded)
        assert sum(sizes(path)) == rows
        small = sorted(size for size in sizes(path) if size < 40)
        assert all(less * 2 < more for less, more in pairwise(small))
    assert 0 < again < 2 * rows


@pytest.mark.parametrize("record_type", [schema.LIKES, schema.ACCOUNTS])
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    commits=st.lists(
        st.tuples(st.integers(0, 4), st.lists(st.integers(0, 60), max_size=45, unique=True), st.booleans()),
        min_size=2,
        max_size=8,
    )
)
def test_batches_in_any_order_and_again(
    tmp_path_factory: pytest.TempPathFactory, record_type: str, commits: list[tuple[int, list[int], bool]]
) -> None:
    """Of each event the earliest batch's copy stays, what a batch stored before goes; in either form."""
    lake = LocalLake(tmp_path_factory.mktemp("lake"))
    path = layout.hour_file(lake, record_type, HOUR)
    wanted: dict[int, int] = {}
    for minute, events, closed in commits:
        wanted = {event: owner for event, owner in wanted.items() if owner != minute}
        new = [event for event in events if event not in wanted]
        displaced = [event for event in events if wanted.get(event, -1) > minute]
        wanted |= dict.fromkeys([*new, *displaced], minute)
        kept = len(new) + len(displaced)
        assert bring(path, minute, events, record_type) == Merged(kept, len(events) - kept, len(displaced))
        if closed:
            closing.close(lake, layout.HourFile(HOUR, record_type))
        assert held(path, record_type) == wanted
    record = records.read(path).now
    assert record is not None and record.sha256 == path.sha256() and record.rows == len(wanted)


def held(path: LocalLake, record_type: str = schema.LIKES) -> dict[int, int]:
    """The events of a file, each with the minute of the batch whose copy is there; none is there twice."""
    column = "seq" if record_type == schema.ACCOUNTS else "rkey"
    rows = pq.read_table(path, columns=[column, "batch"], partitioning=None).to_pylist()
    found = {int(str(row[column]).removeprefix("key")): (row["batch"] - START).seconds // 60 for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize("other", ["another writer", "another form", "an older schema"])
def test_a_file_of_another_form_is_written_as_a_whole(
    path: LocalLake, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    bring(path, 0, range(3 * GROUP))
    table = pq.read_table(path, partitioning=None)
    if other == "an older schema":
        table = table.drop_columns(["resync"])
    pq.write_table(table, path, row_group_size=GROUP)
    if other == "another form":
        closed_file.write(path, schema.LIKES, lambda: [table], 1, {})
    if other == "another writer":
        content = path.read_bytes()
        assert content.count(b"parquet-cpp-arrow version") == 1
        path.write_bytes(content.replace(b"parquet-cpp-arrow version", b"parquet-cpp-arrow Version"))
    reads = Reads(monkeypatch)
    assert bring(path, 1, [2, 100]) == Merged(1, 1, 0)
    assert reads.decoded == ([] if other == "another form" else [0, 1, 2])
    assert held(path) == dict.fromkeys(range(3 * GROUP), 0) | {100: 1}
    assert b"firehose:form" not in pq.read_metadata(path).metadata
    assert pq.read_schema(path).equals(schema.SCHEMAS[schema.LIKES])


def test_a_file_that_ends_early_is_not_copied(path: LocalLake) -> None:
    bring(path, 0, range(3 * GROUP))
    groups = metadata.groups_of(path, metadata.read_metadata(path))
    target = LocalLake(path.with_name("target.parquet"))
    path.copy_to(target)
    path.write_bytes(path.read_bytes()[: groups[2].chunks[3].start])
    with pytest.raises(CorruptLake, match="ends in the middle of a row group"):
        splice.append(target, path, groups)
