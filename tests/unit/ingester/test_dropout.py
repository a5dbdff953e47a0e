"""When a host counts as partial, and when it does not."""

from __future__ import annotations

import random
from collections.abc import Mapping

import msgspec
import pytest

from ingester.position.dropout import DropoutDetector
from ingester.position.history import LEARN_US, LEAST, MEMORY_US, WINDOW_US, QueueState, Verdict

USUAL = {"posts": 40.0, "likes": 250.0, "follows": 60.0, "blocks": 3.0, "accounts": 0.05, "other": 0.0}
MINUTE = 60_000_000
START = 1_700_000_000_000_000


class Stream:
    """A stream of the usual rates (events a second), looked at each ``step_s``."""

    def __init__(self, usual: Mapping[str, float] = USUAL, step_s: float = 0.4, seed: int = 1) -> None:
        self.detector = DropoutDetector()
        self.detector.connected("a")
        self.at_us = START
        self.counts = dict.fromkeys(usual, 0)
        self._usual, self._step_s, self._dice = usual, step_s, random.Random(seed)

    def run(self, minutes: float, **factors: float) -> list[Verdict]:
        """What is said over so many minutes in which queues come at ``factors`` of their usual rate."""
        verdicts: list[Verdict] = []
        for _ in range(round(minutes * 60 / self._step_s)):
            self.at_us += round(self._step_s * 1e6)
            for queue, rate in self._usual.items():
                mean = rate * self._step_s * factors.get(queue, factors.get("every", 1.0))
                self.counts[queue] += max(0, round(self._dice.gauss(mean, mean**0.5)))
            verdicts += self.detector.check(self.counts, self.at_us)
        return verdicts


def learnt(**options: float) -> Stream:
    """A stream with a history."""
    stream = Stream(step_s=options.get("step_s", 0.4))
    assert stream.run(15) == []
    return stream


@pytest.mark.parametrize("queue", ["posts", "likes", "follows", "blocks"])
@pytest.mark.parametrize("left", [0.0, 0.1])
def test_a_queue_that_dries_up_is_partial_within_minutes(queue: str, left: float) -> None:
    stream = learnt()
    began = stream.at_us
    first, *more = stream.run(3, **{queue: left})
    assert (first.queue, first.state) == (queue, QueueState.PARTIAL)
    assert began - 2 * MINUTE <= first.since_us <= began, (
        "from where it was normal for certain, and not much before"
    )
    assert first.until_us - began <= 2.5 * MINUTE
    assert all((v.queue, v.state, v.since_us) == (queue, QueueState.PARTIAL, first.since_us) for v in more)


@pytest.mark.parametrize(
    "factors",
    [
        {"every": 0.05},  # a quiet night
        {"every": 0.0},
        {"every": 3.0},
        {"likes": 20.0},  # a flood of one type: the others' shares fall
        {"posts": 0.35},
        {"accounts": 0.0},  # too rare to say
        {"other": 0.0},
    ],
    ids=str,
)
def test_what_is_not_a_dropout(factors: dict[str, float]) -> None:
    stream = learnt()
    assert stream.run(20, **factors) == []
    assert stream.run(20) == []


@pytest.mark.parametrize("step_s", [0.4, 5.0, 90.0, 400.0], ids=lambda step_s: f"{step_s}s")
def test_the_speed_of_a_replay_does_not_matter(step_s: float) -> None:
    stream = learnt(step_s=step_s)
    assert stream.run(30) == []
    assert {v.state for v in stream.run(30, likes=0.0)} == {QueueState.PARTIAL}


def test_nothing_is_said_before_there_is_a_history() -> None:
    stream = Stream()
    assert stream.run(LEARN_US / MINUTE - 1, posts=0.0) == []
    assert stream.run(60) == []


def test_a_filter_leaves_nothing_to_expect() -> None:
    stream = Stream({"posts": 40.0, "likes": 0.0, "accounts": 1.0})
    assert stream.run(120) == []


def test_a_history_of_hours_moves_slowly() -> None:
    stream = learnt()
    for factor in (0.7, 0.5, 0.35, 0.25, 0.2, 0.15):
        assert stream.run(MEMORY_US / MINUTE, posts=factor) == []


def test_alone_it_stays_partial_until_it_is_back() -> None:
    stream = learnt()
    first, *_ = stream.run(10, posts=0.0)
    back_us = stream.at_us
    *still, back = stream.run(5)
    assert len(still) <= 1
    assert (back.state, back.since_us) == (QueueState.BACK, first.since_us)
    assert abs(back.until_us - back_us) <= 2 * MINUTE
    assert stream.run(5) == []


def test_alone_it_is_forgotten_in_the_end() -> None:
    stream = learnt(step_s=10.0)
    verdicts = stream.run(400, posts=0.0)
    assert verdicts[-1].state is QueueState.UNKNOWN
    assert all(verdict.state is QueueState.PARTIAL for verdict in verdicts[:-1])
    assert stream.run(60, posts=0.0) == []


def switched(stream: Stream, since_us: int, host: str = "b") -> None:
    """Go on from where the dropout began, on another host."""
    stream.detector.connected(host)
    stream.at_us = since_us - MINUTE


def test_another_host_that_has_it_fills_the_gap() -> None:
    stream = learnt()
    first = stream.run(3, posts=0.0)[-1]
    switched(stream, first.since_us)
    (seen,) = stream.run(10)
    assert (seen.queue, seen.state) == ("posts", QueueState.BACK)


def test_another_host_that_has_not_is_believed_and_none_is_asked_again() -> None:
    stream = learnt()
    partial = stream.run(3, posts=0.0)[-1]
    switched(stream, partial.since_us)
    verdicts = stream.run(60, posts=0.0)
    assert [(v.queue, v.state) for v in verdicts] == [("posts", QueueState.SAME_ELSEWHERE)]


def test_the_same_host_does_not_agree_with_itself() -> None:
    stream = learnt()
    partial = stream.run(3, posts=0.0)[-1]
    switched(stream, partial.since_us, "b")
    switched(stream, partial.since_us, "a")
    assert {v.state for v in stream.run(5, posts=0.0)} == {QueueState.PARTIAL}


def test_a_host_is_found_partial_again_when_it_has_its_next_turn() -> None:
    stream = learnt()
    partial = stream.run(3, posts=0.0)[-1]
    switched(stream, partial.since_us)
    stream.run(10)
    stream.detector.connected("a")
    assert QueueState.PARTIAL in {v.state for v in stream.run(3, posts=0.0)}


def test_reconnects_and_rewinds_are_not_a_dropout() -> None:
    stream = learnt()
    for _ in range(40):
        stream.detector.connected("a")
        stream.at_us -= 2_000_000
        assert stream.run(0.5) == []
    stream.at_us += 3600 * 1_000_000  # a gap of an hour
    assert stream.run(20) == []


def test_a_rare_queue_needs_a_longer_window() -> None:
    rare = LEAST / 600  # so much in ten minutes
    stream = Stream({"posts": 40.0, "blocks": rare * 1.1}, step_s=1.0)
    assert stream.run(60) == []
    (verdict, *_) = stream.run(30, blocks=0.0)
    assert verdict.queue == "blocks" and verdict.until_us - verdict.since_us > 8 * WINDOW_US


def reborn(stream: Stream, host: str = "a", wanted: str = "") -> None:
    """Another process goes on with the same stream: it counts from zero."""
    history = stream.detector.history()
    stream.detector, stream.counts = DropoutDetector(wanted), dict.fromkeys(stream.counts, 0)
    stream.detector.adopt(history)
    stream.detector.connected(host)


def test_the_next_process_finds_what_the_one_before_has_not_noticed() -> None:
    stream = learnt()
    began = stream.at_us
    assert stream.run(0.5, posts=0.0) == []
    reborn(stream)
    first, *_ = stream.run(3, posts=0.0)
    assert (first.queue, first.state) == ("posts", QueueState.PARTIAL)
    assert began - 2 * MINUTE <= first.since_us <= began


@pytest.mark.parametrize("minutes", [0, 2], ids=["not asked yet", "half way"])
def test_the_next_process_knows_that_another_host_has_it(minutes: float) -> None:
    stream = learnt()
    partial = stream.run(5, posts=0.0)[-1]
    if minutes:
        switched(stream, partial.since_us)
        assert stream.run(minutes) == []
    reborn(stream, "b")
    if not minutes:
        stream.at_us = partial.since_us - MINUTE
    assert stream.detector.partial("posts") and not stream.detector.partial("likes")
    (seen,) = stream.run(10)
    assert (seen.queue, seen.state) == ("posts", QueueState.BACK) and not stream.detector.partial("posts")


def test_the_next_process_knows_that_another_host_was_asked() -> None:
    stream = learnt()
    partial = stream.run(3, posts=0.0)[-1]
    switched(stream, partial.since_us)
    reborn(stream, "b")
    assert [v.state for v in stream.run(60, posts=0.0)] == [QueueState.SAME_ELSEWHERE]


def test_many_processes_are_as_good_as_one() -> None:
    stream = learnt()
    for _ in range(20):
        reborn(stream)
        assert stream.run(1.5) == []
    assert {v.state for v in stream.run(3, likes=0.0)} == {QueueState.PARTIAL}


def test_with_another_filter_nothing_is_as_usual() -> None:
    stream = learnt()
    reborn(stream, wanted="app.bsky.feed.post")
    assert stream.run(60, likes=0.0) == []


@pytest.mark.parametrize(
    "kept", [b"", b"nonsense", b"[]", b'{"wanted":"","host":"a","queues":{"posts":{"seen":-1}}}']
)
def test_a_history_that_cannot_be_read_changes_nothing(kept: bytes) -> None:
    stream = learnt()
    with pytest.raises(msgspec.MsgspecError):
        stream.detector.adopt(kept)
    assert {v.state for v in stream.run(3, likes=0.0)} == {QueueState.PARTIAL}


def test_the_history_changes_once_a_window_only() -> None:
    stream = learnt()
    kept = [stream.detector.history() for _ in range(150) if stream.run(0.4 / 60) == []]
    assert len(set(kept)) <= 2 and len(kept[-1]) < 2500
