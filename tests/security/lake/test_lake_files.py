"""Files of the lake are moved, cut, swapped or restored while the pipeline runs: it stops, and is made whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from firehose import schema
from firehose.areas import Area
from firehose.batch import manifest as manifests
from firehose.batch.interval import Batch
from firehose.errors import CorruptBatch, CorruptLake, FirehoseError, LakeChanged
from firehose.lake import layout, recorded
from firehose.lake.adopt import accept, begin, watched
from firehose.lake.check import check
from firehose.lake.ledger import entry_path, read_entry, read_ledger
from firehose.lake.publish import publish
from firehose.lake.rebuild import rebuild
from firehose.lake.verify import verify
from firehose.settings import Settings
from firehose.store import LocalLake
from firehose_cli.app import app
from tests.security.lake.lakes import EDGE_HOUR, EVENTS, everything, rows, run
from tests.security.lake.spoil import (
    another_byte,
    another_hours,
    both_gone,
    cut,
    empty,
    gone,
    likes,
    torn_record,
    without_record,
)

HOUR = layout.hour_name(EDGE_HOUR)
Spoil = Callable[[Path], None]


SPOILS: dict[str, tuple[Spoil, str]] = {
    "moved away": (gone, "the file is missing"),
    "cut off": (cut, "that is not whole Parquet"),
    "empty": (empty, "a file of 0 bytes that is not whole Parquet"),
    "another hour's": (another_hours, "there is another file, of"),
    "one bit": (another_byte, "the size and the footer, but other bytes"),
    "record lost": (without_record, "it has no record; there is another file"),
    "record torn": (torn_record, "not a record of an hour file"),
    "both lost": (both_gone, "the ledger says that batches wrote it, there is no record; the file is missing"),
}


@pytest.mark.parametrize("how", SPOILS)
def test_a_publication_stops_before_it_writes_and_a_rebuild_gives_equal_rows(
    settings: Settings, batches: list[Batch], how: str
) -> None:
    lake, (spoil, words) = settings.local_lake, SPOILS[how]
    before = rows(lake)
    path = likes(settings)
    whole = path.read_bytes()
    spoil(path)
    spoilt = everything(lake)
    with pytest.raises(LakeChanged) as caught:
        publish(settings, batches[2])
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith(f"{HOUR} likes: ") and words in said and "nothing was written" in said
    assert said.endswith(f"firehose rebuild {HOUR} --type likes")
    assert everything(lake) == spoilt, "nothing was written, of no type"
    assert any(one.startswith(f"{HOUR} likes: ") for one in verify(lake).problems)
    assert [str(one).split(":")[0] for one in check(lake, 1).differences] == [f"{HOUR} likes"]

    rebuilt(settings, HOUR)
    assert rows(lake) == before
    aside = list((lake / "_aside").rglob("*.parquet"))
    assert [one.read_bytes() for one in aside] == ([] if not path_was_there(how) else [spoilt[name_of(path)]])
    (entry, *_) = [one for one in read_ledger(lake) if one.rebuilt]
    assert [(one.hour, one.record_type, one.reason) for one in entry.rebuilt] == [(HOUR, "likes", "found out")]
    assert verify(lake).problems == []
    publish(settings, batches[2])
    assert verify(lake).problems == []
    assert sum(map(len, rows(lake).values())) == len(EVENTS)
    assert len(whole) > 0


def path_was_there(how: str) -> bool:
    return how not in ("moved away", "both lost")


def name_of(path: Path) -> str:
    return str(path.relative_to(path.parents[4]))


def rebuilt(settings: Settings, *arguments: str) -> str:
    """Run ``firehose rebuild``; its output."""
    environment = {"FIREHOSE_LAKE": str(settings.local_lake), "FIREHOSE_HOME": settings.home}
    done = CliRunner().invoke(app, ["rebuild", *arguments, "--reason", "found out"], env=environment)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def test_what_a_rerun_counts_is_the_same_after_a_rebuild(settings: Settings, batches: list[Batch]) -> None:
    counts = {entry.batch: entry.counts for entry in read_ledger(settings.local_lake)}
    before = rows(settings.local_lake)
    gone(likes(settings))
    rebuilt(settings, HOUR)
    for batch in (*batches[:2], batches[1]):
        run(settings, batch)
        assert verify(settings.local_lake).problems == []
    assert rows(settings.local_lake) == before
    assert {entry.batch: entry.counts for entry in read_ledger(settings.local_lake)} == counts
    entry = read_entry(entry_path(settings.local_lake, batches[0]))
    assert entry and entry.rebuilt, "a rerun does not forget that the hour was rebuilt"


def test_a_neighbour_whose_copies_count_is_looked_at_as_well(settings: Settings, batches: list[Batch]) -> None:
    # The third batch's events all lie after the edge, near to it.
    gone(layout.hour_file(settings.local_lake, schema.LIKES, EDGE_HOUR - 1))
    spoilt = everything(settings.local_lake)
    with pytest.raises(LakeChanged, match=f"{layout.hour_name(EDGE_HOUR - 1)} likes: .*missing; nothing was"):
        publish(settings, batches[2])
    assert everything(settings.local_lake) == spoilt


def test_two_neighbouring_hours_are_rebuilt_together(settings: Settings, batches: list[Batch]) -> None:
    lake, before = settings.local_lake, rows(settings.local_lake)
    gone(likes(settings))
    layout.hour_file(lake, schema.LIKES, EDGE_HOUR - 1).unlink()
    spoilt = everything(lake)
    both = (layout.hour_name(EDGE_HOUR - 1), HOUR)
    with pytest.raises(LakeChanged, match=f"firehose rebuild {both[0]} {both[1]} --type likes"):
        rebuild(lake, schema.LIKES, [EDGE_HOUR], reason="")
    assert everything(lake) == spoilt
    rebuilt(settings, *both)
    assert rows(lake) == before
    assert verify(lake).problems == []


def test_an_older_copy_with_its_older_record_is_noticed_by_the_ledger(
    settings: Settings, batches: list[Batch]
) -> None:
    path = LocalLake(likes(settings))
    kept = {one: one.read_bytes() for one in (path, recorded.record_path(path))}
    publish(settings, batches[2])
    # The file alone: once the new one was in place, the one before it is not right any more.
    path.write_bytes(kept[path])
    (found,) = check(settings.local_lake, 30).differences
    assert "there is another file, of" in str(found)
    for one, content in kept.items():
        one.write_bytes(content)
    (found,) = check(settings.local_lake, 30).differences
    assert str(found) == f"{HOUR} likes: the ledger says that batch {batches[2].id} wrote it; the file is older"
    rebuilt(settings, HOUR, "--type", "likes")
    assert check(settings.local_lake, 30).differences == []
    assert sum(map(len, rows(settings.local_lake).values())) == len(EVENTS)


def test_a_rebuild_without_a_raw_batch_is_refused_or_said_to_lose_rows(
    settings: Settings, batches: list[Batch]
) -> None:
    lake, before = settings.local_lake, rows(settings.local_lake)
    gone(likes(settings))
    shutil.rmtree(manifests.folder_of(lake, batches[1]))
    spoilt = everything(lake)
    with pytest.raises(CorruptBatch, match=r"1 of 2 raw batches cannot be read: .*nothing was changed") as caught:
        rebuild(lake, schema.LIKES, [EDGE_HOUR], reason="")
    assert "--partial" in str(caught.value)
    assert everything(lake) == spoilt
    (done,) = rebuild(lake, schema.LIKES, [EDGE_HOUR], reason="", partial=True)
    name = name_of(likes(settings))
    kept = [row for row in before[name] if row["batch"] == batches[0].start]
    assert rows(lake)[name] == kept
    assert (done.rows, done.before) == (len(kept), len(before[name]))
    lost = {entry.batch: [one.lost for one in entry.rebuilt] for entry in read_ledger(lake)}
    assert lost[batches[0].id] == [0] and lost[batches[1].id][0] >= done.before - done.rows > 0
    assert verify(lake).problems == [], "what was lost is in the ledger, and what is there adds up"


def test_rows_that_raw_batches_do_not_give_are_not_put_in_silently(
    settings: Settings, batches: list[Batch]
) -> None:
    path = recorded.record_path(LocalLake(likes(settings)))
    path.write_bytes(path.read_bytes().replace(b'"rows":', b'"rows":1'))
    gone(likes(settings))
    with pytest.raises(CorruptLake, match=r"the raw batches give .* nothing was changed"):
        rebuild(settings.local_lake, schema.LIKES, [EDGE_HOUR], reason="")


def test_a_share_of_the_files_is_read_each_day_and_all_of_them_in_time(
    settings: Settings, batches: list[Batch]
) -> None:
    lake, day = settings.local_lake, date(2026, 12, 1)
    check(lake, 5, day)
    another_byte(likes(settings))
    seen = [bool(check(lake, 5, day + timedelta(days=number)).differences) for number in range(1, 6)]
    assert sum(seen) == 1, "read once in five days"
    # After days without a check the missed shares are read as well.
    assert check(lake, 5, day + timedelta(days=20)).differences


class Old:
    """A lake as the version before left it: nothing knows of records."""

    def __init__(self, settings: Settings) -> None:
        self.lake = settings.local_lake
        shutil.rmtree(Area.HOURS.of(self.lake))
        for path in (self.lake / "_ledger").rglob("batch=*.json"):
            path.write_bytes(path.read_bytes().replace(b'"recorded": true', b'"recorded": false'))
        assert not any(entry.recorded for entry in read_ledger(self.lake))


def test_a_lake_of_the_version_before_is_adopted_once(settings: Settings, batches: list[Batch]) -> None:
    old = Old(settings)
    assert verify(old.lake).problems == []
    files = len(rows(old.lake))
    publish(settings, batches[2])
    mark = watched(old.lake)
    assert mark and mark.adopted == files
    assert verify(old.lake).problems == []
    assert sum(map(len, rows(old.lake).values())) == len(EVENTS)


def test_an_old_lake_that_misses_a_file_is_not_adopted_before_it_is_whole(
    settings: Settings, batches: list[Batch]
) -> None:
    before = rows(settings.local_lake)
    old = Old(settings)
    gone(likes(settings))
    with pytest.raises(LakeChanged, match=f"{HOUR} likes: the ledger says .* missing; nothing was written"):
        publish(settings, batches[2])
    assert watched(old.lake) is None
    rebuilt(settings, HOUR, "--type", "likes")
    assert rows(old.lake) == before
    publish(settings, batches[2])
    assert watched(old.lake)


def test_an_old_lake_with_another_hours_file_is_not_adopted(settings: Settings, batches: list[Batch]) -> None:
    old = Old(settings)
    another_hours(likes(settings))
    with pytest.raises(LakeChanged, match=f"{HOUR} likes: .* has rows of another hour"):
        begin(old.lake)
    assert watched(old.lake) is None


def test_a_lake_that_lost_its_records_is_not_adopted_silently(settings: Settings, batches: list[Batch]) -> None:
    lake = settings.local_lake
    shutil.rmtree(Area.HOURS.of(lake))
    for notices in (lambda: publish(settings, batches[2]), lambda: check(lake, 30)):
        with pytest.raises(LakeChanged, match=r"restore _hours/ from a backup.* firehose adopt"):
            notices()
    assert any("restore _hours/" in one for one in verify(lake).problems)
    environment = {"FIREHOSE_LAKE": str(lake), "FIREHOSE_HOME": settings.home}
    done = CliRunner().invoke(app, ["adopt"], env=environment)
    assert done.exit_code == 0, done.output
    publish(settings, batches[2])
    assert verify(lake).problems == []


def test_a_file_restored_from_a_backup_can_be_accepted(settings: Settings, batches: list[Batch]) -> None:
    without_record(likes(settings))
    assert accept(settings.local_lake, schema.LIKES, EDGE_HOUR) > 0
    publish(settings, batches[2])
    assert verify(settings.local_lake).problems == []


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["rebuild", "yesterday"], "'yesterday' is not an hour: write it like 2026-11-23T20 (UTC)"),
        (["rebuild", HOUR, "--type", "lykes"], "--type lykes: not a record type; there are posts, likes"),
        (["rebuild", "2001-01-01T00", "--type", "likes"], "neither the ledger nor a record says that a batch"),
        (["adopt", HOUR], "name both the hours and their --type, or neither"),
        (["adopt", "2001-01-01T00", "--type", "likes"], "is not there"),
        (["verify", "--home", "/nowhere"], "/nowhere/lake: no lake there"),
    ],
)
def test_a_wrong_command_is_one_line_and_changes_nothing(
    settings: Settings, command: list[str], words: str
) -> None:
    before = everything(settings.local_lake)
    environment = {"FIREHOSE_LAKE": str(settings.local_lake), "FIREHOSE_HOME": settings.home}
    done = CliRunner().invoke(app, command, env=environment)
    assert isinstance(done.exception, FirehoseError)
    assert words in str(done.exception) and "\n" not in str(done.exception)
    assert everything(settings.local_lake) == before


def test_the_quick_verification_says_what_differs(settings: Settings) -> None:
    environment = {"FIREHOSE_LAKE": str(settings.local_lake), "FIREHOSE_HOME": settings.home}
    whole = CliRunner().invoke(app, ["verify", "--quick"], env=environment)
    assert (whole.exit_code, "all is well" in whole.output) == (0, True)
    gone(likes(settings))
    done = CliRunner().invoke(app, ["verify", "--quick"], env=environment)
    assert done.exit_code == 1
    assert f"{HOUR} likes: its record says" in done.output and "firehose rebuild HOUR" in done.output
