"""Closing hours: the same rows in fewer bytes, each time the same; killed anywhere; opened by a late batch."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from firehose import parquet, schema
from firehose.areas import Area
from firehose.batch.interval import Batch
from firehose.errors import CorruptLake, LakeChanged
from firehose.events.rows import decode_rows, to_table
from firehose.events.sorting import by_type
from firehose.lake import closed_file, closed_form, closing, edges, footers, layout, recorded, records, settled
from firehose.lake.hourfile import HourCommit, merge
from firehose.lake.layout import HourFile
from firehose.lake.rowgroups import read_groups
from firehose.lake.verify import verify
from firehose.store import LocalLake
from ingester.contract import crash, wire
from ingester.contract.crash import Point
from jetstream_simulator import generate
from tests.support.frames import queue_of

HOUR = 494_452
START = datetime.fromtimestamp(HOUR * 3600, UTC)
EVENTS = list(generate.events(3_000, seed=9, start_us=HOUR * layout.HOUR_US, rate=3_000 / 3_500))
EARLY, LATE = EVENTS[:2_000], EVENTS[2_000:]
#: Types of which both batches have rows.
SOME = (schema.POSTS, schema.LIKES, schema.ACCOUNTS)


def tables(events: Sequence[bytes], batch: datetime) -> dict[str, pa.Table]:
    found = {}
    for queue in wire.QUEUES:
        for kind, lines in by_type(queue, [line for line in events if queue_of(line) == queue]).items():
            rows, _, failed = decode_rows(kind, lines)
            assert not failed
            found[kind] = to_table(kind, rows, batch)
    return found


#: The types that these events make files of.
TYPES = list(tables(EVENTS, START))


def publish(lake: LocalLake, events: Sequence[bytes], minute: int) -> None:
    """Bring the rows of a batch into the hour's files."""
    batch = START + timedelta(minutes=minute)
    for kind, table in tables(events, batch).items():

        def rows(_: Sequence[str] | None = None, table: pa.Table = table) -> Iterator[pa.Table]:
            yield table

        merge(layout.hour_file(lake, kind, HOUR), HourCommit(kind, batch, rows))


def content(lake: LocalLake, kind: str) -> list[str]:
    groups = read_groups(layout.hour_file(lake, kind, HOUR), kind)
    return sorted(str(row) for group in groups for row in group.to_pylist())


def file(lake: LocalLake, kind: str) -> LocalLake:
    return layout.hour_file(lake, kind, HOUR)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> LocalLake:
    lake = LocalLake(tmp_path_factory.mktemp("written") / "lake")
    publish(lake, EARLY, 0)
    publish(lake, LATE, 40)
    return lake


@pytest.fixture
def lake(written: LocalLake, tmp_path: Path) -> LocalLake:
    """An hour in the open form, written by two batches."""
    return LocalLake(shutil.copytree(written, tmp_path / "lake"))


def test_a_closed_hour_has_the_same_rows_in_fewer_bytes(lake: LocalLake) -> None:
    before = {kind: content(lake, kind) for kind in TYPES}
    noted = {kind: footers.read(file(lake, kind)) for kind in TYPES}
    for kind in TYPES:
        done = closing.close(lake, HourFile(HOUR, kind))
        assert (done.rows, done.rewritten, done.bytes) == (len(before[kind]), True, file(lake, kind).size())
        assert footers.read(file(lake, kind)) == noted[kind]
        record = records.read(file(lake, kind)).now
        assert record
        assert (record.by, record.form, record.footer) == ("close", closed_form.CLOSED, noted[kind])
    assert {kind: content(lake, kind) for kind in TYPES} == before
    likes = closing.close(lake, HourFile(HOUR, schema.LIKES))
    assert not likes.rewritten
    assert likes.bytes < sum(map(len, before[schema.LIKES])) / 8
    # Only the ledger has something to say, since nothing was published by a run.
    assert not [problem for problem in verify(lake).problems if not problem.startswith("ledger")]


def test_the_order_is_that_of_time_and_statistics_say_so(lake: LocalLake) -> None:
    closing.close(lake, HourFile(HOUR, schema.LIKES))
    with parquet.opened(file(lake, schema.LIKES)) as source:
        times = source.read(["time_us"])["time_us"].to_pylist()
        assert times == sorted(times)
        columns = {
            source.metadata.row_group(0).column(n).path_in_schema: source.metadata.row_group(0).column(n)
            for n in range(source.metadata.num_columns)
        }
    for name in ("did", "subject_uri"):
        assert columns[name].bloom_filter_length
    assert all(columns[name].statistics.has_min_max for name in ("time_us", "did", "subject_uri", "batch"))
    assert all(columns[name].has_column_index for name in ("time_us", "did", "subject_uri"))
    assert (columns["time_us"].statistics.min, columns["time_us"].statistics.max) == (times[0], times[-1])


def test_a_late_batch_opens_the_hour_and_closing_gives_the_same_bytes(lake: LocalLake, tmp_path: Path) -> None:
    other = LocalLake(tmp_path / "other")
    publish(other, EARLY, 0)
    for kind in SOME:
        closing.close(other, HourFile(HOUR, kind))
    publish(other, LATE, 40)
    for kind in SOME:
        assert closed_form.form_of(footers.notes(file(other, kind))) == "", "a writer leaves the open form"
        assert content(other, kind) == content(lake, kind)
        closing.close(other, HourFile(HOUR, kind))
        closing.close(lake, HourFile(HOUR, kind))
        assert file(other, kind).read_bytes() == file(lake, kind).read_bytes(), kind


def test_copies_beside_a_closed_hour_are_found(lake: LocalLake) -> None:
    publish_next = layout.hour_file(lake, schema.LIKES, HOUR + 1)
    copies = tables(LATE, START + timedelta(hours=1))[schema.LIKES]
    late = pc.add(copies["time_us"], 300_000_000)
    copies = copies.set_column(copies.schema.get_field_index("time_us"), "time_us", late)
    next_hour = copies.filter(pc.greater_equal(late, (HOUR + 1) * layout.HOUR_US))

    def rows(_: Sequence[str] | None = None) -> Iterator[pa.Table]:
        yield next_hour

    merge(publish_next, HourCommit(schema.LIKES, START + timedelta(hours=1), rows))
    edge = edges.edge_between(lake, HourFile(HOUR, schema.LIKES), HourFile(HOUR + 1, schema.LIKES))
    found = edges.doubled(edge)
    assert found == len(next_hour) > 0
    closing.close(lake, HourFile(HOUR, schema.LIKES))
    assert edges.doubled(edge) == found
    closing.close(lake, HourFile(HOUR + 1, schema.LIKES))
    assert edges.doubled(edge) == found


def test_what_is_closable(lake: LocalLake) -> None:
    every = sorted(HourFile(HOUR, kind) for kind in TYPES)
    after, end = timedelta(hours=2), START + timedelta(hours=1)
    assert closing.closable(lake, end + after - timedelta(seconds=1), after).files == []
    assert closing.closable(lake, end + after, after).files == every
    batch = Batch(START, START + timedelta(minutes=5))
    manifest = batch.folder(lake, Area.RAW) / "manifest.json"
    manifest.write(b"{}")
    assert closing.closable(lake, end + after, after).files == [], "a batch waits that may hold events of the hour"
    manifest.remove()
    closing.close(lake, HourFile(HOUR, schema.LIKES))
    posts = file(lake, schema.POSTS)
    posts.write(posts.read_bytes()[:-9])
    left = [HourFile(HOUR, kind) for kind in sorted(TYPES) if kind not in (schema.LIKES, schema.POSTS)]
    assert closing.closable(lake, end + after, after).files == left
    with pytest.raises(LakeChanged, match="nothing was written"):
        closing.close(lake, HourFile(HOUR, schema.POSTS))


def test_a_day_whose_hours_are_closed_is_not_looked_at_until_one_of_them_is_written(
    lake: LocalLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, looked = records.read, []

    def seen(path: LocalLake) -> records.Records:
        looked.append(path.stem)
        return read(path)

    def left() -> list[HourFile]:
        looked.clear()
        found = closing.closable(lake, START + timedelta(days=1), timedelta())
        settled.write(lake, found.settled)
        return found.files

    for file_of in left():
        closing.close(lake, file_of)
    monkeypatch.setattr(records, "read", seen)
    assert left() == [] and sorted(looked) == sorted(TYPES), "what was open is looked at once more"
    assert left() == [] and looked == []
    publish(lake, LATE, 5)
    late = tables(LATE, START)
    assert left() == sorted(HourFile(HOUR, kind) for kind in late) and sorted(looked) == sorted(TYPES)
    for kind in late:
        closing.close(lake, HourFile(HOUR, kind))
    posts = file(lake, schema.POSTS)
    recorded.record_path(posts).write(b"{")
    assert left() == left() == [] and sorted(looked) == sorted(TYPES), (
        "a record that cannot be read proves nothing"
    )


def test_a_file_that_would_lose_something_does_not_take_the_place(
    lake: LocalLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file(lake, schema.LIKES).read_bytes()
    encode = closed_form.encode

    def wrong(kind: str, rows: pa.Table) -> pa.Table:
        another = pa.array(["did:plc:another"] * len(rows))
        return encode(kind, rows.set_column(rows.schema.get_field_index("did"), "did", another))

    monkeypatch.setattr(closed_form, "encode", wrong)
    with pytest.raises(CorruptLake, match="would not give back its rows; nothing was changed"):
        closing.close(lake, HourFile(HOUR, schema.LIKES))
    assert file(lake, schema.LIKES).read_bytes() == before
    assert records.read(file(lake, schema.LIKES)).next is None


def test_an_hour_too_large_is_gone_through_in_spans(lake: LocalLake, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(lake, schema.LIKES)
    monkeypatch.setattr(closing, "_HELD", 100_000)
    monkeypatch.setattr(closed_file, "GROUP_ROWS", 300)
    closing.close(lake, HourFile(HOUR, schema.LIKES))
    assert content(lake, schema.LIKES) == before
    with parquet.opened(file(lake, schema.LIKES)) as source:
        spans = [source.metadata.row_group(n) for n in range(source.num_row_groups)]
        assert len(spans) > len(before) // 300
        times = source.read(["time_us"])["time_us"].to_pylist()
    assert times == sorted(times)


def test_verify_sees_a_closed_record_that_was_changed(lake: LocalLake) -> None:
    closing.close(lake, HourFile(HOUR, schema.LIKES))
    path = file(lake, schema.LIKES)
    with parquet.opened(path) as source:
        rows, noted = source.read(), source.metadata.metadata
    uris = pc.replace_substring(rows["subject_uri"], "at://did:plc:a", "at://did:plc:b")
    assert not uris.equals(rows["subject_uri"])
    changed = rows.set_column(rows.schema.get_field_index("subject_uri"), "subject_uri", uris)
    pq.write_table(changed.replace_schema_metadata(noted), path)
    records.adopt(path)  # as if its record had never known better
    problems = [problem for problem in verify(lake).problems if not problem.startswith("ledger")]
    assert problems == [f"{path.key_in(lake)}: its records do not give the CIDs that it was closed with"]


@pytest.mark.parametrize(
    "point",
    [Point.HOUR_SYNCED, Point.RECORD_RENAMED, Point.HOUR_RENAMED],
)
def test_a_death_loses_nothing_and_the_next_closing_ends_it(lake: LocalLake, point: Point) -> None:
    before = content(lake, schema.FOLLOWS)
    proof = lake.parent / "proof"
    code = (
        "from firehose.lake.closing import close; from firehose.lake.layout import HourFile;"
        f"from firehose.store import LocalLake; close(LocalLake({str(lake)!r}), HourFile({HOUR}, 'follows'))"
    )
    environ = {**os.environ, crash.AT: str(point), crash.PROOF: str(proof)}
    died = subprocess.run([sys.executable, "-c", code], env=environ, check=False)
    assert (died.returncode, proof.exists()) == (-signal.SIGKILL, True)
    assert content(lake, schema.FOLLOWS) == before
    done = closing.close(lake, HourFile(HOUR, schema.FOLLOWS))
    assert done.rewritten == (point is not Point.HOUR_RENAMED)
    there = records.read(file(lake, schema.FOLLOWS))
    assert there.now
    assert (there.next, there.now.form) == (None, closed_form.CLOSED)
    assert content(lake, schema.FOLLOWS) == before
