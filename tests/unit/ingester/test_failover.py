"""Which host after which failure, where to resume on it, and what a buffer says of its position."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingester.buffer.buffers import Buffer, BufferV2
from ingester.jetstream.disconnected import Cause
from ingester.jetstream.hosts import V2_TIME_CURSOR, Host
from ingester.position.failover import MOST_DROPS, REST_S, STEADY_S, Failure, State, after, fresh
from ingester.position.position import LIVE, OTHER_HOST_REWIND_US, AfterEvent, AtTime, Position, resume_at

NOW = 1_800_000_000_000_000
V1 = Host("ws://a/subscribe", "a", "v1")
V2 = Host("ws://b/xrpc/network.bsky.jetstream.subscribeEvents", "b", "v2")
BLAMELESS = (Cause.OVERSIZE, Cause.OVERSIZE_SKIPPED)
FATAL = (Cause.UNREACHABLE, Cause.SILENT, Cause.PARTIAL, Cause.REFUSED)


def run(hosts: int, *failures: tuple[float, Cause], lived_s: float = 1.0, useful: bool = True) -> list[int]:
    """The hosts in turn, from the first failure on."""
    state, turns = fresh(hosts), []
    for now_s, cause in failures:
        state = after(state, Failure(cause, lived_s, useful), now_s)
        turns.append(state.current)
    return turns


@pytest.mark.parametrize("cause", FATAL)
def test_a_failed_host_gives_way_at_once(cause: Cause) -> None:
    assert run(3, (0, cause), (1, cause), (2, cause), (3, cause)) == [1, 2, 0, 1]


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause not in FATAL + BLAMELESS])
def test_a_lost_connection_is_made_again_until_there_are_too_many(cause: Cause) -> None:
    drops = [(float(n), cause) for n in range(MOST_DROPS + 1)]
    assert run(2, *drops) == [0] * (MOST_DROPS - 1) + [1, 1]
    assert run(2, *drops * 5, lived_s=STEADY_S) == [0] * 5 * len(drops)


@pytest.mark.parametrize("cause", BLAMELESS)
def test_a_message_that_is_too_large_is_no_fault_of_the_host(cause: Cause) -> None:
    assert run(2, *[(float(n), cause) for n in range(50)]) == [0] * 50


def test_the_preferred_host_is_tried_again_only_after_a_rest_and_a_failure() -> None:
    lost = (Cause.UNREACHABLE,)
    assert run(2, (0, *lost), (REST_S - 1, *lost)) == [1, 0], "the only other one"
    assert run(3, (0, *lost), (REST_S - 1, *lost)) == [1, 2]
    assert run(3, (0, *lost), (REST_S, *lost)) == [1, 0]
    assert run(3, (0, *lost), (REST_S * 9, Cause.DROPPED)) == [1, 1], "no failure, no change"


@given(st.lists(st.tuples(st.sampled_from(Cause), st.floats(0, 1000), st.booleans(), st.floats(0, 400))))
def test_one_host_stays_what_it_is(failures: list[tuple[Cause, float, bool, float]]) -> None:
    state, now_s = fresh(1), 0.0
    for cause, lived_s, useful, pause_s in failures:
        now_s += pause_s
        state = after(state, Failure(cause, lived_s, useful), now_s)
        assert state.current == 0
        assert state.hopeless == (cause is Cause.REFUSED or (state.hopeless and not useful))


def test_hopeless_only_when_every_host_refuses_in_a_row() -> None:
    def refuse(state: State, *, useful: bool = False) -> State:
        return after(state, Failure(Cause.REFUSED, 0, useful), 0)

    one = refuse(fresh(2))
    assert not one.hopeless
    assert refuse(one).hopeless
    worked = after(one, Failure(Cause.UNREACHABLE, 9, useful=True), 0)
    assert not refuse(worked).hopeless


@pytest.mark.parametrize(
    ("position", "host", "cursor"),
    [
        (LIVE, V1, 0),
        (LIVE, V2, 0),
        # What the user named is a time, for every host.
        (AtTime(9_000_000), V1, 7_000_000),
        (AtTime(NOW), V2, NOW - 2_000_000),
        (AtTime(1), V1, 1),
        (AtTime(1), V2, V2_TIME_CURSOR),
        # On the same host and protocol the cursor itself.
        (AfterEvent(NOW, NOW, "a", "v1"), V1, NOW - 2_000_000),
        (AfterEvent(50_000, NOW, "b", "v2"), V2, 48_000),
        (AfterEvent(7, NOW, "b", "v2"), V2, 1),
        # Elsewhere the time, rewound.
        (AfterEvent(NOW, NOW, "other", "v1"), V1, NOW - OTHER_HOST_REWIND_US),
        (AfterEvent(50_000, NOW, "b", "v2"), V1, NOW - OTHER_HOST_REWIND_US),
        (AfterEvent(50_000, NOW, "a", "v2"), V1, NOW - OTHER_HOST_REWIND_US),
        (AfterEvent(NOW, NOW, "b", "v1"), V2, NOW - OTHER_HOST_REWIND_US),
        (AfterEvent(50_000, NOW, "other", "v2"), V2, NOW - OTHER_HOST_REWIND_US),
        # A clock that is ahead of ours would make it the live tail.
        (AfterEvent(NOW + 10**9, NOW + 10**9, "other", "v1"), V1, NOW - OTHER_HOST_REWIND_US),
        (AfterEvent(NOW + 10**9, NOW + 10**9, "a", "v1"), V1, NOW - 2_000_000),
        (AfterEvent(50_000, NOW + 10**9, "b", "v2"), V2, 48_000),
        (AtTime(NOW + 10**9), V1, NOW + 10**9 - 2_000_000),
    ],
)
def test_where_to_resume(position: Position, host: Host, cursor: int) -> None:
    assert resume_at(position, host, 2000, NOW) == cursor


def test_a_refused_sequence_number_is_resumed_by_time() -> None:
    at = resume_at(AfterEvent(50_000, NOW, "b", "v2"), V2, 2000, NOW, by_time=True)
    assert at == NOW - OTHER_HOST_REWIND_US
    assert resume_at(AfterEvent(50_000, NOW, "b", "v2"), V2, 90_000, NOW, by_time=True) == NOW - 90_000_000


@given(st.sampled_from([V1, V2]), st.sampled_from([V1, V2]), st.integers(1, 10**15 - 1), st.booleans())
def test_a_sequence_number_goes_to_its_own_host_only(made: Host, asked: Host, seq: int, by_time: bool) -> None:
    position = AfterEvent(seq if made is V2 else NOW, NOW, made.name, made.protocol)
    cursor = resume_at(position, asked, 0, NOW, by_time=by_time)
    own = made is asked and not by_time
    assert cursor == (position.cursor if own else NOW - OTHER_HOST_REWIND_US)


def test_a_position_is_a_hosts_own_from_its_first_event_on() -> None:
    before = AfterEvent(50_000, NOW, "b", "v2")
    for buffer in (Buffer(before, "a"), BufferV2(before, "c")):
        buffer.begin(b"nonsense")
        assert buffer.position == before == buffer.fresh().position, "a dead letter tells nothing of this host"
    v1 = Buffer(before, "a")
    v1.begin(b'{"did":"d","time_us":%d,"kind":"identity"}' % (NOW - 5))
    assert v1.position == AfterEvent(NOW - 5, NOW - 5, "a", "v1") == v1.fresh().position
    v2 = BufferV2(before, "c")
    v2.begin(
        b'{"$type":"message","payload":{"$type":"x#identity","seq":3,"did":"d","time":"2026-08-11T12:50:34.283860Z"}}'
    )
    assert v2.position == AfterEvent(3, 1_786_452_634_283_860, "c", "v2") == v2.fresh().position
