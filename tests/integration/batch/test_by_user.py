"""Hours in which large accounts have files of their own: how it is decided, kept, lost and found again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from firehose import parquet, schema
from firehose.errors import CorruptBatch, CorruptLake, LakeChanged
from firehose.lake import adopt, closing, layout, recorded, users, verification
from firehose.lake.check import check
from firehose.lake.hourfile import HourCommit, merge
from firehose.lake.layout import OTHERS, HourFile
from firehose.lake.ledger import entry_path, read_entry
from firehose.lake.publish import publish
from firehose.lake.rebuild import rebuild
from firehose.lake.users import Layout, Rule
from firehose.settings import Settings
from firehose.store import LocalLake
from ingester.contract import crash
from ingester.contract.crash import Point
from tests.support.copies import BATCHES, HOUR, START, Copy, assert_sound, run, stage, stored, table_of

#: did:plc:0 has events 0, 3, 6…; of those before the edge it has most.
EARLY = [Copy(event, HOUR * layout.HOUR_US - 1 - event) for event in (0, 3, 6, 9, 1, 4, 7, 2)]
LATE = [Copy(event, HOUR * layout.HOUR_US + event) for event in range(20, 32)]
RULE = Rule(threshold=3, most=16)


@pytest.fixture
def lake(tmp_path: Path) -> LocalLake:
    """An hour that is flat, since nothing is known of the one before, and one that is by user."""
    lake = LocalLake(tmp_path / "lake")
    for batch, copies in zip(BATCHES, (EARLY, LATE), strict=False):
        stage(lake, batch, copies)
        run(lake, batch, RULE)
    return lake


def files(lake: LocalLake, hour: int = HOUR) -> dict[str, list[str]]:
    """The accounts in each file of an hour, by its user."""
    found = {}
    for path in layout.hour_files(lake, schema.LIKES, hour):
        with parquet.opened(path) as source:
            found[layout.file_of(path).user] = sorted(set(source.read(["did"])["did"].to_pylist()))
    return found


def test_accounts_that_were_large_in_the_hour_before_have_files_of_their_own(lake: LocalLake) -> None:
    assert files(lake, HOUR - 1) == {"": ["did:plc:0", "did:plc:1", "did:plc:2"]}
    by_user = {user: [user] for user in ("did:plc:0", "did:plc:1")} | {OTHERS: ["did:plc:2"]}
    assert files(lake) == by_user
    entry = read_entry(LocalLake(entry_path(lake, BATCHES[1])))
    assert entry and entry.files == [HourFile(HOUR, schema.LIKES, user) for user in by_user]
    assert [*entry.hours.values()] == [[schema.LIKES]]
    assert_sound(lake)
    assert not check(lake, 1).differences
    # Another rule changes nothing about an hour that has begun, nor does none.
    for rule, batch in ((Rule(1, 1), BATCHES[2]), (Rule(), BATCHES[3])):
        stage(lake, batch, [*EARLY[:3], *LATE[:3], Copy(40 + rule.most, HOUR * layout.HOUR_US)])
        run(lake, batch, rule)
        assert files(lake, HOUR - 1).keys() == {""}
        assert files(lake).keys() == by_user.keys()
    assert_sound(lake)


def of_accounts(counts: dict[str, int]) -> pa.Table:
    rows = table_of(
        schema.LIKES, BATCHES[0], [Copy(n, HOUR * layout.HOUR_US) for n in range(sum(counts.values()))]
    )
    dids = [did for did, count in counts.items() for _ in range(count)]
    return rows.set_column(rows.schema.get_field_index("did"), "did", pa.array(dids))


@pytest.mark.parametrize("closed", [False, True])
def test_the_largest_accounts_are_chosen_and_only_names_that_fit_a_path(tmp_path: Path, closed: bool) -> None:
    lake, file = LocalLake(tmp_path / "lake"), HourFile(HOUR, schema.LIKES)
    counts = {"did:plc:b": 4, "did:plc:a": 4, "did:web:x%3A1": 9, "did:plc:small": 2, "did:web:x.org": 5}
    counts["did:plc:" + "x" * 250] = 9
    groups = [of_accounts(counts)]
    merge(file.path(lake), HourCommit(schema.LIKES, START, lambda _=None: iter(groups)))
    if closed:
        closing.close(lake, file)
    wanted = ["did:web:x.org", "did:plc:a", "did:plc:b"]
    for hour_on, most in enumerate((1, 2, 9)):
        (recorded.folder_of(lake, HOUR + 1) / schema.LIKES).discard_all()
        decided = users.settled(lake, schema.LIKES, HOUR + 1, Rule(3, most), lambda _: False)
        assert decided == Layout(True, wanted[:most]), hour_on
        assert users.layout_of(lake, schema.LIKES, HOUR + 1) == decided
    # An hour with none of them is decided as well; types that are never by user are not.
    assert users.settled(lake, schema.LIKES, HOUR + 7, Rule(3, 9), lambda _: False) == Layout()
    assert not users.settled(lake, schema.FOLLOWS, HOUR + 1, Rule(1, 9), lambda _: False).by_user
    assert not lake.find(f"_hours/*/*/{schema.FOLLOWS}/*")


def test_a_layout_decided_by_another_process_meanwhile_stops_the_commit(lake: LocalLake) -> None:
    stage(lake, BATCHES[2], [Copy(50, (HOUR + 1) * layout.HOUR_US)])
    real = users.settled

    def overtaken(*args: object, **rule: object) -> Layout:
        found = real(*args, **rule)  # type: ignore[arg-type]
        users.restore(lake, schema.LIKES, HOUR + 1, ["did:plc:0"])
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(users, "settled", overtaken)
        with pytest.raises(LakeChanged, match="decided the layout of this hour meanwhile"):
            run(lake, BATCHES[2])
    run(lake, BATCHES[2])
    assert files(lake, HOUR + 1) == {OTHERS: ["did:plc:2"]}
    assert_sound(lake)


@pytest.mark.parametrize("point", [Point.LAYOUT_SYNCED, Point.LAYOUT_RENAMED, Point.HOUR_RENAMED])
def test_a_death_around_the_decision_loses_nothing(tmp_path: Path, point: Point) -> None:
    lake = LocalLake(tmp_path / "lake")
    stage(lake, BATCHES[0], EARLY)
    run(lake, BATCHES[0], RULE)
    stage(lake, BATCHES[1], LATE)
    settings = Settings(lake=str(lake), user_files_events=RULE.threshold)
    code = (
        "import sys, msgspec; from firehose.batch.interval import Batch; from firehose.settings import Settings\n"
        "from firehose.lake.publish import publish\n"
        "publish(Settings(lake=sys.argv[1], user_files_events=3), Batch.parse(sys.argv[2], 300))"
    )
    proof = tmp_path / "proof"
    environ = {**os.environ, crash.AT: str(point), crash.PROOF: str(proof)}
    died = subprocess.run([sys.executable, "-c", code, str(lake), BATCHES[1].id], env=environ, check=False)
    assert (died.returncode, proof.exists()) == (-signal.SIGKILL, True)
    publish(settings, BATCHES[1])
    assert files(lake).keys() == {"did:plc:0", "did:plc:1", OTHERS}
    assert [event for event, _, _ in stored(lake)[HOUR]] == [copy.event for copy in LATE]
    assert_sound(lake)


def layout_path(lake: LocalLake, hour: int = HOUR) -> LocalLake:
    return recorded.folder_of(lake, hour) / schema.LIKES / "layout.json"


@pytest.mark.parametrize("mend", ["rebuild", "adopt"])
def test_a_lost_layout_stops_whoever_needs_it_and_is_found_again(lake: LocalLake, mend: str) -> None:
    before = stored(lake)
    said = layout_path(lake).read_bytes()
    layout_path(lake).remove()
    stage(lake, BATCHES[2], [Copy(60, HOUR * layout.HOUR_US)])
    with pytest.raises(CorruptLake, match=r"layout.json: is missing.*firehose rebuild"):
        run(lake, BATCHES[2])
    stage(lake, BATCHES[2], [Copy(60, HOUR * layout.HOUR_US - 9)])
    with pytest.raises(CorruptLake, match=r"layout.json: is missing"):
        run(lake, BATCHES[2])
    assert len(check(lake, 1).differences) == 3
    if mend == "adopt":
        assert adopt.accept(lake, schema.LIKES, HOUR) == len(LATE)
    else:
        pytest.importorskip("firehose.lake.rebuild")
        with pytest.raises(CorruptBatch, match="raw batches cannot be read"):  # there are none in this test
            rebuild(lake, schema.LIKES, [HOUR], reason="lost")
    assert layout_path(lake).read_bytes() == said
    assert stored(lake) == before
    run(lake, BATCHES[2])
    assert_sound(lake)


def test_an_hour_of_which_nothing_is_left_is_not_begun_again(lake: LocalLake) -> None:
    """Its files, their records and its layout are gone: only the ledger knows of it."""
    for path in layout.hour_files(lake, schema.LIKES, HOUR):
        path.remove()
    recorded.folder_of(lake, HOUR).discard_all()
    stage(lake, BATCHES[2], [Copy(60, HOUR * layout.HOUR_US)])
    for rule in (Rule(), RULE):
        with pytest.raises(LakeChanged, match="the ledger says that batches wrote it"):
            run(lake, BATCHES[2], rule)
    assert not layout.hour_files(lake, schema.LIKES, HOUR)
    assert {str(one.file) for one in check(lake, 1).differences} >= {
        f"{layout.hour_name(HOUR)} likes {user}" for user in ("did:plc:0", "did:plc:1", OTHERS)
    }


def test_files_that_do_not_belong_to_the_layout_are_named(lake: LocalLake) -> None:
    own = HourFile(HOUR, schema.LIKES, "did:plc:0").path(lake)
    stray = HourFile(HOUR, schema.LIKES, "did:plc:9").path(lake)
    own.copy_to(stray)
    own.copy_to(HourFile(HOUR, schema.LIKES).path(lake))
    said = "\n".join(assert_unsound(lake))
    assert "likes did:plc:9: the layout of its hour has no such file" in said
    assert "likes: the hour has files by user as well" in said
    assert "user_did=did:plc:9/likes.parquet: has rows of did:plc:0, which belong into another file" in said
    users.restore(lake, schema.LIKES, HOUR - 1, ["did:plc:0"])
    assert not users.layout_of(lake, schema.LIKES, HOUR - 1).by_user, "a flat hour stays flat"


def assert_unsound(lake: LocalLake) -> Sequence[str]:
    from firehose.lake.verify import verify

    report = verify(lake)
    assert not report.ok
    return report.problems


def test_each_file_is_closed_and_verified_alone(lake: LocalLake) -> None:
    before = stored(lake)
    now = START + timedelta(days=30)
    wanted = [HourFile(HOUR - 1, schema.LIKES)]
    wanted += [HourFile(HOUR, schema.LIKES, user) for user in ("did:plc:0", "did:plc:1", OTHERS)]
    assert closing.closable(lake, now, timedelta(hours=1)).files == wanted
    assert [closing.close(lake, file).rows for file in wanted] == [8, 4, 4, 4]
    assert [verification.verify(lake, file).rows for file in wanted] == [8, 4, 4, 4]
    assert closing.closable(lake, now, timedelta(hours=1)).files == []
    assert stored(lake) == before
    assert_sound(lake)
