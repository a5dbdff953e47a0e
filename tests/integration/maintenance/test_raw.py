"""Raw files go once all that was in them is provably in the lake, and whoever looks for them is told plainly."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from firehose import schema
from firehose.batch import manifest as manifests
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.batch.lock import lock_path
from firehose.errors import CorruptBatch, NotStaged, RawExpired
from firehose.lake import audit, layout
from firehose.lake.audit import State
from firehose.lake.ledger import entry_path, read_entry, write_entry
from firehose.lake.publish import publish
from firehose.lake.rebuild import rebuild
from firehose.lake.verify import verify
from firehose.maintenance import hour_files
from firehose.maintenance.facts import NoVerifiedSet
from firehose.quality import workers
from firehose.quality.result import staged_folder
from firehose.quality.validate import validate
from firehose.settings import Settings
from tests.support.frames import fill, minutes
from tests.support.maintained import HOUR, LIKES, Holding, expired, maintenance, proven, published, raw_files
from tests.support.staging import stage


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    return Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=redis_url)


@pytest.fixture
def batches(settings: Settings, redis_client: redis.Redis) -> list[Batch]:
    """Three batches over two hours with copies of each other's events, the last one published first."""
    found = one, two, three = minutes(3)
    published(settings, redis_client, {one: LIKES[:100], two: LIKES[80:200], three: LIKES[160:]})
    return found


def test_raw_goes_once_its_hours_are_verified_and_its_time_is_over(
    settings: Settings, batches: list[Batch], redis_client: redis.Redis
) -> None:
    lake = settings.local_lake
    assert not maintenance(settings, days=0.25).plan().removals
    work = maintenance(settings)
    opened = work.plan()
    names = [f"{layout.hour_name(HOUR + n)} likes" for n in (-1, 0)]
    assert [str(hour.file) for hour in opened.closes] == names and not opened.checks
    assert {kept.why for kept in opened.kept} == {f"{names[0]} is not closed yet"}
    assert work.close(0).closed == 0, "no time is left: the next run goes on"
    closed = work.close(60)
    assert (closed.closed, closed.open) == (2, 0)
    before = work.plan()
    assert [str(check.file) for check in before.checks] == names and not before.removals
    assert {kept.why for kept in before.kept} == {
        f"{layout.hour_name(HOUR - 1)} likes is not verified as it is now"
    }

    assert work.check(0).verified == 0, "no time is left: the next run goes on"
    checked = work.check(60)
    assert (checked.verified, checked.verified_rows, checked.left) == (2, len(LIKES), 0)
    plan = work.plan()
    assert not plan.checks and [removal.what for removal in plan.removals] == [batch.id for batch in batches]
    assert all(raw_files(settings, batch) for batch in batches), "a plan changes nothing"
    done = work.expire()
    assert done.removed == {"raw": 3} and done.freed["raw"] == plan.freed > 0
    assert not any(raw_files(settings, batch) for batch in batches)

    lines = [line for path in audit.log_paths(lake) for line in audit.read(path)]
    assert {line.what: line.state for line in lines} == {batch.id: State.DONE for batch in batches}
    assert all(line.by == "a test" and line.files[0].sha256 and line.why for line in lines)
    report = verify(lake)
    assert report.ok, report.problems
    assert (report.batches, report.batches_expired) == (0, 3)
    assert not work.plan().removals and not work.plan().checks
    _, two, _ = batches
    audit.log_paths(lake)[0].unlink()
    assert f"raw {two.id} is said to have expired" in " ".join(verify(lake).problems)


def test_several_files_are_closed_and_verified_side_by_side(
    settings: Settings, batches: list[Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hour_files, "_FORK_BYTES", 0)
    started, counts = workers._started, list[int]()

    def counted(work: Callable[[Any], Any], count: int) -> AbstractContextManager[dict[Connection, Any]]:
        counts.append(count)
        return started(work, count)

    monkeypatch.setattr(workers, "_started", counted)
    work = maintenance(msgspec.structs.replace(settings, maintenance_processes=2))
    closed, checked = work.close(60), work.check(60)
    assert (closed.closed, closed.open, closed.problems) == (2, 0, [])
    assert (checked.verified, checked.verified_rows, checked.left) == (2, len(LIKES), 0)
    assert counts == [2, 2], "processes, each time"
    assert work.expire().removed == {"raw": 3} and verify(settings.local_lake).verdict == "sound"


def test_whoever_looks_for_raw_files_is_told_that_they_have_expired(
    settings: Settings, batches: list[Batch], redis_client: redis.Redis
) -> None:
    lake, (_, two, three) = settings.local_lake, batches
    proven(maintenance(settings)).expire()
    said = (
        f"batch={two.id}: its raw files expired on .* the lake holds all that was in them, and nothing was changed"
    )
    with pytest.raises(RawExpired, match=said):
        validate(settings, two)
    assert not staged_folder(lake, two).find("*"), "a validation has not begun"
    with pytest.raises(CorruptBatch, match=r"2 of 2 raw batches cannot be read: .*expired on .*backup"):
        rebuild(lake, schema.LIKES, [HOUR], reason="test")
    # Publishing alone is answered for by the ledger, also once the results of validations are gone.
    shutil.rmtree(lake / "_quality")
    entry = read_entry(entry_path(lake, two))
    assert entry and publish(settings, two).stored == entry.counts[schema.LIKES].stored
    entry_path(lake, three).unlink()
    with pytest.raises(NotStaged, match=r"Its raw files have expired: restore .* from a backup"):
        publish(settings, three)


def test_a_cleared_drain_takes_nothing_and_what_an_older_redis_brings_back_is_a_duplicate(
    settings: Settings, batches: list[Batch], redis_client: redis.Redis
) -> None:
    lake, (one, _, three) = settings.local_lake, batches
    proven(maintenance(settings)).expire()
    redis_client.flushall()  # and restored from a copy of before the first drain
    fill(redis_client, LIKES[:100], one)
    assert drain(settings, one).events == 100, "the manifest still answers"
    assert redis_client.xlen("firehose:likes:queue") == 1, "what cannot be compared with a copy stays in Redis"
    later = Batch.of(three.end, three.end.replace(second=30))
    fill(redis_client, LIKES[100:110], later)
    drain(settings, later)
    assert not redis_client.xlen("firehose:likes:queue"), "the next batch takes it as late frames"
    stage(lake, later, schema.LIKES, [HOUR - 1, HOUR])
    done = publish(settings, later)
    assert (done.stored, done.duplicates) == (0, 110)
    report = verify(lake)
    assert report.ok and report.types[schema.LIKES].rows == len(LIKES)


def change_ledger(settings: Settings, batch: Batch) -> None:
    path = entry_path(settings.local_lake, batch)
    entry = read_entry(path)
    assert entry is not None
    counts = entry.counts[schema.LIKES]
    more = msgspec.structs.replace(counts, stored=counts.stored + 1, good=counts.good + 1)
    write_entry(path, msgspec.structs.replace(entry, counts={schema.LIKES: more}))


def spoil_page(settings: Settings, _: Batch) -> None:
    path = layout.hour_file(settings.local_lake, schema.LIKES, HOUR)
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)


def cut(settings: Settings, _: Batch) -> None:
    path = layout.hour_file(settings.local_lake, schema.LIKES, HOUR)
    path.write_bytes(path.read_bytes()[:-100])


def validate_again(settings: Settings, batch: Batch) -> None:
    stage(settings.local_lake, batch, schema.LIKES, [HOUR - 1, HOUR])


def lose_ledger(settings: Settings, batch: Batch) -> None:
    entry_path(settings.local_lake, batch).unlink()


AGAINST: dict[str, tuple[Callable[[Settings, Batch], None], str]] = {
    "the ledger counts another row": (
        change_ledger,
        "the ledger says that it stored 1\\d\\d rows of likes, the hour",
    ),
    "a flipped bit": (spoil_page, "does not have the bytes that its record says"),
    "a file cut off": (cut, "is not what its record says"),
    "validated again": (validate_again, "a step works with it"),
    "not published": (lose_ledger, "it is not published"),
}


@pytest.mark.parametrize("case", AGAINST)
def test_raw_is_kept_where_anything_is_against_it(settings: Settings, batches: list[Batch], case: str) -> None:
    happens, why = AGAINST[case]
    work, (_, two, _) = proven(maintenance(settings)), batches
    happens(settings, two)
    kept = work.plan().kept
    done = work.expire()
    lines = [line for path in audit.log_paths(settings.local_lake) for line in audit.read(path)]
    reasons = {one.what: one.why for one in kept} | {
        line.what: line.why for line in lines if line.state is State.KEPT
    }
    assert re.search(why, reasons[two.id])
    assert raw_files(settings, two) and not expired(settings, two)
    assert done.kept["raw"] >= 1
    assert bool(done.alarming) == (case not in ("validated again", "not published"))


def test_raw_is_kept_while_a_step_works_with_it(settings: Settings, batches: list[Batch]) -> None:
    work, (_, two, _) = proven(maintenance(settings)), batches
    with lock_path(settings.local_lake, two.id).lock():
        done = work.expire()
    assert (done.removed, done.kept) == ({"raw": 2}, {"raw": 1})
    assert raw_files(settings, two) and not expired(settings, two)
    assert work.expire().removed == {"raw": 1}


def test_with_a_backup_raw_goes_when_it_holds_it_and_only_then(settings: Settings, batches: list[Batch]) -> None:
    one, two, _ = batches
    lake = settings.local_lake
    digest = {batch.id: (manifests.folder_of(lake, batch) / manifests.NAME).sha256() for batch in batches}
    held = {(one.id, digest[one.id]), (two.id, "of another manifest")}
    work = proven(maintenance(settings, backup=Holding(held)))
    assert not maintenance(settings, backup=NoVerifiedSet()).plan().removals
    assert [removal.what for removal in work.plan().removals] == [one.id]
    assert {kept.why for kept in work.plan().kept} == {"no verified backup holds it"}
    now = maintenance(settings, days=0, backup=Holding())
    assert now.expire().removed == {"raw": 3}, "what a backup holds need not wait for its time"
    assert verify(lake).ok


def test_rows_that_their_source_sent_with_another_cid_are_no_damage_afterwards(
    settings: Settings, redis_client: redis.Redis
) -> None:
    (one,), lake = minutes(1), settings.local_lake
    cid = re.compile(rb'"cid":"bafyrei[a-z2-7]+"\}\}')
    (of_another,) = cid.findall(LIKES[7])
    odd = cid.sub(of_another, LIKES[3])
    assert odd != LIKES[3]
    published(settings, redis_client, {one: [*LIKES[:3], odd, *LIKES[4:90]]})
    assert verify(lake).verdict == "the source's own records differ"
    assert proven(maintenance(settings)).expire().removed == {"raw": 1}
    report = verify(lake)
    assert report.verdict == "the source's own records differ", report.problems
    assert report.types[schema.LIKES].source_differs == 1
