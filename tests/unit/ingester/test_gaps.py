"""Which records a gap leaves, and that the open ones are exactly what is missing."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingester.contract.gap import Gap, Reason
from ingester.jetstream.hosts import Host
from ingester.position.gaps import OUTAGE_S, Gaps
from ingester.position.position import LIVE, AfterEvent, AtTime

HOST = Host("ws://b/subscribe", "b", "v1")
SAME_HOST = Host("ws://a/subscribe", "a", "v1")
BEFORE = AfterEvent(1000, 1000, "a", "v1")


def last(gaps: Gaps) -> dict[str, Gap]:
    """Each gap as its last record says."""
    return {gap.id: gap for gap in sorted(gaps.pending, key=lambda gap: gap.noted_us)}


def missing(gaps: Gaps) -> set[int]:
    """Every time that is said to be missing."""
    return {at for gap in last(gaps).values() if not gap.filled for at in range(gap.from_us, gap.to_us)}


def test_a_quick_reconnect_that_lost_nothing_leaves_no_record() -> None:
    gaps = Gaps()
    gaps.resumed(BEFORE, 0, HOST, 2000, OUTAGE_S, Reason.LATE)
    gaps.resumed(LIVE, 0, HOST, 2000, 1000.0, Reason.LATE)
    gaps.resumed(AtTime(7), 9, HOST, 2000, 1000.0, Reason.LATE)
    assert gaps.pending == [] == list(gaps.open)


def test_a_late_first_event_is_a_gap_of_its_host() -> None:
    gaps = Gaps()
    gaps.resumed(BEFORE, 1500, HOST, 2000, 0.0, Reason.REFUSED)
    assert gaps.pending == [
        Gap(
            id="refused:b:1000",
            reason=Reason.REFUSED,
            from_us=1000,
            to_us=1500,
            noted_us=2000,
            host="b",
            protocol="v1",
        )
    ]


def test_time_in_which_redis_accepted_nothing_is_filled_whatever_the_hosts_clock_says() -> None:
    gaps = Gaps()
    gaps.held_up(BEFORE, 0.0005, 9000)
    ahead = AfterEvent(8900, 8900, "a", "v1")
    gaps.held_up(ahead, 0.005, 9000)
    gaps.held_up(LIVE, 1000.0, 9000)  # nothing was known yet, so nothing can be missing
    assert [(gap.reason, gap.from_us, gap.to_us, gap.filled) for gap in gaps.pending] == [
        (Reason.OUTAGE, 1000, 9000, "replay"),
        (Reason.OUTAGE, 4000, 9000, "replay"),
    ]
    assert gaps.open == ()


def test_an_outage_is_filled_by_the_replay() -> None:
    gaps = Gaps()
    gaps.resumed(BEFORE, 0, HOST, 2000, OUTAGE_S + 1, Reason.LATE)
    (gap,) = gaps.pending
    assert (gap.id, gap.from_us, gap.to_us, gap.filled) == ("outage:a:1000", 1000, 2000, "replay")


def test_a_stall_is_recorded_at_once_and_filled_under_the_same_id() -> None:
    gaps = Gaps()
    gaps.begin(Reason.STALL, BEFORE, 2000)
    (open_gap,) = gaps.open
    assert (open_gap.from_us, open_gap.to_us, open_gap.filled) == (1000, 2000, "")
    gaps.resumed(BEFORE, 0, HOST, 1500, 0.0, Reason.LATE)  # the clock was set back
    first, second = gaps.pending
    assert first.id == second.id and second.noted_us > first.noted_us
    assert (second.to_us, second.filled, gaps.open) == (2000, "replay", ())


def test_what_a_process_left_open_is_closed_by_the_next() -> None:
    dead, gaps = Gaps(), Gaps()
    dead.begin(Reason.STALL, BEFORE, 2000)
    gaps.adopt(dead.open)
    gaps.resumed(BEFORE, 0, HOST, 9000, 60.0, Reason.LATE)
    assert [(gap.id, gap.to_us, gap.filled) for gap in gaps.pending] == [("stall:a:1000", 9000, "replay")]


@pytest.mark.parametrize("name", ["oversize", "unread"], ids=["its own", "of the version before"])
@pytest.mark.parametrize("host", [SAME_HOST, HOST], ids=["same host", "other host"])
def test_a_gap_of_a_message_too_large_is_closed_whoever_found_it(host: Host, name: str) -> None:
    before, gaps = Gaps(), Gaps()
    before.begin(Reason.OVERSIZE, BEFORE, 2000)
    (gap,) = before.open
    gaps.adopt([msgspec.structs.replace(gap, id=gap.id.replace("oversize:", f"{name}:"))])
    gaps.begin(Reason.OVERSIZE, BEFORE, 3000)
    gaps.resumed(BEFORE, 1001, host, 3000, 0.0, Reason.OVERSIZE)
    assert {(gap.id, gap.to_us) for gap in last(gaps).values()} == {(f"{name}:a:1000", 1001)}
    assert gaps.open == ()


def test_records_leave_once_they_are_written() -> None:
    gaps = Gaps()
    gaps.begin(Reason.STALL, BEFORE, 2000)
    under_way = tuple(gaps.pending)
    gaps.resumed(BEFORE, 0, HOST, 3000, 0.0, Reason.LATE)
    gaps.written(under_way)
    assert [gap.filled for gap in gaps.pending] == ["replay"]


@given(st.booleans(), st.sampled_from([0.0, 60.0]), st.none() | st.integers(1001, 3500), st.integers(2000, 3000))
def test_the_open_records_are_exactly_what_is_missing(
    stalled: bool, away_s: float, first: int | None, now_us: int
) -> None:
    gaps = Gaps()
    if stalled:
        gaps.begin(Reason.STALL, BEFORE, 2000)
    gaps.resumed(BEFORE, first or 0, HOST, now_us, away_s, Reason.LATE)
    late = set(range(1000, first)) if first else set()
    still_open = set(range(1000, now_us)) if stalled and first and first >= now_us else set()
    assert missing(gaps) == late | still_open
    assert still_open <= late and not gaps.open


def test_a_frozen_process_has_a_gap_until_its_connection_is_past_it() -> None:
    gaps = Gaps()
    gaps.begin(Reason.OUTAGE, BEFORE, 9000, 0.0085)
    gaps.continued(AfterEvent(8999, 8999, "a", "v1"), 9500)
    (still,) = gaps.open
    assert (still.from_us, still.to_us, still.filled) == (500, 9000, ""), "it spans the time without heartbeats"
    gaps.continued(AfterEvent(9000, 9000, "a", "v1"), 9600)
    assert not gaps.open and missing(gaps) == set()
    assert last(gaps)["outage:a:500"].filled == "replay"


def test_of_a_frozen_process_whose_connection_was_lost_only_what_nobody_gave_is_missing() -> None:
    gaps = Gaps()
    gaps.begin(Reason.OUTAGE, BEFORE, 9000)
    received = AfterEvent(4000, 4000, "a", "v1")  # these lay in its socket
    gaps.resumed(received, 6000, SAME_HOST, 9100, 1.0, Reason.LATE)
    assert missing(gaps) == set(range(4000, 6000))
    filled = sorted((gap.from_us, gap.to_us) for gap in last(gaps).values() if gap.filled)
    assert filled == [(1000, 4000), (6000, 9100)]
    assert not gaps.open
