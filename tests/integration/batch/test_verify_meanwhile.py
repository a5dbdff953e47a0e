"""Verify while the pipeline is at work: what a batch has written so far is not damage."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from filelock import FileLock

from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.batch.lock import lock_path
from firehose.lake.ledger import entry_path
from firehose.lake.publish import publish
from firehose.lake.verify import verify
from firehose.quality.quarantine import quarantine_path
from firehose.quality.validate import validate
from firehose.settings import Settings
from jetstream_simulator import generate

Fill = Callable[[Iterable[bytes], Batch], None]
EVENTS = [*generate.events(600, seed=5, start_us=1_780_002_000_000_000, rate=2.5), b"{", b"[]"]


def test_a_validated_batch_is_not_published_yet(settings: Settings, batches: list[Batch], fill: Fill) -> None:
    lake = settings.local_lake
    for batch in batches[:2]:
        fill(EVENTS, batch)
        drain(settings, batch)
        validate(settings, batch)
        found = verify(lake)
        assert found.ok, found.problems
        assert found.quarantined == 2 * (1 + batches.index(batch))
        publish(settings, batch)
    quarantine_path(lake, batches[0]).remove()
    [problem] = verify(lake).problems
    assert problem == "ledger: 4 events should be in quarantine, there are 2"


def test_a_batch_that_is_being_published_has_no_entry_yet(
    settings: Settings, batches: list[Batch], fill: Fill
) -> None:
    lake, batch = settings.local_lake, batches[0]
    fill(EVENTS, batch)
    drain(settings, batch)
    validate(settings, batch)
    publish(settings, batch)
    entry_path(lake, batch).remove()
    assert any(f"no entry for batch {batch.id}" in problem for problem in verify(lake).problems)
    with FileLock(lock_path(lake, batch.id)):
        found = verify(lake)
        assert found.ok, found.problems
