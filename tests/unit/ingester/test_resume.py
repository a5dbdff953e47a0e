"""Where each connection resumes, whatever happened to those before."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingester.contract.gap import Reason
from ingester.errors import CursorMoved, Overshot, Renumbered
from ingester.jetstream.hosts import V2_TIME_CURSOR, Host
from ingester.position.oversize import TRIES
from ingester.position.position import OTHER_HOST_REWIND_US, Position
from ingester.position.resume import NOWHERE, Resumption, without_cursor

NOW = 1_800_000_000_000_000
REWIND_MS = 2000
REWIND_US = REWIND_MS * 1000
MINUTE = 60_000_000
V1 = Host("ws://a/subscribe", "a", "v1")
V2 = Host("ws://b/xrpc/network.bsky.jetstream.subscribeEvents", "b", "v2")
HOSTS = (V1, V1._replace(name="c"), V2, V2._replace(name="a"))
STORED_V1 = Position(NOW - MINUTE, NOW - MINUTE, "a", "v1")
STORED_V2 = Position(500_000, NOW - MINUTE, "b", "v2")
NAMED = Position(NOW - 9 * MINUTE, NOW - 9 * MINUTE)
LAKE = Position(0, NOW - 5 * MINUTE, "a", "")
FUTURE = Position(NOW + MINUTE, NOW + MINUTE, "a", "v1")
BLIND_SINCE = Position(0, NOW - 30 * MINUTE, "a", "v1")


def test_without_a_cursor_the_lake_goes_before_what_was_named() -> None:
    assert without_cursor(LAKE, NAMED) == LAKE
    assert without_cursor(NOWHERE, NAMED) == NAMED
    assert without_cursor(NOWHERE, NOWHERE) == NOWHERE, "the live tail"
    assert without_cursor(NOWHERE, STORED_V1) == STORED_V1, "where this process began"


class Case(NamedTuple):
    """What is stored, who is asked, and for what."""

    position: Position
    host: Host
    asked: int
    back_to: Position = NOWHERE


CASES = {
    "live tail": Case(NOWHERE, V1, 0),
    "live tail, v2": Case(NOWHERE, V2, 0),
    "start cursor": Case(NAMED, V1, NAMED.time_us - REWIND_US),
    "start cursor, v2": Case(NAMED, V2, NAMED.time_us - REWIND_US),
    "stored": Case(STORED_V1, V1, STORED_V1.cursor - REWIND_US),
    "stored, v2": Case(STORED_V2, V2, 500_000 - REWIND_MS),
    "stored of another host": Case(STORED_V1, V2, STORED_V1.time_us - OTHER_HOST_REWIND_US),
    "stored of v2": Case(STORED_V2, V1, STORED_V2.time_us - OTHER_HOST_REWIND_US),
    "end of the lake": Case(LAKE, V1, LAKE.time_us - OTHER_HOST_REWIND_US),
    "end of the lake, v2": Case(LAKE, V2, LAKE.time_us - OTHER_HOST_REWIND_US),
    "ahead of this clock": Case(FUTURE, V1, NOW - REWIND_US),
    "ahead of this clock, elsewhere": Case(FUTURE, V2, NOW - OTHER_HOST_REWIND_US),
    "blindness of another host": Case(STORED_V1, V2, BLIND_SINCE.time_us - OTHER_HOST_REWIND_US, BLIND_SINCE),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_where_a_connection_begins(case: Case) -> None:
    assert Resumption(REWIND_MS).cursor(case.position, case.host, NOW, case.back_to) == case.asked


def test_a_host_that_counts_anew_is_asked_by_time_until_it_is_left() -> None:
    resumption = Resumption(REWIND_MS)
    resumption.cursor(STORED_V2, V2, NOW)
    with pytest.raises(Renumbered, match="began with 7"):
        resumption.arrived(Position(7, NOW, "b", "v2"))
    by_time = STORED_V2.time_us - OTHER_HOST_REWIND_US
    assert resumption.cursor(STORED_V2, V2, NOW) == by_time
    assert resumption.cursor(STORED_V2, V1, NOW) == by_time
    assert resumption.cursor(STORED_V2, V2, NOW) == STORED_V2.cursor - REWIND_MS


@pytest.mark.parametrize("behind", [0, REWIND_MS])
@pytest.mark.parametrize("ahead_us", [1, OTHER_HOST_REWIND_US - 1])
def test_a_known_number_of_a_later_event_is_another_events(behind: int, ahead_us: int) -> None:
    resumption = Resumption(REWIND_MS)
    resumption.cursor(STORED_V2, V2, NOW)
    with pytest.raises(Renumbered):
        resumption.arrived(Position(STORED_V2.cursor - behind, STORED_V2.time_us + ahead_us, "b", "v2"))


def test_a_sequence_number_of_far_ahead_is_another_events() -> None:
    resumption = Resumption(REWIND_MS)
    resumption.cursor(STORED_V2, V2, NOW)
    with pytest.raises(Renumbered):
        resumption.arrived(Position(STORED_V2.cursor, STORED_V2.time_us + OTHER_HOST_REWIND_US + 1, "b", "v2"))


def test_a_cursor_that_is_too_old_is_asked_by_time_once() -> None:
    resumption = Resumption(REWIND_MS)
    resumption.cursor(STORED_V2, V2, NOW)
    assert resumption.too_old()
    assert resumption.cursor(STORED_V2, V2, NOW) == STORED_V2.time_us - OTHER_HOST_REWIND_US
    assert resumption.arrived(Position(600_000, NOW, "b", "v2")) is Reason.REFUSED
    resumption.cursor(STORED_V2, V2, NOW)
    assert resumption.too_old() and not resumption.too_old()


@pytest.mark.parametrize(
    ("first_us", "why"), [(-1, None), (0, None), (1, Reason.LATE)], ids=["before", "the same", "after"]
)
def test_only_a_first_event_after_the_stored_one_is_late(first_us: int, why: Reason | None) -> None:
    resumption = Resumption(REWIND_MS)
    resumption.cursor(STORED_V1, V1, NOW)
    assert resumption.arrived(Position(0, STORED_V1.time_us + first_us, "a", "v1")) is why
    resumption.cursor(STORED_V2, V2, NOW)
    assert resumption.arrived(Position(STORED_V2.cursor + first_us, STORED_V2.time_us, "b", "v2")) is why


def test_a_message_that_is_too_large_is_left_out_then_stepped_over() -> None:
    resumption = Resumption(REWIND_MS)
    asked = [resumption.cursor(STORED_V2, V2, NOW)]
    assert not resumption.leaves_out
    for attempt in range(TRIES):
        assert resumption.too_large(STORED_V2, V2) == (attempt == 0)
        asked.append(resumption.cursor(STORED_V2, V2, NOW))
        assert resumption.leaves_out
    rewound = STORED_V2.cursor - REWIND_MS
    assert asked == [rewound] * TRIES + [STORED_V2.cursor + 2] and resumption.stepping
    assert resumption.arrived(Position(STORED_V2.cursor + 2, NOW, "b", "v2")) is Reason.UNREAD
    later = Position(STORED_V2.cursor + 9, NOW, "b", "v2")
    assert resumption.cursor(later, V2, NOW) == STORED_V2.cursor + 2, "the rewind does not go back over it"
    assert not resumption.leaves_out


def test_on_v1_what_was_stepped_over_too_far_is_asked_for_again() -> None:
    resumption = Resumption(REWIND_MS)
    for _ in range(TRIES + 2):
        resumption.cursor(STORED_V1, V1, NOW)
        resumption.too_large(STORED_V1, V1)
    far = resumption.cursor(STORED_V1, V1, NOW)
    with pytest.raises(Overshot):
        resumption.arrived(Position(far, far, "a", "v1"))
    assert STORED_V1.cursor < resumption.cursor(STORED_V1, V1, NOW) < far


def test_once_it_is_behind_the_stream_the_large_ones_since_are_asked_for() -> None:
    resumption = Resumption(REWIND_MS)
    resumption.cursor(STORED_V1, V1, NOW)
    resumption.too_large(STORED_V1, V1)
    assert resumption.behind(STORED_V1, V1) is None
    past = Position(STORED_V1.cursor + 5, STORED_V1.time_us + 5, "a", "v1")
    assert resumption.behind(past, V1) == STORED_V1
    later = Position(past.cursor + MINUTE, past.time_us + MINUTE, "a", "v1")
    assert resumption.cursor(later, V1, NOW) == past.cursor


def after_a_message_was_left_out(past: Position) -> Resumption:
    """What follows STORED_V1 was too large; the stream is at ``past`` now."""
    resumption = Resumption(REWIND_MS)
    resumption.cursor(STORED_V1, V1, NOW)
    resumption.too_large(STORED_V1, V1)
    resumption.cursor(STORED_V1, V1, NOW)
    assert resumption.behind(past, V1) == STORED_V1
    return resumption


def test_a_place_that_was_passed_is_no_reason_to_skip_anything() -> None:
    past = Position(NOW, NOW, "a", "v1")
    assert after_a_message_was_left_out(past).cursor(STORED_V1, V1, NOW) == STORED_V1.cursor, "set back meanwhile"
    elsewhere = V1._replace(name="c")
    assert after_a_message_was_left_out(past).cursor(past, elsewhere, NOW) == NOW - OTHER_HOST_REWIND_US
    assert after_a_message_was_left_out(past).cursor(STORED_V2, V2, NOW) == STORED_V2.cursor - REWIND_MS


def test_a_search_ends_with_the_place_it_was_for() -> None:
    later = Position(NOW, NOW, "a", "v1")
    for position, host in ((later, V1), (STORED_V1, V1._replace(name="c"))):
        resumption = Resumption(REWIND_MS)
        for _ in range(TRIES):
            resumption.cursor(STORED_V1, V1, NOW)
            resumption.too_large(STORED_V1, V1)
        assert resumption.stepping
        rewind_us = REWIND_US if host is V1 else OTHER_HOST_REWIND_US
        assert resumption.cursor(position, host, NOW) == position.time_us - rewind_us
        assert not resumption.stepping and not resumption.leaves_out


def positions(host: Host, seq: int, time_us: int) -> Position:
    """One of that host's own."""
    return Position(seq if host.protocol == "v2" else time_us, time_us, host.name, host.protocol)


# A few come again and again, as they do in the search for what lies behind a message.
FEW = st.sampled_from([STORED_V1, STORED_V2, FUTURE])
POSITIONS = FEW | st.builds(
    positions,
    st.sampled_from(HOSTS),
    st.integers(1, 10**9),
    st.integers(V2_TIME_CURSOR + OTHER_HOST_REWIND_US, NOW + MINUTE),
)
EVENTS = st.sampled_from(["arrived", "too_old", "too_large", "behind", "dropped"])


@given(
    st.lists(st.tuples(FEW, st.sampled_from([V1, V2]), POSITIONS, EVENTS), max_size=20),
    POSITIONS,
    st.sampled_from(HOSTS),
    st.none() | POSITIONS.map(lambda blind: blind._replace(cursor=0)),
)
def test_nothing_is_skipped(
    history: list[tuple[Position, Host, Position, str]], stored: Position, host: Host, back_to: Position | None
) -> None:
    """Whatever came before, no connection begins later than the stored event, nor in the future."""
    resumption = Resumption(REWIND_MS)
    for position, asked, other, event in history:
        resumption.cursor(position, asked, NOW)
        befall(resumption, event, position, asked, other)
    cursor = resumption.cursor(stored, host, NOW, back_to or NOWHERE)
    if resumption.stepping:
        assert stored.time_us < cursor or stored.cursor < cursor, "the one exception: what cannot be read"
        return
    assert cursor > 0, "never the live tail"
    if host.protocol == "v2" and cursor < V2_TIME_CURSOR:
        assert stored.of(host) and cursor <= stored.cursor, "a sequence number is its own host's only"
    else:
        assert cursor <= min(NOW, back_to.time_us if back_to else stored.time_us)


def befall(resumption: Resumption, event: str, position: Position, host: Host, other: Position) -> None:
    """Let one thing happen to a connection."""
    if event == "arrived":
        try:
            resumption.arrived(Position(other.cursor, other.time_us, host.name, host.protocol))
        except CursorMoved as moved:
            assert moved.position == position
    elif event == "too_old":
        resumption.too_old()
    elif event == "too_large":
        resumption.too_large(position, host)
    elif event == "behind":
        resumption.behind(Position(other.cursor, other.time_us, host.name, host.protocol), host)
