"""Power fails while a batch is validated, and after each step of a pipeline: every event is accounted for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from firehose.areas import Area
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.lake.publish import publish
from firehose.lake.verify import verify
from firehose.quality.validate import validate
from firehose.settings import Settings
from ingester.contract import wire
from jetstream_simulator import generate
from tests.fault.power.journal import Event, Names, Returned
from tests.fault.power.machine import Found, Machine
from tests.support.frames import add_frames
from tests.support.lake_view import LakeView
from tests.support.oracle import assert_every_event_is_accounted_for

NewMachine = Callable[[], Machine]
EVENTS = list(generate.events(1500, seed=5, start_us=1_780_002_000_000_000 - 20_000_000, rate=40))
LIKES = [line for line in EVENTS if b'"create"' in line and b'"collection":"app.bsky.feed.like"' in line][:80]
FOLLOWS = [line for line in EVENTS if b'"create"' in line and b'"collection":"app.bsky.graph.follow"' in line][:20]
BAD = [line.replace(b'"did":"did:', b'"did":"nobody:', 1) for line in (LIKES[0], LIKES[1], FOLLOWS[0])]
QUEUES = {wire.LIKES: [*LIKES, *BAD[:2], *LIKES[:5]], wire.FOLLOWS: [*FOLLOWS, BAD[2]]}
SENT = [*LIKES, *FOLLOWS, *BAD]


@pytest.fixture
def machine(new_machine: NewMachine, batches: list[Batch]) -> Iterator[Machine]:
    """A machine whose Redis holds two types, both with bad events, one with events that come twice."""
    machine = new_machine()
    for queue, lines in QUEUES.items():
        add_frames(machine.client, queue, lines, batches[0], events=50)
    yield machine


Step = Callable[[Settings], object]


@pytest.fixture
def steps(batches: list[Batch]) -> list[Step]:
    """The three steps of the batch."""

    def drained(settings: Settings) -> None:
        drain(settings, batches[0])

    def validated(settings: Settings) -> None:
        validate(settings, batches[0])

    def published(settings: Settings) -> None:
        publish(settings, batches[0])

    return [drained, validated, published]


def assert_accounted_for(found: Found) -> None:
    """The oracle of the crash tests, on what was found."""
    assert_every_event_is_accounted_for(LakeView(found.settings.local_lake, found.client, SENT))


def returned(event: Event) -> bool:
    """Whether a step is through."""
    return isinstance(event, Returned)


def is_relied_upon_later(event: Event) -> bool:
    """Whether a slice has just been called done; or the mark, or a slice's bad events, have just been removed."""
    names = event.names if isinstance(event, Names) else {}
    gone = {name for name, node in names.items() if node is None}
    return "follows-0000.slice.json" in names or bool(gone & {"unfinished", "follows-0000.bad"})


def test_power_lost_between_the_steps_leaves_the_next_one_all_it_needs(
    machine: Machine, steps: list[Step]
) -> None:
    ended = machine.run(*steps)
    assert ended.code == 0, ended.said
    losses = {step.__name__: 0 for step in steps}
    for found in machine.power_losses(returned):
        losses[found.returned[-1]] += 1
        if found.returned[-1] == "drained":
            report = verify(found.settings.local_lake)
            assert report.ok, report.problems
            continue  # the validation of what is there follows, as in the next test
        if found.returned[-1] == "validated":
            steps[2](found.settings)
        report = verify(found.settings.local_lake)
        assert report.ok, report.problems
        for path in found.settings.local_lake.glob("_staged/**/*.parquet"):
            path.unlink()  # a removal that was not on the disk: it does no harm, and the next run removes it
        assert_accounted_for(found)
    assert all(losses.values()), losses


def test_power_lost_during_a_validation_keeps_every_event(machine: Machine, steps: list[Step]) -> None:
    ended = machine.run(*steps[:2])
    assert ended.code == 0, ended.said
    losses = 0
    for losses, found in enumerate(machine.power_losses(is_relied_upon_later), 1):  # noqa: B007 - counted
        steps[1](found.settings)
        steps[2](found.settings)
        assert_accounted_for(found)
    assert 4 <= losses <= 12, "each is a whole validation"


@pytest.mark.parametrize("area", [Area.QUARANTINE, Area.QUALITY])
def test_a_sync_that_fails_during_a_validation_is_compensated_by_the_retry(
    machine: Machine, steps: list[Step], batches: list[Batch], area: Area
) -> None:
    ended = machine.run(steps[0], steps[1], fail_sync_of=f"/{area}/date=")
    assert ended.said.startswith("DiskFailed: ") and "\n" not in ended.said, ended
    ended = machine.run(steps[1], steps[2])
    assert ended.code == 0, ended.said
    for found in machine.power_losses(lambda event: isinstance(event, Returned) and event.step == "published"):
        report = verify(found.settings.local_lake)
        assert report.ok, report.problems
        assert report.quarantined == len(BAD)
