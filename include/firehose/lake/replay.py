"""Replays the quarantine: a batch whose bad events are good by the present rules is validated and published again.

The raw batch is the source, so that raw = good + quarantined + duplicates stays true without any arithmetic of
this module: what passes now is published once, and the quarantine file holds what does not. Must not: publish from
a quarantine file, which has no place in that equation once the raw batch is gone.
"""

from __future__ import annotations

from firehose.areas import Area
from firehose.batch import manifest as manifests
from firehose.batch.interval import Batch
from firehose.batch.lock import exclusive_per_batch
from firehose.lake.ledger import entry_path, read_entry
from firehose.lake.publish import PublishResult, publish
from firehose.quality.validate import validate
from firehose.settings import Settings
from firehose.store import LakePath


def batch_of(lake: LakePath, batch_id: str) -> tuple[Batch, str]:
    """A batch with its interval, and why it cannot be replayed; empty: it can.

    Raises:
        CorruptLake, CorruptBatch: its entry or its manifest cannot be read.
    """
    named = Batch.parse(batch_id, 1)
    entry, manifest = read_entry(entry_path(lake, named)), manifests.read(manifests.folder_of(lake, named))
    if entry is None:
        return named, "it is not published yet: clear its run in Airflow, which rules on all of its events"
    batch = Batch.of(entry.start, entry.end)
    if manifest is None:
        return batch, f"its raw folder {manifests.folder_of(lake, named)} is gone: restore it from a backup"
    if manifest.expired:
        return batch, (
            f"its raw files expired on {manifest.expired.at:%Y-%m-%dT%H:%M:%SZ}: restore "
            f"{manifests.folder_of(lake, named)} from a backup first (FIREHOSE_KEEP_RAW_HOURS keeps them longer)"
        )
    return batch, ""


def interrupted(lake: LakePath) -> list[str]:
    """The published batches whose last validation was not published: what a replay that was killed leaves.

    Also those that a cleared run is at work on just now, for which a replay waits and then changes nothing.
    """
    staged = Area.STAGED.of(lake).find("date=*/batch=*/*")
    names = sorted({path.parent.name.removeprefix("batch=") for path in staged})
    return [name for name in names if read_entry(entry_path(lake, Batch.parse(name, 1)))]


@exclusive_per_batch
def replay(settings: Settings, batch: Batch) -> PublishResult:
    """Validate and publish a batch again, while no other step of it runs.

    Safe to repeat and to be killed anywhere, as both steps are: killed between them, the batch is one of
    :func:`interrupted`, and repeating this, or clearing its run, publishes it.

    Raises:
        RawExpired: its raw files are gone; nothing is changed.
        CorruptBatch, PoisonFlood, WorkerLost: as :func:`validate` and :func:`publish`.
    """
    validate(settings, batch)
    return publish(settings, batch)
