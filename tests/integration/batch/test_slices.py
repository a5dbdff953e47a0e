"""A large window in slices that commit: the same rows, nothing done twice, memory that does not grow, no flood."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from firehose import schema
from firehose.batch import manifest as manifests
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.errors import CorruptBatch, FirehoseError, NotStaged, PoisonFlood
from firehose.lake import commit as committing
from firehose.lake import rowgroups, staged
from firehose.lake.footers import Merged
from firehose.lake.hourfile import HourCommit, merge
from firehose.lake.ledger import LedgerEntry, entry_path, read_entry
from firehose.lake.publish import publish
from firehose.lake.verify import verify
from firehose.quality import slices as slicing
from firehose.quality import validate as validating
from firehose.quality.outcome import SliceResult
from firehose.quality.quarantine import SAMPLE_ROWS, quarantine_path, sample_path
from firehose.quality.result import staged_folder, staged_slices
from firehose.quality.slices import Slice, validate_slice
from firehose.quality.validate import validate
from firehose.settings import Settings
from firehose.store import LakePath
from jetstream_simulator import generate

Fill = Callable[[Iterable[bytes], Batch], None]
# Two hours meet in these events.
START_US = 1_780_002_000_000_000 - 300 * 1_000_000
ALL_TYPES = list(generate.events(3000, seed=8, start_us=START_US, rate=5, malformed=0.02))
#: Of three types, and malformed ones: Great Expectations takes a tenth of a second for each type of a slice.
EVENTS = [
    line
    for line in generate.events(5000, seed=8, start_us=START_US, rate=8, malformed=0.02)
    if not any(other in line for other in (b"feed.repost", b".graph.", b".actor.", b'"kind":"account"'))
][:3000]


class Killed(FirehoseError):
    """Stands for a death: what it interrupts is left as it is. (The crash tests kill for real.)"""


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some hundred events a slice, in both steps."""
    monkeypatch.setattr(validating, "SLICE_BYTES", 150_000)
    monkeypatch.setattr(staged, "COMMIT_ROWS", 300)


def rows_of(lake: Path) -> dict[str, list[str]]:
    paths = sorted(lake.glob("year=*/**/*.parquet"))
    found: dict[str, list[str]] = {}
    for path in paths:
        rows = pq.read_table(path, partitioning=None).to_pylist()
        found.setdefault(str(path.relative_to(lake)), []).extend(sorted(map(str, rows)))
    return found


def entry_of(settings: Settings, batch: Batch) -> LedgerEntry:
    entry = read_entry(entry_path(settings.local_lake, batch))
    assert entry is not None
    return entry


@pytest.mark.parametrize("fork_bytes", [1 << 40, 0], ids=["one process", "two processes"])
def test_slices_give_the_same_lake(
    settings: Settings, batches: list[Batch], fill: Fill, monkeypatch: pytest.MonkeyPatch, fork_bytes: int
) -> None:
    fill(ALL_TYPES, batches[0])
    drain(settings, batches[0])
    validate(settings, batches[0])
    publish(settings, batches[0])
    whole, counts = rows_of(settings.local_lake), entry_of(settings, batches[0]).counts
    quarantined = pq.read_table(quarantine_path(settings.local_lake, batches[0]), partitioning=None)
    monkeypatch.setattr(validating, "SLICE_BYTES", 150_000)
    monkeypatch.setattr(validating, "_FORK_BYTES", fork_bytes)
    monkeypatch.setattr(staged, "COMMIT_ROWS", 300)
    validate(settings, batches[0])
    assert len(staged_slices(settings.local_lake, batches[0], schema.LIKES)) > 3
    publish(settings, batches[0])
    assert rows_of(settings.local_lake) == whole
    assert entry_of(settings, batches[0]).counts == counts
    again = pq.read_table(quarantine_path(settings.local_lake, batches[0]), partitioning=None)
    assert sorted(again["raw"].to_pylist()) == sorted(quarantined["raw"].to_pylist())
    assert verify(settings.local_lake).ok


def test_a_killed_validation_goes_on_where_it_was(
    settings: Settings, batches: list[Batch], fill: Fill, monkeypatch: pytest.MonkeyPatch, small_slices: None
) -> None:
    fill(EVENTS, batches[0])
    drain(settings, batches[0])
    done: list[Slice] = []

    def dies(task: Slice) -> SliceResult:
        if len(done) == 5:
            raise Killed("now")
        done.append(task)
        return validate_slice(task)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(validating, "validate_slice", dies)
        validate(settings, batches[0])
    folder = staged_folder(settings.local_lake, batches[0])
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("*.slice.json")}
    assert len(kept) == 5
    result = validate(settings, batches[0])
    assert kept.items() <= {path: path.stat().st_mtime_ns for path in folder.glob("*.slice.json")}.items()
    assert result.good + result.quarantined == len(EVENTS)
    # One that has ended is done again: perhaps because the rules have changed.
    validate(settings, batches[0])
    assert all(path.stat().st_mtime_ns != before for path, before in kept.items())
    publish(settings, batches[0])
    assert verify(settings.local_lake).ok


@pytest.mark.parametrize("indexed", [True, False])
def test_a_raw_file_that_lost_its_end_is_validated_once_it_is_given_back(
    settings: Settings, batches: list[Batch], fill: Fill, indexed: bool
) -> None:
    """Without an index, as versions before wrote manifests, a file that ends between two frames looks whole."""
    fill(EVENTS, batches[0])
    drain(settings, batches[0])
    folder = manifests.folder_of(settings.local_lake, batches[0])
    manifest = manifests.read(folder)
    assert manifest is not None
    path, index = folder / manifest.queues["likes"].name, manifest.queues["likes"].index
    if not indexed:
        queues = {name: msgspec.structs.replace(one, index=[]) for name, one in manifest.queues.items()}
        manifests.write(folder, msgspec.structs.replace(manifest, queues=queues))
    whole = path.read_bytes()
    assert len(index) > 1
    path.write_bytes(whole[: -index[-1][0]])
    with pytest.raises(CorruptBatch, match=path.name):
        validate(settings, batches[0])
    path.write_bytes(whole)
    result = validate(settings, batches[0])
    assert result.good + result.quarantined == len(EVENTS)


def test_publishing_does_not_take_half_a_validation(
    settings: Settings, batches: list[Batch], fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(EVENTS, batches[0])
    drain(settings, batches[0])
    validate(settings, batches[0])

    def dies(task: Slice) -> SliceResult:
        raise Killed("at the first slice")

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(validating, "validate_slice", dies)
        validate(settings, batches[0])
    with pytest.raises(NotStaged, match=r"not say that it is published; nothing was written. Clear its validate"):
        publish(settings, batches[0])
    validate(settings, batches[0])
    publish(settings, batches[0])
    assert verify(settings.local_lake).ok
    assert sum(one.received for one in entry_of(settings, batches[0]).counts.values()) == len(EVENTS)


def test_a_killed_publication_goes_on_where_it_was(
    settings: Settings, batches: list[Batch], fill: Fill, monkeypatch: pytest.MonkeyPatch, small_slices: None
) -> None:
    # The next batch repeats some events, and comes between the death and the rerun.
    fill(EVENTS[:2500], batches[0])
    fill(EVENTS[2000:], batches[1])
    for batch in batches[:2]:
        drain(settings, batch)
        validate(settings, batch)
    merged: list[int] = []

    def dies(path: LakePath, new: HourCommit) -> Merged:
        if len(merged) == die_after:
            raise Killed("now")
        merged.append(new.number)
        return merge(path, new)

    monkeypatch.setattr(committing, "merge", dies)
    die_after = 5
    with pytest.raises(Killed):
        publish(settings, batches[0])
    die_after = -1
    assert max(merged) > 0, "it should die within an hour's slices"
    publish(settings, batches[1])
    first = len(merged)
    publish(settings, batches[0])
    rest = len(merged) - first
    report = verify(settings.local_lake)
    assert report.ok, report.problems
    # All over again, the batch being published: nothing is left to be done.
    before = rows_of(settings.local_lake)
    validate(settings, batches[0])
    publish(settings, batches[0])
    assert len(merged) == first + rest
    assert rows_of(settings.local_lake) == before
    assert verify(settings.local_lake).ok


@pytest.mark.parametrize("sizes", [(300, 4_000_000), (300, 500), (500, 300)])
def test_a_killed_publication_goes_on_with_commits_of_another_size(
    settings: Settings,
    batches: list[Batch],
    fill: Fill,
    monkeypatch: pytest.MonkeyPatch,
    small_slices: None,
    sizes: tuple[int, int],
) -> None:
    fill(EVENTS, batches[0])
    drain(settings, batches[0])
    validate(settings, batches[0])
    merged: list[tuple[LakePath, int]] = []

    def dies(path: LakePath, new: HourCommit) -> Merged:
        if new.number == 1:
            raise Killed("now")
        merged.append((path, new.number))
        return merge(path, new)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(committing, "merge", dies)
        patched.setattr(staged, "COMMIT_ROWS", sizes[0])
        publish(settings, batches[0])
    path, _ = merged[-1]
    merged.clear()

    def counted(path: LakePath, new: HourCommit) -> Merged:
        merged.append((path, new.number))
        return merge(path, new)

    monkeypatch.setattr(committing, "merge", counted)
    monkeypatch.setattr(staged, "COMMIT_ROWS", sizes[1])
    publish(settings, batches[0])
    assert merged[0] == (path, 1), "what is in the file is not merged again"
    assert sum(one.stored for one in entry_of(settings, batches[0]).counts.values()) == sum(
        len(rows) for rows in rows_of(settings.local_lake).values()
    )
    report = verify(settings.local_lake)
    assert report.ok, report.problems


def test_an_hour_file_is_replaced_once_for_many_slices(
    settings: Settings, batches: list[Batch], fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validating, "SLICE_BYTES", 150_000)
    fill(EVENTS, batches[0])
    drain(settings, batches[0])
    validate(settings, batches[0])
    assert len(staged_slices(settings.local_lake, batches[0], schema.LIKES)) > 3
    merged: list[LakePath] = []

    def counted(path: LakePath, new: HourCommit) -> Merged:
        merged.append(path)
        return merge(path, new)

    monkeypatch.setattr(committing, "merge", counted)
    publish(settings, batches[0])
    assert sorted(merged) == sorted(settings.local_lake.glob("year=*/**/*.parquet"))


def bad_likes(count: int) -> list[bytes]:
    like = next(line for line in EVENTS if b'"create"' in line and b'"collection":"app.bsky.feed.like"' in line)
    return [like.replace(b'"did":"did:', b'"did":"nobody%d:' % number, 1) for number in range(count)]


def test_a_flood_of_bad_events_stops_the_batch(settings: Settings, batches: list[Batch], fill: Fill) -> None:
    flood = [*EVENTS, *bad_likes(6000)]
    fill(flood, batches[0])
    drain(settings, batches[0])
    with pytest.raises(PoisonFlood) as caught:
        validate(settings, batches[0])
    said = str(caught.value)
    assert "\n" not in said
    for word in (batches[0].id, "likes: at least 6", "did: expected", "FIREHOSE_MAX_QUARANTINE_RATE", "clear"):
        assert word in said
    sample = sample_path(settings.local_lake, batches[0])
    assert str(sample) in said
    assert len(pq.read_table(sample, partitioning=None)) == SAMPLE_ROWS
    assert not quarantine_path(settings.local_lake, batches[0]).exists()
    assert not staged_folder(settings.local_lake, batches[0]).exists()
    manifest = manifests.read(manifests.folder_of(settings.local_lake, batches[0]))
    assert manifest is not None
    assert manifest.events == len(flood), "the raw copy stays"
    # Somebody has looked: with a higher limit the good rows are published, and all bad events are kept.
    allowed = msgspec.structs.replace(settings, max_quarantine_rate=1.0)
    result = validate(allowed, batches[0])
    publish(allowed, batches[0])
    assert result.quarantined > 6000
    assert result.good + result.quarantined == len(flood)
    assert not sample.exists()
    assert verify(settings.local_lake).ok


def test_bad_events_below_the_limit_or_the_floor_are_no_flood(
    settings: Settings, batches: list[Batch], fill: Fill
) -> None:
    fill([*ALL_TYPES[:100], *bad_likes(2000)], batches[0])  # most of them, and few
    drain(settings, batches[0])
    assert validate(settings, batches[0]).quarantined == 2000, "none of the hundred is bad"
    allowed = msgspec.structs.replace(settings, max_quarantine_rate=0.8)
    fill([*EVENTS, *bad_likes(5000)], batches[1])  # many, and under four fifths
    drain(allowed, batches[1])
    assert validate(allowed, batches[1]).quarantined > 5000


def test_giant_posts_make_smaller_slices_and_row_groups(
    settings: Settings, batches: list[Batch], fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = next(line for line in EVENTS if b'"create"' in line and b'"text":"' in line)
    rev = msgspec.json.decode(post)["commit"]["rev"].encode()
    giant = post.replace(b'"text":"', b'"text":"' + b"x" * 200_000)
    giants = [giant.replace(rev, rev[:-2] + a + b) for a in (b"a", b"b", b"c") for b in (b"d", b"e", b"f", b"g")]
    fill([*giants, *EVENTS[:200]], batches[0])
    drain(settings, batches[0])
    tables: list[int] = []

    def counted(path: LakePath, new: HourCommit) -> Merged:
        def rows(columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
            for table in new.rows(columns):
                tables.append(table.nbytes)
                yield table

        return merge(path, new._replace(rows=rows))

    monkeypatch.setattr(rowgroups, "ROW_GROUP_BYTES", 500_000)
    monkeypatch.setattr(slicing, "CHUNK_EVENTS", 2)
    monkeypatch.setattr(committing, "merge", counted)
    validate(settings, batches[0])
    publish(settings, batches[0])
    assert 200_000 < max(tables) < 1_500_000
    counts = entry_of(settings, batches[0]).counts.values()
    assert sum(one.stored + one.quarantined for one in counts) == len(giants) + 200
    for path in settings.local_lake.glob("year=*/**/posts.parquet"):
        of_file = pq.read_metadata(path)
        sizes = [of_file.row_group(number).total_byte_size for number in range(of_file.num_row_groups)]
        assert max(sizes) < 800_000


def peak_mib(step: Callable[[], object]) -> float:
    """The most that Arrow, which holds the rows, has allocated while a forked process runs a step, in MiB.

    The resident size would show how allocators keep what they were given back, more than what the step holds.
    """
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def run() -> None:
        sizes = [0]
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.001):
                sizes.append(pa.total_allocated_bytes())

        watcher = threading.Thread(target=watch)
        watcher.start()
        step()
        ended.set()
        watcher.join()
        theirs.send(max(sizes) / 2**20)

    process = context.Process(target=run)
    process.start()
    theirs.close()
    peak: float = ours.recv()
    process.join()
    return peak


def as_of_others(lines: list[bytes], letters: bytes) -> Iterator[bytes]:
    """Events once more for each letter, in the DIDs of other accounts: many are sooner changed than made."""
    at = len(b'{"did":"did:plc:')
    for line in lines:
        for number in range(len(letters)):
            yield line[:at] + letters[number : number + 1] + line[at + 1 :]


def test_memory_does_not_grow_with_the_number_of_slices(
    settings: Settings, batches: list[Batch], fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validating, "PROCESSES", 1)
    monkeypatch.setattr(slicing, "CHUNK_EVENTS", 2_000)
    peaks: dict[str, list[float]] = {"validate": [], "publish": []}
    made = list(generate.events(40_000, seed=40_001, start_us=START_US, rate=170))
    # Three times the events in slices of the same size; then the same ones in one slice and one row group, which
    # must show.
    for batch, letters, most in zip(batches, (b"a", b"bcd", b"efg"), (1, 1, 1000), strict=False):
        monkeypatch.setattr(validating, "SLICE_BYTES", 2_000_000 * most)
        monkeypatch.setattr(staged, "COMMIT_ROWS", 4_000 * most)
        monkeypatch.setattr(rowgroups, "ROW_GROUP_ROWS", 4_000 * most)
        fill(as_of_others(made, letters), batch)
        drain(settings, batch)
        peaks["validate"].append(peak_mib(lambda batch=batch: validate(settings, batch)))  # type: ignore[misc]
        peaks["publish"].append(peak_mib(lambda batch=batch: publish(settings, batch)))  # type: ignore[misc]
    for step, (small, large, whole) in peaks.items():
        assert large < 2.5 * small, f"{step}: {peaks}"
        # What a step takes of itself, before any event, is in all three, and differs between machines.
        assert large - small < (whole - small) / 10, f"{step}: {peaks}"
