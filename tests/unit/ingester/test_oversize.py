"""The search for the place behind a message that cannot be read."""

from __future__ import annotations

from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from ingester.jetstream.hosts import Host
from ingester.position.oversize import TRIES, OversizeSearch
from ingester.position.position import LIVE, AfterEvent, Position

NOW = 1_800_000_000_000_000
V1 = Host("ws://a/subscribe", "a", "v1")
V2 = Host("ws://b/xrpc/network.bsky.jetstream.subscribeEvents", "b", "v2")


def stepping(before: Position, host: Host) -> OversizeSearch:
    """A search that begins."""
    search = OversizeSearch(before, host)
    for _ in range(TRIES - 1):
        assert not search.stepping
        search = search.failed()
    assert search.stepping
    return search


def found_by(search: OversizeSearch, cursors: list[int], unreadable: set[int]) -> tuple[int, int]:
    """The cursor of the event that ends the search, and how many connections it took."""
    for connections in range(1, 200):
        first = cursors[bisect_left(cursors, search.cursor)]
        if first in unreadable:
            search = search.failed()
            continue
        search = search.found()
        if search.exact:
            return first, connections
    raise AssertionError("no end")


def test_on_v2_the_next_sequence_number_is_passed_over_at_once() -> None:
    search = stepping(AfterEvent(50, NOW, "b", "v2"), V2)
    assert found_by(search, [50, 51, 52], {51}) == (52, 1)


@given(st.sets(st.integers(1, 10_000_000), min_size=2, max_size=20))
def test_on_v1_nothing_but_the_message_is_passed_over(offsets: set[int]) -> None:
    cursors = [NOW + offset for offset in sorted(offsets)] + [NOW + 10**8]
    found, connections = found_by(stepping(AfterEvent(NOW, NOW, "a", "v1"), V1), cursors, {cursors[0]})
    assert found == cursors[1]
    assert connections < 60


@given(st.sets(st.integers(1, 10_000_000), min_size=4, max_size=20), st.sets(st.integers(0, 3)))
def test_several_such_messages_are_passed_in_the_end(offsets: set[int], places: set[int]) -> None:
    cursors = [NOW + offset for offset in sorted(offsets)] + [NOW + 10**8]
    found, _ = found_by(
        stepping(AfterEvent(NOW, NOW, "a", "v1"), V1), cursors, {cursors[0], *(cursors[p] for p in places)}
    )
    assert found in cursors


def test_another_host_is_asked_by_time() -> None:
    before = AfterEvent(50, NOW, "b", "v2")
    assert stepping(before, V1).cursor == NOW + 2
    assert stepping(before, V2._replace(name="c")).cursor == NOW + 2


def test_without_a_position_there_is_nowhere_to_step() -> None:
    search = OversizeSearch(LIVE, V1)
    for _ in range(10):
        search = search.failed()
    assert not search.stepping
