"""What the next process makes of a dropout that the one before left open."""

from __future__ import annotations

import msgspec
import pytest

from ingester.contract.gap import Gap
from ingester.jetstream.hosts import Host
from ingester.position.dropout import DropoutDetector
from ingester.position.gaps import Gaps
from ingester.position.partial_hosts import PartialHosts
from ingester.position.position import AfterEvent, AtTime

MINUTE = 60_000_000
START = 1_700_000_000_000_000
PARTIAL = Host("ws://a/subscribe", "a", "v1")
OTHER = Host("ws://b/subscribe", "b", "v1")
USUAL = {"posts": 2400, "likes": 15_000}  # a minute


class Process:
    """What one process knows, looking once a minute at a stream of USUAL but for the ``partial`` queues."""

    def __init__(self, wanted: str = "") -> None:
        self.detector, self.gaps = DropoutDetector(wanted), Gaps()
        self.hosts = PartialHosts(self.detector, self.gaps)
        self._counts = dict.fromkeys(USUAL, 0)

    def listen(self, host: Host, since_us: int, minutes: int, *partial: str) -> int:
        """Returns the time at the end."""
        self.hosts.connected(host)
        for minute in range(minutes + 1):
            at_us = since_us + minute * MINUTE
            for queue in USUAL if minute else ():
                self._counts[queue] += 0 if queue in partial else USUAL[queue]
            if found := self.hosts.check(self._counts, at_us, host, at_us):
                self.hosts.leave(host, found)
        return at_us

    def last(self) -> list[Gap]:
        """Each gap as its last record says."""
        return list({gap.id: gap for gap in self.gaps.pending}.values())


@pytest.fixture
def died() -> tuple[Process, int]:
    """A process that listened for ten minutes, the last three of them partial, and the time."""
    process = Process()
    at_us = process.listen(PARTIAL, START, 7)
    at_us = process.listen(PARTIAL, at_us, 3, "posts")
    assert len(process.gaps.open) == 1
    return process, at_us


def test_another_host_begins_where_it_began_and_fills_it(died: tuple[Process, int]) -> None:
    process, at_us = died
    (gap,) = process.gaps.open
    heir = Process()
    heir.gaps.adopt(process.gaps.open)
    partial = heir.hosts.adopt(process.detector.history(), AfterEvent(at_us, at_us, "a", "v1"), at_us)
    assert partial == {("a", "v1")}
    assert heir.hosts.since(OTHER) == AtTime(gap.from_us, "a")
    assert heir.hosts.since(PARTIAL) is None, "from which nothing better is to be had"
    heir.hosts.arrived(AfterEvent(gap.from_us - 1, gap.from_us - 1, "b", "v1"), OTHER, at_us)
    assert heir.hosts.since(OTHER) is None, "once is enough"
    heir.listen(OTHER, gap.from_us - MINUTE, 10)
    assert [(each.id, each.filled) for each in heir.last()] == [(gap.id, "other host")] and not heir.gaps.open


def test_another_host_that_was_on_its_way_does_not_start_again(died: tuple[Process, int]) -> None:
    process, at_us = died
    (gap,) = process.gaps.open
    half_way = process.listen(OTHER, gap.from_us - MINUTE, 2)
    heir = Process()
    heir.gaps.adopt(process.gaps.open)
    partial = heir.hosts.adopt(process.detector.history(), AfterEvent(half_way, half_way, "b", "v1"), at_us)
    assert partial == {("a", "v1")} and heir.hosts.since(OTHER) is None
    heir.listen(OTHER, half_way, 10)
    assert [each.filled for each in heir.last()] == ["other host"] and not heir.gaps.open


@pytest.mark.parametrize("history", [b"", b"nonsense"])
def test_without_the_history_it_is_closed_and_fetched(history: bytes, died: tuple[Process, int]) -> None:
    process, at_us = died
    heir = Process()
    heir.gaps.adopt(process.gaps.open)
    assert heir.hosts.adopt(history, AfterEvent(at_us, at_us, "a", "v1"), at_us) == {("a", "v1")}
    assert heir.hosts.since(OTHER) == AtTime(process.gaps.open[0].from_us, "a")
    assert [gap.filled for gap in heir.last()] == [""] and not heir.gaps.open


def test_with_another_filter_it_is_closed(died: tuple[Process, int]) -> None:
    process, at_us = died
    heir = Process("app.bsky.feed.like")
    heir.gaps.adopt(process.gaps.open)
    heir.hosts.adopt(process.detector.history(), AfterEvent(at_us, at_us, "a", "v1"), at_us)
    assert not heir.gaps.open and not heir.detector.partial("posts")


def test_alone_it_goes_on_under_the_same_record(died: tuple[Process, int]) -> None:
    process, at_us = died
    heir = Process()
    heir.gaps.adopt(process.gaps.open)
    heir.hosts.adopt(process.detector.history(), AfterEvent(at_us, at_us, "a", "v1"), at_us)
    at_us = heir.listen(PARTIAL, at_us, 3, "posts")
    assert [gap.id for gap in heir.gaps.open] == [process.gaps.open[0].id]
    assert heir.gaps.open[0].to_us > process.gaps.open[0].to_us
    heir.listen(PARTIAL, at_us, 3)
    assert not heir.gaps.open and [gap.filled for gap in heir.last()] == [""]


def test_an_event_of_the_log_has_its_old_name_beside_the_new_one(
    died: tuple[Process, int], caplog: pytest.LogCaptureFixture
) -> None:
    process, at_us = died
    caplog.clear()
    process.listen(PARTIAL, at_us, 3, "posts")
    process.listen(PARTIAL, at_us + 3 * MINUTE, 3)
    said = [record.getMessage().split(" since=")[0] for record in caplog.records]
    for old, new in (("blind", "partial"), ("not_blind", "partial_ended")):
        assert f"event={new} host=a queue=posts" in said
        assert f"event={old} renamed_to={new} host=a queue=posts" in said


def test_a_gap_that_the_version_before_left_open_grows_under_its_id(died: tuple[Process, int]) -> None:
    process, at_us = died
    (gap,) = process.gaps.open
    former = msgspec.structs.replace(gap, id=gap.id.replace("partial:", "blind:"))
    heir = Process()
    heir.gaps.adopt([former])
    heir.hosts.adopt(process.detector.history(), AfterEvent(at_us, at_us, "a", "v1"), at_us)
    heir.listen(PARTIAL, at_us, 3, "posts")
    (grown,) = heir.gaps.open
    assert grown.id == former.id != gap.id and grown.to_us > former.to_us


def test_the_log_of_a_gap_has_the_old_names_beside_the_new_ones(
    died: tuple[Process, int], caplog: pytest.LogCaptureFixture
) -> None:
    process, at_us = died
    caplog.clear()
    process.gaps.held_up(AfterEvent(at_us, at_us, "a", "v1"), 60, at_us + MINUTE)
    process.gaps.close(process.gaps.open[0], at_us)
    said = [record.getMessage().split(" missing_from=")[0] for record in caplog.records]
    assert said == [
        "event=filled reason=outage host=a",
        "event=healed renamed_to=filled reason=outage host=a",
        "event=gap reason=partial old_reason=blind host=a queue=posts",
    ]
