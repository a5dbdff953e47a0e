"""Where each connection resumes, whatever happened to those before."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingester.contract.gap import Reason
from ingester.jetstream.hosts import V2_TIME_CURSOR, Host
from ingester.position import resume
from ingester.position.oversize import TRIES
from ingester.position.position import LIVE, OTHER_HOST_REWIND_US, AfterEvent, AtTime, Position
from ingester.position.restart import Restart, Why
from ingester.position.resume import State, without_cursor

NOW = 1_800_000_000_000_000
REWIND_MS = 2000
REWIND_US = REWIND_MS * 1000
MINUTE = 60_000_000
V1 = Host("ws://a/subscribe", "a", "v1")
V2 = Host("ws://b/xrpc/network.bsky.jetstream.subscribeEvents", "b", "v2")
HOSTS = (V1, V1._replace(name="c"), V2, V2._replace(name="a"))
STORED_V1 = AfterEvent(NOW - MINUTE, NOW - MINUTE, "a", "v1")
STORED_V2 = AfterEvent(500_000, NOW - MINUTE, "b", "v2")
NAMED = AtTime(NOW - 9 * MINUTE)
LAKE = AtTime(NOW - 5 * MINUTE, "a")
FUTURE = AfterEvent(NOW + MINUTE, NOW + MINUTE, "a", "v1")
PARTIAL_SINCE = AtTime(NOW - 30 * MINUTE, "a")


class Connections:
    """The states of all connections of one process, one after the other."""

    def __init__(self) -> None:
        self.state = State(REWIND_MS)

    def cursor(self, position: Position, host: Host, back_to: Position | None = None) -> int:
        """What the next one asks for."""
        self.state, cursor = resume.request(self.state, position, host, NOW, back_to)
        return cursor

    def arrived(self, first: Position) -> Reason | Restart | None:
        """What its first event says."""
        self.state, found = resume.arrived(self.state, first)
        return found

    def restarts(self, first: Position) -> Why:
        """Why it has to begin again, where it was."""
        found = self.arrived(first)
        assert isinstance(found, Restart) and found.position == self.state.before
        assert found.why is not Why.RENUMBERED or f"began with {first.cursor}" in str(found)
        return found.why

    def too_old(self) -> bool:
        """Whether it can be asked by time."""
        by_time = resume.too_old(self.state)
        self.state = by_time or self.state
        return by_time is not None

    def too_large(self, last: Position, host: Host) -> bool:
        """Whether the message is met for the first time."""
        self.state, is_new = resume.too_large(self.state, last, host)
        return is_new

    def passed(self, written: Position, host: Host) -> Position | None:
        """The event before the message that was passed."""
        self.state, before = resume.passed(self.state, written, host)
        return before


def test_without_a_cursor_the_lake_goes_before_what_was_named() -> None:
    assert without_cursor(LAKE, NAMED) == LAKE
    assert without_cursor(LIVE, NAMED) == NAMED
    assert without_cursor(LIVE, LIVE) == LIVE, "the live tail"
    assert without_cursor(LIVE, STORED_V1) == STORED_V1, "where this process began"


class Case(NamedTuple):
    """What is stored, who is asked, and for what."""

    position: Position
    host: Host
    asked: int
    back_to: Position | None = None


CASES = {
    "live tail": Case(LIVE, V1, 0),
    "live tail, v2": Case(LIVE, V2, 0),
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
    "a dropout of another host": Case(STORED_V1, V2, PARTIAL_SINCE.time_us - OTHER_HOST_REWIND_US, PARTIAL_SINCE),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_where_a_connection_begins(case: Case) -> None:
    assert Connections().cursor(case.position, case.host, case.back_to) == case.asked


def test_a_host_that_restarts_its_numbering_is_asked_by_time_until_it_is_left() -> None:
    connections = Connections()
    connections.cursor(STORED_V2, V2)
    assert connections.restarts(AfterEvent(7, NOW, "b", "v2")) is Why.RENUMBERED
    by_time = STORED_V2.time_us - OTHER_HOST_REWIND_US
    assert connections.cursor(STORED_V2, V2) == by_time
    assert connections.cursor(STORED_V2, V1) == by_time
    assert connections.cursor(STORED_V2, V2) == STORED_V2.cursor - REWIND_MS


@pytest.mark.parametrize("behind", [0, REWIND_MS])
@pytest.mark.parametrize("ahead_us", [1, OTHER_HOST_REWIND_US - 1])
def test_a_known_number_of_a_later_event_is_another_events(behind: int, ahead_us: int) -> None:
    connections = Connections()
    connections.cursor(STORED_V2, V2)
    assert (
        connections.restarts(AfterEvent(STORED_V2.cursor - behind, STORED_V2.time_us + ahead_us, "b", "v2"))
        is Why.RENUMBERED
    )


def test_a_sequence_number_of_far_ahead_is_another_events() -> None:
    connections = Connections()
    connections.cursor(STORED_V2, V2)
    assert (
        connections.restarts(AfterEvent(STORED_V2.cursor, STORED_V2.time_us + OTHER_HOST_REWIND_US + 1, "b", "v2"))
        is Why.RENUMBERED
    )


def test_a_cursor_that_is_too_old_is_asked_by_time_once() -> None:
    connections = Connections()
    connections.cursor(STORED_V2, V2)
    assert connections.too_old()
    assert connections.cursor(STORED_V2, V2) == STORED_V2.time_us - OTHER_HOST_REWIND_US
    assert connections.arrived(AfterEvent(600_000, NOW, "b", "v2")) is Reason.REFUSED
    connections.cursor(STORED_V2, V2)
    assert connections.too_old() and not connections.too_old()


@pytest.mark.parametrize(
    ("first_us", "why"), [(-1, None), (0, None), (1, Reason.LATE)], ids=["before", "the same", "after"]
)
def test_only_a_first_event_after_the_stored_one_is_late(first_us: int, why: Reason | None) -> None:
    connections = Connections()
    connections.cursor(STORED_V1, V1)
    assert connections.arrived(AfterEvent(0, STORED_V1.time_us + first_us, "a", "v1")) is why
    connections.cursor(STORED_V2, V2)
    assert connections.arrived(AfterEvent(STORED_V2.cursor + first_us, STORED_V2.time_us, "b", "v2")) is why


def test_a_message_that_is_too_large_is_left_out_then_stepped_over() -> None:
    connections = Connections()
    asked = [connections.cursor(STORED_V2, V2)]
    assert not connections.state.skips_large
    for attempt in range(TRIES):
        assert connections.too_large(STORED_V2, V2) == (attempt == 0)
        asked.append(connections.cursor(STORED_V2, V2))
        assert connections.state.skips_large
    rewound = STORED_V2.cursor - REWIND_MS
    assert asked == [rewound] * TRIES + [STORED_V2.cursor + 2] and connections.state.stepping
    assert connections.arrived(AfterEvent(STORED_V2.cursor + 2, NOW, "b", "v2")) is Reason.OVERSIZE
    later = AfterEvent(STORED_V2.cursor + 9, NOW, "b", "v2")
    assert connections.cursor(later, V2) == STORED_V2.cursor + 2, "the rewind does not go back over it"
    assert not connections.state.skips_large


def test_on_v1_what_was_stepped_over_too_far_is_asked_for_again() -> None:
    connections = Connections()
    for _ in range(TRIES + 2):
        connections.cursor(STORED_V1, V1)
        connections.too_large(STORED_V1, V1)
    far = connections.cursor(STORED_V1, V1)
    assert connections.restarts(AfterEvent(far, far, "a", "v1")) is Why.STEPPED_TOO_FAR
    assert STORED_V1.cursor < connections.cursor(STORED_V1, V1) < far


def test_once_it_is_behind_the_stream_the_large_ones_since_are_asked_for() -> None:
    connections = Connections()
    connections.cursor(STORED_V1, V1)
    connections.too_large(STORED_V1, V1)
    assert connections.passed(STORED_V1, V1) is None
    past = AfterEvent(STORED_V1.cursor + 5, STORED_V1.time_us + 5, "a", "v1")
    assert connections.passed(past, V1) == STORED_V1
    later = AfterEvent(past.cursor + MINUTE, past.time_us + MINUTE, "a", "v1")
    assert connections.cursor(later, V1) == past.cursor


def after_a_message_was_left_out(past: Position) -> Connections:
    """What follows STORED_V1 was too large; the stream is at ``past`` now."""
    connections = Connections()
    connections.cursor(STORED_V1, V1)
    connections.too_large(STORED_V1, V1)
    connections.cursor(STORED_V1, V1)
    assert connections.passed(past, V1) == STORED_V1
    return connections


def test_a_place_that_was_passed_is_no_reason_to_skip_anything() -> None:
    past = AfterEvent(NOW, NOW, "a", "v1")
    assert after_a_message_was_left_out(past).cursor(STORED_V1, V1) == STORED_V1.cursor, "set back meanwhile"
    elsewhere = V1._replace(name="c")
    assert after_a_message_was_left_out(past).cursor(past, elsewhere) == NOW - OTHER_HOST_REWIND_US
    assert after_a_message_was_left_out(past).cursor(STORED_V2, V2) == STORED_V2.cursor - REWIND_MS


def test_a_search_ends_with_the_place_it_was_for() -> None:
    later = AfterEvent(NOW, NOW, "a", "v1")
    for position, host in ((later, V1), (STORED_V1, V1._replace(name="c"))):
        connections = Connections()
        for _ in range(TRIES):
            connections.cursor(STORED_V1, V1)
            connections.too_large(STORED_V1, V1)
        assert connections.state.stepping
        rewind_us = REWIND_US if host is V1 else OTHER_HOST_REWIND_US
        assert connections.cursor(position, host) == position.time_us - rewind_us
        assert not connections.state.stepping and not connections.state.skips_large


def positions(host: Host, seq: int, time_us: int) -> Position:
    """One of that host's own."""
    return AfterEvent(seq if host.protocol == "v2" else time_us, time_us, host.name, host.protocol)


# A few come again and again, as they do in the search for what lies behind a message.
FEW = st.sampled_from([STORED_V1, STORED_V2, FUTURE])
POSITIONS = FEW | st.builds(
    positions,
    st.sampled_from(HOSTS),
    st.integers(1, 10**9),
    st.integers(V2_TIME_CURSOR + OTHER_HOST_REWIND_US, NOW + MINUTE),
)
EVENTS = st.sampled_from(["arrived", "too_old", "too_large", "passed", "dropped"])


@given(
    st.lists(st.tuples(FEW, st.sampled_from([V1, V2]), POSITIONS, EVENTS), max_size=20),
    POSITIONS,
    st.sampled_from(HOSTS),
    st.none() | POSITIONS.map(lambda since: AtTime(since.time_us, since.host)),
)
def test_nothing_is_skipped(
    history: list[tuple[Position, Host, Position, str]], stored: Position, host: Host, back_to: Position | None
) -> None:
    """Whatever came before, no connection begins later than the stored event, nor in the future."""
    connections = Connections()
    for position, asked, other, event in history:
        connections.cursor(position, asked)
        befall(connections, event, position, asked, other)
    cursor = connections.cursor(stored, host, back_to)
    if connections.state.stepping:
        assert stored.time_us < cursor or stored.cursor < cursor, "the one exception: what cannot be read"
        return
    assert cursor > 0, "never the live tail"
    if host.protocol == "v2" and cursor < V2_TIME_CURSOR:
        assert stored.of(host) and cursor <= stored.cursor, "a sequence number is its own host's only"
    else:
        assert cursor <= min(NOW, back_to.time_us if back_to else stored.time_us)


def befall(connections: Connections, event: str, position: Position, host: Host, other: Position) -> None:
    """Let one thing happen to a connection."""
    if event == "arrived":
        found = connections.arrived(AfterEvent(other.cursor, other.time_us, host.name, host.protocol))
        assert not isinstance(found, Restart) or found.position == position
    elif event == "too_old":
        connections.too_old()
    elif event == "too_large":
        connections.too_large(position, host)
    elif event == "passed":
        connections.passed(AfterEvent(other.cursor, other.time_us, host.name, host.protocol), host)
