"""Validate and publish: every event once, whatever is repeated, in whatever order, by however many at once."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from firehose import schema
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.errors import CorruptBatch, LakeChanged, NotStaged
from firehose.lake import layout
from firehose.lake.ledger import entry_path, read_entry, read_ledger
from firehose.lake.publish import publish
from firehose.lake.rebuild import rebuild
from firehose.lake.verify import verify
from firehose.quality.outcome import TypeCounts
from firehose.quality.quarantine import quarantine_path
from firehose.quality.result import read_result, staged_folder, staged_path, write_result
from firehose.quality.validate import validate
from firehose.settings import Settings
from jetstream_simulator import generate

Fill = Callable[[Iterable[bytes], Batch], None]
# Two hours meet in these events.
START_US = 1_780_002_000_000_000 - 300 * 1_000_000
ALL_TYPES = list(generate.events(1500, seed=5, start_us=START_US, rate=2.5))
#: Of three types: Great Expectations takes a fifth of a second for each type of a batch, however few its rows.
EVENTS = [
    line
    for line in generate.events(2400, seed=5, start_us=START_US, rate=4)
    if b"app.bsky.feed.like" in line or b"app.bsky.feed.post" in line or b'"kind":"identity"' in line
][:1500]


def lake_rows(settings: Settings) -> dict[str, list[dict[str, Any]]]:
    """Every row of the lake but for its batch, sorted."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in settings.local_lake.glob("year=*/**/*.parquet"):
        rows = pq.read_table(path, partitioning=None).drop_columns(["batch"]).to_pylist()
        found.setdefault(path.stem, []).extend(rows)
    return {name: sorted(rows, key=str) for name, rows in found.items()}


def run(settings: Settings, batch: Batch) -> None:
    drain(settings, batch)
    validate(settings, batch)
    publish(settings, batch)


def test_every_event_is_in_its_hour_once(settings: Settings, batches: list[Batch], fill: Fill) -> None:
    fill(ALL_TYPES, batches[0])
    run(settings, batches[0])
    rows = lake_rows(settings)
    assert sum(map(len, rows.values())) == len(ALL_TYPES)
    hours = {path.parent.name for path in settings.local_lake.glob("year=*/**/*.parquet")}
    assert len(hours) == 2
    assert verify(settings.local_lake).ok


def test_clear_and_rerun_changes_nothing(settings: Settings, batches: list[Batch], fill: Fill) -> None:
    fill(EVENTS[:1000], batches[0])
    fill(EVENTS[900:], batches[1])
    for batch in batches[:2]:
        run(settings, batch)
    before = lake_rows(settings)
    for batch in (batches[0], batches[1], batches[1], batches[0]):
        run(settings, batch)
        assert lake_rows(settings) == before
    assert verify(settings.local_lake).ok


def test_publishing_alone_may_be_cleared(settings: Settings, batches: list[Batch], fill: Fill) -> None:
    fill(EVENTS, batches[0])
    run(settings, batches[0])
    before, entry = lake_rows(settings), read_entry(entry_path(settings.local_lake, batches[0]))
    answered = publish(settings, batches[0])
    assert entry is not None
    assert lake_rows(settings) == before
    assert read_entry(entry_path(settings.local_lake, batches[0])) == entry
    assert answered.stored == sum(counts.stored for counts in entry.counts.values())
    assert sorted(answered.files) == sorted(
        str(path.relative_to(settings.local_lake)) for path in settings.local_lake.glob("year=*/**/*.parquet")
    )


@pytest.mark.parametrize(
    "what", ["nothing published", "an older hour file", "other rows", "rows without a digest", "other counts"]
)
def test_publishing_alone_never_answers_for_rows_that_are_not_there(
    settings: Settings, batches: list[Batch], fill: Fill, what: str
) -> None:
    fill(EVENTS[:800], batches[0])
    fill(EVENTS[800:], batches[1])
    lake, batch = settings.local_lake, batches[1]
    run(settings, batches[0])
    older = {path: path.read_bytes() for path in lake.glob("[y_]*/**/*") if path.is_file()}
    drain(settings, batch)
    if what != "nothing published":
        validate(settings, batch)
        publish(settings, batch)
    if what == "an older hour file":
        for path, content in older.items():
            if "hour=" in str(path):
                path.write_bytes(content)
    elif what != "nothing published":
        result = validate(settings, batch)
        for path in staged_folder(lake, batch).iterdir():
            path.unlink()
        more = {schema.LIKES: TypeCounts(9999, 9999, 0)} if what == "other counts" else {}
        digest = "" if what == "rows without a digest" else "0"  # as an earlier version leaves its result
        write_result(lake, batch, msgspec.structs.replace(result, rows_sha256=digest, counts=result.counts | more))
    with pytest.raises(
        NotStaged, match=r"^batch .*its validated rows are not staged, and .*Clear its validate task"
    ):
        publish(settings, batch)
    if what != "an older hour file":  # which a rebuild makes again
        validate(settings, batch)
        publish(settings, batch)
        assert sum(map(len, lake_rows(settings).values())) == len(EVENTS)


def test_publishing_alone_stops_at_a_damaged_hour_file_and_says_to_rebuild_it(
    settings: Settings, batches: list[Batch], fill: Fill
) -> None:
    fill(EVENTS[:200], batches[0])
    run(settings, batches[0])
    lake, before = settings.local_lake, lake_rows(settings)
    path = layout.hour_files(lake, schema.LIKES)[0]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(LakeChanged, match=r"nothing was written. To make it again .*: firehose rebuild"):
        publish(settings, batches[0])
    rebuild(lake, schema.LIKES, [layout.hour_of_file(path)], reason="damaged")
    publish(settings, batches[0])
    assert lake_rows(settings) == before


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_batches_in_any_order_give_the_same_rows(
    settings: Settings, batches: list[Batch], fill: Fill, order: tuple[int, ...]
) -> None:
    # Each batch repeats the end of the one before, as a resumed stream does.
    for number, part in enumerate((EVENTS[:700], EVENTS[500:1200], EVENTS[1000:])):
        fill(part, batches[number])
    for batch in batches[:3]:
        drain(settings, batch)
    for number in order:
        validate(settings, batches[number])
        publish(settings, batches[number])
    rows = [row for rows in lake_rows(settings).values() for row in rows]
    assert len(rows) == len(EVENTS)
    # The copy of the earliest batch is the one that stays.
    owners = {
        row["batch"]: 0
        for path in settings.local_lake.glob("year=*/**/*.parquet")
        for row in pq.read_table(path, columns=["batch"], partitioning=None).to_pylist()
    }
    for path in settings.local_lake.glob("year=*/**/*.parquet"):
        for row in pq.read_table(path, columns=["batch"], partitioning=None).to_pylist():
            owners[row["batch"]] += 1
    assert [owners[batch.start] for batch in batches[:3]] == [700, 500, 300]
    report = verify(settings.local_lake)
    assert report.ok, report.problems


@pytest.mark.parametrize(("order", "lag_s"), [((0, 1), -90), ((1, 0), 90)])
def test_another_hosts_stamps_across_the_hour_give_no_second_copy(
    settings: Settings, batches: list[Batch], fill: Fill, order: tuple[int, int], lag_s: int
) -> None:
    def restamped(line: bytes) -> bytes:
        return re.sub(rb'"time_us":(\d+)', lambda at: b'"time_us":%d' % (int(at[1]) + lag_s * 1_000_000), line)

    fill(EVENTS[:1000], batches[0])
    fill(map(restamped, EVENTS[500:]), batches[1])
    for number in order:
        run(settings, batches[number])
    owners = [
        row["batch"]
        for path in settings.local_lake.glob("year=*/**/*.parquet")
        for row in pq.read_table(path, columns=["batch"], partitioning=None).to_pylist()
    ]
    assert [owners.count(batch.start) for batch in batches[:2]] == [1000, 500]
    report = verify(settings.local_lake)
    assert report.ok, report.problems


def test_duplicates_within_a_batch_are_counted(settings: Settings, batches: list[Batch], fill: Fill) -> None:
    fill([*EVENTS, *EVENTS[:200]], batches[0])
    run(settings, batches[0])
    entry = read_entry(entry_path(settings.local_lake, batches[0]))
    assert entry is not None
    assert sum(counts.duplicates for counts in entry.counts.values()) == 200
    assert sum(counts.stored for counts in entry.counts.values()) == len(EVENTS)


def test_bad_events_are_kept_with_their_reason_and_bytes(
    settings: Settings, batches: list[Batch], fill: Fill
) -> None:
    like = next(line for line in EVENTS if b'"create"' in line and b"feed.like" in line)
    wrong = [
        like.replace(b'"did":"did:', b'"did":"nobody:', 1),
        like.replace(b'"operation":"create"', b'"operation":"upsert"'),
        like.replace(b'"uri":"at://', b'"uri":"http://'),
        like[: len(like) // 2],
        like.replace(b'"time_us":', b'"time_us":9', 1),
    ]
    fill([*EVENTS[:300], *wrong], batches[0])
    drain(settings, batches[0])
    result = validate(settings, batches[0])
    publish(settings, batches[0])
    assert (result.good, result.quarantined) == (300, len(wrong))
    assert not result.suite_success
    assert any(name.startswith("accounting") for name in result.failed_expectations)
    kept = pq.read_table(quarantine_path(settings.local_lake, batches[0]), partitioning=None).to_pylist()
    assert sorted(row["raw"] for row in kept) == sorted(wrong)
    reasons = " | ".join(row["reason"] for row in kept)
    for word in ("did: expected", "operation: expected", "subject_uri: expected", "envelope", "time_us: expected"):
        assert word in reasons
    assert sum(map(len, lake_rows(settings).values())) == 300
    assert verify(settings.local_lake).ok


def test_the_front_page_lists_every_batch_with_its_data_docs(
    settings: Settings, batches: list[Batch], fill: Fill
) -> None:
    fill([*EVENTS[:50], b"no event"], batches[0])
    fill(EVENTS[50:100], batches[1])
    for batch in batches[:2]:
        drain(settings, batch)
        validate(settings, batch)
    folder = Path(settings.local_lake) / "_quality"
    page = (folder / "index.html").read_text()
    assert page.index(batches[1].id) < page.index(batches[0].id)
    assert "accounting: expect_column_values_to_be_between error_rate" in page
    links = re.findall(r'href="([^"]+)"', page)
    assert any("/validations/likes/" in link for link in links)
    for link in links:
        docs = folder / unquote(link)
        assert "Expectation" in docs.read_text()
        (home,) = set(re.findall(r'href="([./]+/index.html)"', docs.read_text()))
        assert 'url=../index.html"' in (docs.parent / home).read_text()
        assert (docs.parent / home).resolve().parents[1] == folder


def test_a_rerun_without_bad_events_empties_the_quarantine(
    settings: Settings, batches: list[Batch], fill: Fill
) -> None:
    fill(EVENTS[:100], batches[0])
    drain(settings, batches[0])
    stale = quarantine_path(settings.local_lake, batches[0])
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"from an earlier version of the rules")
    validate(settings, batches[0])
    assert not stale.exists()


def test_the_simulators_odd_events_are_stored_or_quarantined(
    settings: Settings, batches: list[Batch], fill: Fill
) -> None:
    lines = list(generate.events(2000, seed=9, start_us=START_US, rate=5, malformed=0.2))
    fill(lines, batches[0])
    run(settings, batches[0])
    entry = read_entry(entry_path(settings.local_lake, batches[0]))
    assert entry is not None
    counts = entry.counts.values()
    assert sum(one.received for one in counts) == len(lines)
    assert 0 < sum(one.quarantined for one in counts) < 500
    report = verify(settings.local_lake)
    assert (report.quarantined, report.ok) == (sum(one.quarantined for one in counts), True), report.problems


def test_two_writers_of_one_hour_exclude_each_other(settings: Settings, batches: list[Batch], fill: Fill) -> None:
    parts = [EVENTS[number::5] for number in range(5)]
    for batch, part in zip(batches, parts, strict=True):
        fill(part, batch)
    for batch in batches:
        drain(settings, batch)
        validate(settings, batch)
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda batch: publish(settings, batch), batches))
    assert sum(map(len, lake_rows(settings).values())) == len(EVENTS)
    assert len(read_ledger(settings.local_lake)) == 5
    assert verify(settings.local_lake).ok


def test_runs_of_one_batch_that_meet_do_no_harm(settings: Settings, batches: list[Batch], fill: Fill) -> None:
    fill(EVENTS, batches[0])
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: run(settings, batches[0]), range(3)))
    assert sum(map(len, lake_rows(settings).values())) == len(EVENTS)
    assert verify(settings.local_lake).ok


def test_a_publish_killed_anywhere_is_completed_by_the_next(
    settings: Settings, batches: list[Batch], fill: Fill
) -> None:
    fill(EVENTS[:800], batches[0])
    fill(EVENTS[800:], batches[1])
    run(settings, batches[0])
    drain(settings, batches[1])
    validate(settings, batches[1])
    killed = 0
    for delay in (0.0, 0.02, 0.04, 0.07, 0.1, 0.15):
        killed += _publish_and_kill(settings, batches[1], delay)
        for path in settings.local_lake.glob("year=*/**/*.parquet"):
            pq.read_metadata(path)  # a reader never sees half a file
    assert killed, "no kill came before the end"
    validate(settings, batches[1])
    publish(settings, batches[1])
    assert sum(map(len, lake_rows(settings).values())) == len(EVENTS)
    report = verify(settings.local_lake)
    assert report.ok, report.problems


def _publish_and_kill(settings: Settings, batch: Batch, delay_s: float) -> bool:
    """Publish in a process that is killed ``delay_s`` after it began; whether the kill came in time."""
    code = (
        "import sys; from datetime import datetime; from firehose.batch.interval import Batch\n"
        "from firehose.lake.publish import publish; from firehose.settings import Settings\n"
        "print('go', flush=True)\n"
        "publish(Settings(lake=sys.argv[1]), Batch.parse(sys.argv[2], 60)); print('done', flush=True)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, settings.lake, batch.id], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "go\n"
    time.sleep(delay_s)  # where in its work the kill comes, not a wait for anything
    os.kill(process.pid, signal.SIGKILL)
    rest = process.stdout.read()
    process.stdout.close()
    process.wait()
    return "done" not in rest


def test_rows_that_vanish_are_never_published_over(settings: Settings, batches: list[Batch], fill: Fill) -> None:
    fill(EVENTS, batches[0])
    drain(settings, batches[0])
    validate(settings, batches[0])
    path = staged_path(settings.local_lake, batches[0], schema.LIKES)
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.slice(1), path)
    with pytest.raises(CorruptBatch, match="differs from what was validated"):
        publish(settings, batches[0])
    assert read_entry(entry_path(settings.local_lake, batches[0])) is None
    validate(settings, batches[0])
    publish(settings, batches[0])
    assert sum(map(len, lake_rows(settings).values())) == len(EVENTS)


def test_a_count_that_differs_from_the_manifest_stops_the_batch(
    settings: Settings, batches: list[Batch], fill: Fill
) -> None:
    fill(EVENTS, batches[0])
    manifest = Path(drain(settings, batches[0]).manifest)
    described = msgspec.json.decode(manifest.read_bytes())
    described["queues"]["likes"]["events"] += 1
    manifest.write_bytes(msgspec.json.encode(described))
    with pytest.raises(CorruptBatch, match="nothing is published"):
        validate(settings, batches[0])
    assert read_result(settings.local_lake, batches[0]) is None


def test_a_hostile_time_founds_no_partition(settings: Settings, batches: list[Batch], fill: Fill) -> None:
    line = EVENTS[0]
    head, _, rest = line.partition(b'"time_us":')
    digits = rest.split(b",", 1)[0]
    fill([line.replace(digits, b"4102444800000001", 1), line.replace(digits, b"-5", 1)], batches[0])
    run(settings, batches[0])
    assert head
    assert list(settings.local_lake.glob("year=*")) == []


def test_verify_sees_a_changed_record(settings: Settings, batches: list[Batch], fill: Fill) -> None:
    fill(EVENTS, batches[0])
    run(settings, batches[0])
    path = next(iter(settings.local_lake.glob("year=*/**/posts.parquet")))
    table = pq.read_table(path, partitioning=None)
    texts = [text and text + "!" for text in table["text"].to_pylist()]
    column = table.schema.get_field_index("text")
    pq.write_table(table.set_column(column, table.schema.field("text"), pa.array(texts, pa.string())), path)
    report = verify(settings.local_lake)
    assert not report.ok
    assert report.types["posts"].mismatched > 0
    assert any("its record gives" in problem for problem in report.problems)


def test_verify_sees_a_lost_row_and_a_second_copy(settings: Settings, batches: list[Batch], fill: Fill) -> None:
    fill(EVENTS, batches[0])
    run(settings, batches[0])
    likes = next(iter(settings.local_lake.glob("year=*/**/likes.parquet")))
    table = pq.read_table(likes, partitioning=None)
    pq.write_table(table.slice(1), likes)
    assert any("should have" in problem for problem in verify(settings.local_lake).problems)
    pq.write_table(pa.concat_tables([table.slice(1), table.slice(1, 1)]), likes)
    assert any("are copies" in problem for problem in verify(settings.local_lake).problems)
