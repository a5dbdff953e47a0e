"""Power fails while raw files expire: what is gone is always said to be, and the repetition ends it."""

from __future__ import annotations

from collections.abc import Callable

from firehose import schema
from firehose.batch.interval import Batch
from firehose.lake import audit
from firehose.lake.verify import verify
from firehose.settings import Settings
from tests.fault.power.journal import Event, Names
from tests.fault.power.machine import Machine
from tests.support.maintained import LIKES, maintenance, proven, published, raw_files

NewMachine = Callable[[], Machine]


def checked(settings: Settings) -> None:
    proven(maintenance(settings))


def expired(settings: Settings) -> None:
    assert not maintenance(settings).expire().kept


def of_a_removal(event: Event) -> bool:
    """Whether a file was removed, or one got its name that says so."""
    names = event.names if isinstance(event, Names) else {}
    said = {name for name, node in names.items() if node is not None}
    gone = any(node is None and name.endswith(".zst") for name, node in names.items())
    return gone or "manifest.json" in said or any(name.endswith((".jsonl", ".verified.json")) for name in said)


def test_power_lost_at_any_moment_of_a_removal_leaves_nothing_unsaid(
    new_machine: NewMachine, batches: list[Batch]
) -> None:
    machine, (one, two, _) = new_machine(), batches
    published(machine.settings, machine.client, {one: LIKES[:90], two: LIKES[60:]})
    ended = machine.run(checked, expired)
    assert ended.code == 0, ended.said
    losses = {True: 0, False: 0}
    for found in machine.power_losses(of_a_removal):
        lake = found.settings.lake_path
        left = [batch for batch in (one, two) if raw_files(found.settings, batch)]
        report = verify(lake)
        assert report.ok, report.problems
        assert report.batches + report.batches_expired == 2
        assert report.types[schema.LIKES].rows == len(LIKES)
        if len(left) < 2:
            assert audit.log_paths(lake), "it was on record before"
        losses[bool(left)] += 1
        checked(found.settings)
        expired(found.settings)
        assert not any(raw_files(found.settings, batch) for batch in (one, two))
        report = verify(lake)
        assert report.ok and report.batches_expired == 2, report.problems
    assert all(losses.values()), losses
