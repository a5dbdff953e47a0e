"""The search for the place behind a message that cannot be read."""

from __future__ import annotations

from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from ingester.jetstream.hosts import Host
from ingester.position.oversize import TRIES, Stuck
from ingester.position.position import Position

NOW = 1_800_000_000_000_000
V1 = Host("ws://a/subscribe", "a", "v1")
V2 = Host("ws://b/xrpc/network.bsky.jetstream.subscribeEvents", "b", "v2")


def stepping(before: Position, host: Host) -> Stuck:
    """A search that begins."""
    stuck = Stuck(before, host)
    for _ in range(TRIES - 1):
        assert not stuck.stepping
        stuck = stuck.again()
    assert stuck.stepping
    return stuck


def search(stuck: Stuck, cursors: list[int], unreadable: set[int]) -> tuple[int, int]:
    """The cursor of the event that ends the search, and how many connections it took."""
    for connections in range(1, 200):
        first = cursors[bisect_left(cursors, stuck.cursor)]
        if first in unreadable:
            stuck = stuck.again()
            continue
        stuck = stuck.found()
        if stuck.exact:
            return first, connections
    raise AssertionError("no end")


def test_on_v2_the_next_sequence_number_is_passed_over_at_once() -> None:
    stuck = stepping(Position(50, NOW, "b", "v2"), V2)
    assert search(stuck, [50, 51, 52], {51}) == (52, 1)


@given(st.sets(st.integers(1, 10_000_000), min_size=2, max_size=20))
def test_on_v1_nothing_but_the_message_is_passed_over(offsets: set[int]) -> None:
    cursors = [NOW + offset for offset in sorted(offsets)] + [NOW + 10**8]
    found, connections = search(stepping(Position(NOW, NOW, "a", "v1"), V1), cursors, {cursors[0]})
    assert found == cursors[1]
    assert connections < 60


@given(st.sets(st.integers(1, 10_000_000), min_size=4, max_size=20), st.sets(st.integers(0, 3)))
def test_several_such_messages_are_passed_in_the_end(offsets: set[int], places: set[int]) -> None:
    cursors = [NOW + offset for offset in sorted(offsets)] + [NOW + 10**8]
    found, _ = search(
        stepping(Position(NOW, NOW, "a", "v1"), V1), cursors, {cursors[0], *(cursors[p] for p in places)}
    )
    assert found in cursors


def test_another_host_is_asked_by_time() -> None:
    before = Position(50, NOW, "b", "v2")
    assert stepping(before, V1).cursor == NOW + 2
    assert stepping(before, V2._replace(name="c")).cursor == NOW + 2


def test_without_a_position_there_is_nowhere_to_step() -> None:
    stuck = Stuck(Position(), V1)
    for _ in range(10):
        stuck = stuck.again()
    assert not stuck.stepping
