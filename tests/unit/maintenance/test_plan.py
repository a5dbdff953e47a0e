"""What a plan says, by facts alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from firehose.lake.closed_form import CLOSED
from firehose.lake.footers import Footer
from firehose.lake.layout import HourFile
from firehose.lake.ledger import LedgerCounts, LedgerEntry, Rebuilt
from firehose.lake.records import HourRecord
from firehose.lake.verification import Verification
from firehose.maintenance.facts import HourFacts, Item, Policy, RawFacts, Tier
from firehose.maintenance.fate import fate, wanted
from firehose.maintenance.plan import Chosen, lines, make
from firehose.settings import Settings

START = datetime(2026, 11, 23, 20, 40, tzinfo=UTC)
END = START + timedelta(minutes=5)
HOUR = int(START.timestamp()) // 3600
POLICY = Policy.of(Settings())
LATER = END + timedelta(hours=12)
RECORD = HourRecord(
    rows=9,
    bytes=90,
    sha256="a",
    footer_sha256="f",
    by="b",
    recorded_at=START,
    form=CLOSED,
    footer=Footer({}, {}, {}),
)
PROOF = Verification(sha256="a", rows=9, verified_at=END, batches={"20261123T204000Z": 9}, source_differs={})
FILE = HourFile(HOUR, "likes")
LIKES = HourFacts(file=FILE, bytes=90, record=RECORD, as_recorded=True, verification=PROOF)
COUNTS = LedgerCounts(received=12, good=9, quarantined=2, duplicates=1, stored=9)
ENTRY = LedgerEntry(
    batch="20261123T204000Z",
    start=START,
    end=END,
    published_at=END,
    counts={"likes": COUNTS},
    hours={"2026-11-23T20": ["likes"]},
)
RAW = RawFacts(
    batch="20261123T204000Z",
    start=START,
    end=END,
    bytes=500,
    events=12,
    entry=ENTRY,
    quarantined=2,
    hours=[LIKES],
)
LOST = Rebuilt(hour="2026-11-23T20", record_type="likes", at=END, reason="", rows=8, lost=1)


def with_hour(**changes: object) -> RawFacts:
    return msgspec.structs.replace(RAW, hours=[msgspec.structs.replace(LIKES, **changes)])


def with_entry(**changes: object) -> RawFacts:
    return msgspec.structs.replace(RAW, entry=msgspec.structs.replace(ENTRY, **changes))


def test_a_batch_goes_when_all_is_covered_and_its_time_is_over() -> None:
    assert fate(RAW, POLICY, LATER) == (True, "its hours are closed and verified, and 12 hours are over", False)
    assert fate(RAW, POLICY, LATER - timedelta(seconds=1)) == (False, "", False)


KEPT = {
    "not published": (msgspec.structs.replace(RAW, entry=None), False),
    "since it was last validated": (msgspec.structs.replace(RAW, staged=True), False),
    "no verified backup": (msgspec.structs.replace(RAW, held=False), False),
    "cannot be read": (msgspec.structs.replace(RAW, damage="its manifest cannot be read"), True),
    "not over for 3 hours": (with_hour(file=HourFile(HOUR + 12, "likes")), False),
    "what its record says": (with_hour(as_recorded=False), True),
    "is not closed yet": (with_hour(record=msgspec.structs.replace(RECORD, form="")), False),
    "not verified as it is now": (with_hour(verification=None), False),
    "is not verified as": (with_hour(verification=msgspec.structs.replace(PROOF, sha256="b")), False),
    "stored 9 rows of likes, the hour files have 8": (
        with_hour(verification=msgspec.structs.replace(PROOF, batches={RAW.batch: 8, "20261123T204500Z": 1})),
        True,
    ),
    "counts 13 events, the ledger 12": (msgspec.structs.replace(RAW, events=13), True),
    "2 events of it are in quarantine, there are 1": (msgspec.structs.replace(RAW, quarantined=1), True),
    "has lost rows": (with_entry(rebuilt=[LOST]), True),
    "stored 9 rows of likes, the hour files have 0": (msgspec.structs.replace(RAW, hours=[]), True),
}


@pytest.mark.parametrize("why", KEPT)
def test_a_batch_is_kept_where_anything_is_against_it(why: str) -> None:
    raw, alarming = KEPT[why]
    found = fate(raw, POLICY, LATER)
    assert not found.goes and why in found.why and found.alarming is alarming


def test_what_a_backup_holds_need_not_wait_but_for_its_hours() -> None:
    held = msgspec.structs.replace(RAW, held=True)
    quiet = LIKES.end + timedelta(hours=3)
    assert fate(held, POLICY, quiet) == (
        True,
        "its hours are closed and verified, and a verified backup holds it",
        False,
    )
    assert not fate(held, POLICY, quiet - timedelta(seconds=1)).goes


def test_an_earlier_removal_is_ended_whatever_the_settings_say() -> None:
    left = msgspec.structs.replace(RAW, expired=True, entry=None)
    for policy in (POLICY, Policy.of(Settings(keep_raw_hours=0))):
        assert fate(left, policy, START).goes
    assert fate(RAW, Policy.of(Settings(keep_raw_hours=0)), LATER) == (False, "", False)


def test_hours_are_verified_once_they_are_quiet_and_only_where_raw_files_wait() -> None:
    unverified = with_hour(verification=None)
    quiet = LIKES.end + timedelta(hours=3)
    assert [hour.name for hour in wanted(unverified, POLICY, quiet)] == ["2026-11-23T20 likes"]
    assert wanted(unverified, POLICY, quiet - timedelta(seconds=1)) == []
    assert wanted(RAW, POLICY, quiet) == []
    assert wanted(with_hour(verification=None, as_recorded=False), POLICY, quiet) == []
    open_hour = with_hour(verification=None, record=msgspec.structs.replace(RECORD, form=""))
    assert wanted(open_hour, POLICY, quiet) == []
    assert wanted(unverified, Policy.of(Settings(keep_raw_hours=0)), quiet) == []


def test_the_lines_say_what_goes_together() -> None:
    item = Item(tier=Tier.LOGS, what="/l", since=START, bytes=7)
    raws = [RAW, msgspec.structs.replace(RAW, bytes=1500), with_hour(verification=None)]
    plan = make(raws, [item], POLICY, LATER + timedelta(days=30), [Chosen(FILE, 9)], "how full")
    assert lines(plan) == [
        "how full",
        "close   1 hour files, 9 bytes, from 2026-11-23T20 likes to 2026-11-23T20 likes",
        "check   1 hour files, 90 bytes, from 2026-11-23T20 likes to 2026-11-23T20 likes",
        "remove  logs of 2026-11-23: 1, 7 bytes: 30 days are over",
        "remove  raw of 2026-11-23: 2, 2.0 kB: its hours are closed and verified, and 12 hours are over",
        "keep    raw of 2026-11-23: 1, 500 bytes: 2026-11-23T20 likes is not verified as it is now",
        "frees 2.0 kB; 500 bytes stay although their time is over",
    ]
    assert make([], [item], POLICY, START).removals == []
