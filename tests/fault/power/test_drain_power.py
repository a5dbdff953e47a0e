"""Power fails while a batch is drained: what has left Redis is on the disk, whatever was not synced is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import redis

from firehose.batch import manifest as manifests
from firehose.batch.coverage import read_gaps
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.errors import MissedInterval
from firehose.lake.verify import verify
from firehose.settings import Settings
from ingester.contract import wire
from ingester.contract.crash import Point
from ingester.contract.gap import Gap, Reason
from tests.fault.power.drained import OF_FOREIGN, copied, deletes, lines_of, put_frames, step
from tests.fault.power.journal import Deleted, Returned
from tests.fault.power.machine import Found, Machine

NewMachine = Callable[[], Machine]
#: Frames of one event each. More than one deletion command has to carry them.
LIKES, POSTS = 230, 3
GAPS = [
    Gap(id="late", reason=Reason.LATE, from_us=1, to_us=2, noted_us=3, host="wss://one", protocol="v1"),
    Gap(id="blind", reason=Reason.PARTIAL, from_us=2, to_us=9, noted_us=4, queue=wire.LIKES),
]
SENT = Counter([*lines_of(wire.LIKES, LIKES), *lines_of(wire.POSTS, POSTS)])
# Nothing foreign is in this Redis: see test_foreign_power.py.
_OF_THE_DRAIN = [point for point in Point if point.startswith("drain.") and point not in OF_FOREIGN]
# The third deletion is between two of one queue.
KILLED = [*_OF_THE_DRAIN, f"{Point.DELETED_SOME}:3"]


def fill(client: redis.Redis, batch: Batch) -> None:
    """What an ingester has written in a batch's interval."""
    for queue, count in ((wire.LIKES, LIKES), (wire.POSTS, POSTS)):
        put_frames(client, batch, queue, count)
    for number, gap in enumerate(GAPS, 1):
        record: Any = {wire.FIELD_GAP: msgspec.json.encode(gap)}
        client.xadd(wire.COVERAGE_KEY, record, id=f"{batch.start_ms + 1000}-{number}")


def assert_all_is_there(found: Found, batch: Batch) -> None:
    """Of a disk that is found when Redis has lost something: the copy is whole, and going on ends well."""
    settings = found.settings
    folder = manifests.folder_of(settings.lake_path, batch)
    manifest = manifests.read(folder)
    assert manifest is not None, f"{found.number}: Redis has lost frames that no manifest on the disk describes"
    manifests.check(folder, manifest)
    report = verify(settings.lake_path)
    assert report.ok, report.problems
    assert_going_on_ends_well(found, batch)


def assert_going_on_ends_well(found: Found, batch: Batch) -> None:
    """The drain runs again on what was found: every event is in the batch once, and no more in Redis."""
    settings = found.settings
    drain(settings, batch)
    assert copied(settings, batch) == SENT, found
    assert not any(found.client.xlen(wire.stream_key(queue)) for queue in wire.QUEUES)
    assert not found.client.xlen(wire.COVERAGE_KEY)
    assert {gap.id for gap in read_gaps(settings.lake_path)} == {gap.id for gap in GAPS}
    report = verify(settings.lake_path)
    assert report.ok, report.problems


def test_power_lost_at_any_moment_of_a_drain_loses_nothing(new_machine: NewMachine, batches: list[Batch]) -> None:
    machine = new_machine()
    fill(machine.client, batches[0])
    ended = machine.run(step(batches[0]))
    assert ended.code == 0, ended.said
    commands = [event.command for event in machine.journal.events() if isinstance(event, Deleted)]
    assert len(commands) > 4, "several commands empty one queue"
    losses = Counter[bool]()
    for found in machine.power_losses(lambda _: True):
        losses[deletes(found.event)] += 1
        (assert_all_is_there if deletes(found.event) else assert_going_on_ends_well)(found, batches[0])
    assert losses[True] > len(commands) and losses[False] > 20


@pytest.mark.parametrize("point", KILLED)
def test_power_lost_after_a_death_and_a_rerun_loses_nothing(
    new_machine: NewMachine, batches: list[Batch], point: str
) -> None:
    machine = new_machine()
    fill(machine.client, batches[0])
    assert machine.run(step(batches[0]), at=point).code == -9
    assert machine.proof.startswith(point.partition(":")[0])
    assert machine.run(step(batches[0])).code == 0
    for found in machine.power_losses(deletes):
        assert_all_is_there(found, batches[0])


def test_frames_that_a_later_drain_deletes_for_a_dead_one_are_on_the_disk(
    new_machine: NewMachine, batches: list[Batch]
) -> None:
    machine, (dead, later, _) = new_machine(), batches
    fill(machine.client, dead)
    assert machine.run(step(dead), at=Point.MANIFEST_RENAMED).code == -9
    machine.client.zadd(wire.HEARTBEATS_KEY, {"x": later.start_ms})
    assert machine.run(step(later)).code == 0
    losses = 0
    for losses, found in enumerate(machine.power_losses(deletes), 1):  # noqa: B007 - counted
        assert_all_is_there(found, dead)
    assert losses > 3


def test_what_was_learnt_in_a_missed_interval_is_on_the_disk_before_it_leaves_redis(
    new_machine: NewMachine, batches: list[Batch]
) -> None:
    machine, (missed, later, _) = new_machine(), batches
    fill(machine.client, missed)
    machine.client.delete(wire.stream_key(wire.LIKES), wire.stream_key(wire.POSTS))
    machine.client.zadd(wire.HEARTBEATS_KEY, {"x": later.start_ms})

    def miss(settings: Settings) -> None:
        with pytest.raises(MissedInterval):
            drain(settings, missed)

    assert machine.run(miss, at=f"{Point.COVERAGE_RENAMED}:2").code == -9  # the first one is of the silence
    ended = machine.run(miss)
    assert ended.code == 0, ended.said
    assert not machine.client.xlen(wire.COVERAGE_KEY)
    losses = 0
    for losses, found in enumerate(machine.power_losses(deletes), 1):  # noqa: B007 - counted
        known = read_gaps(found.settings.lake_path)
        assert {gap.reason for gap in known} == {Reason.LATE, Reason.PARTIAL, Reason.NOT_LISTENING}
    assert losses


def test_a_sync_that_fails_deletes_nothing_and_the_retry_loses_nothing(
    new_machine: NewMachine, batches: list[Batch]
) -> None:
    failed = 0
    machine = new_machine()
    fill(machine.client, batches[0])
    assert machine.run(step(batches[0])).code == 0
    for number in machine.syncs_of_interest():
        machine = new_machine()
        fill(machine.client, batches[0])
        ended = machine.run(step(batches[0]), fail_sync=number)
        assert ended.said.startswith("DiskFailed: ") and "\n" not in ended.said, ended
        assert "not written (Input/output error); see to the disk" in ended.said
        assert machine.client.xlen(wire.stream_key(wire.LIKES)) == LIKES
        assert machine.client.xlen(wire.COVERAGE_KEY) == len(GAPS)
        ended = machine.run(step(batches[0]))
        assert ended.code == 0, ended.said
        for found in machine.power_losses(lambda event: isinstance(event, Returned)):
            assert_all_is_there(found, batches[0])
            failed += 1
    assert failed > 10
