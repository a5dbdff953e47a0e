"""What a refresh decides to do: which batches, and which hours of which tables."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from firehose.lake.ledger import LedgerEntry
from firehose.schema import EVENT_TYPES
from firehose.store import Listed
from firehose.warehouse.plan import SUMMARIES, Loaded, pending, rebuilds, together, unread

START = datetime(2026, 11, 23, 20, 40, tzinfo=UTC)


def entry(batch: str = "b1", published: int = 0, **hours: list[str]) -> LedgerEntry:
    """An entry; hours as ``h20=["posts"]``, from 24 on the next day's."""
    return LedgerEntry(
        batch=batch,
        start=START,
        end=START + timedelta(minutes=5),
        published_at=START + timedelta(minutes=6, seconds=published),
        counts={},
        hours={f"{hour(int(name[1:])):%Y-%m-%dT%H}": types for name, types in hours.items()},
    )


def hour(of_day: int) -> datetime:
    """The start of an hour of the day."""
    return datetime(2026, 11, 23, tzinfo=UTC) + timedelta(hours=of_day)


def loaded(*entries: LedgerEntry, hours: tuple[datetime, ...] = ()) -> dict[str, Loaded]:
    """Those entries as ClickHouse has them."""
    return {e.batch: Loaded(e.published_at, hours) for e in entries}


def test_a_batch_is_pending_until_this_very_edition_is_loaded() -> None:
    first, second = entry("b1"), entry("b2")
    assert pending([first, second], {}) == [first, second]
    assert pending([first, second], loaded(first)) == [second]
    assert pending([first], loaded(entry("b1", published=-1))) == [first]
    assert pending([first], loaded(entry("b1", published=1))) == [first], "a restored lake is older"


def test_entries_are_read_once_and_again_when_a_listing_shows_another_file() -> None:
    first, second = (Listed(f"date=2026-11-23/batch={name}.json", 9, "a stamp") for name in ("b1", "b2"))
    ledger, known = {"b1": first, "b2": second}, loaded(entry("b1"))
    assert unread(ledger, {}) == unread(ledger, known) == [first, second], "no stamp is known"
    known["b1"] = known["b1"]._replace(stamp="a stamp")
    assert unread(ledger, known) == [second]
    assert unread({"b1": first._replace(stamp="another")}, known) == [first._replace(stamp="another")]


@pytest.mark.parametrize("record_type", EVENT_TYPES)
def test_a_touched_type_rebuilds_the_tables_made_of_it(record_type: str) -> None:
    tables = {r.table for r in rebuilds([entry(h20=[record_type])], {})}
    assert tables == {s.table for s in SUMMARIES if record_type in s.types}
    assert {"firehose.events_by_minute", "ops.account_states_by_hour"} <= tables


def test_hours_of_many_batches_are_rebuilt_once_a_day_and_table() -> None:
    entries = [entry("b1", h20=["likes"]), entry("b2", h20=["likes"], h23=["likes"], h24=["likes"])]
    plan = [r for r in rebuilds(entries, {}) if r.table == "firehose.most_liked_posts_by_hour"]
    assert [(r.day, r.hours) for r in plan] == [
        (date(2026, 11, 23), (hour(20), hour(23))),
        (date(2026, 11, 24), (hour(24),)),
    ]


def test_hours_that_an_earlier_edition_wrote_into_are_rebuilt_in_every_table() -> None:
    again = entry(published=1, h20=["likes"])
    plan = rebuilds([again], loaded(entry(), hours=(hour(19),)))
    by_table = {r.table: r.hours for r in plan}
    assert set(by_table) == {s.table for s in SUMMARIES}
    assert by_table["firehose.most_liked_posts_by_hour"] == (hour(19), hour(20))
    assert by_table["firehose.languages_by_hour"] == (hour(19),)


def test_nothing_to_do_is_no_plan() -> None:
    assert rebuilds([], {}) == []
    assert rebuilds([entry()], {}) == []


def test_hours_come_together_while_they_have_few_rows() -> None:
    hours = [hour(of_day) for of_day in range(6)]
    rows = dict(zip(hours, (400_000, 600_000, 1, 5_000_000, 0, 7), strict=True))
    assert list(together(hours, rows)) == [hours[:2], hours[2:3], hours[3:4], hours[4:]]
    del rows[hours[4]]  # nothing is known of it
    assert list(together(hours, rows))[2:] == [hours[3:4], hours[4:5], hours[5:]]
    assert list(together(hours, {})) == [[one] for one in hours]
    assert list(together([], rows)) == []
