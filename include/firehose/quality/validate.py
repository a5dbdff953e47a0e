"""The validate step: raw lines become typed rows; good ones are staged for publishing, bad ones quarantined.

Works slice by slice, so memory is bounded however large the interval, and what a killed run has done is kept.
Asserts raw = good + quarantined.
"""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import pyarrow as pa

from firehose import crash
from firehose.areas import Area
from firehose.batch import manifest as manifests
from firehose.batch.interval import Batch
from firehose.batch.lock import exclusive_per_batch
from firehose.batch.manifest import Manifest
from firehose.batch.raw import spans
from firehose.errors import CorruptBatch, PoisonFlood
from firehose.progress import tracked
from firehose.quality import result as results
from firehose.quality import workers
from firehose.quality.code import CODE
from firehose.quality.flood import Flood
from firehose.quality.outcome import SliceResult, TypeCounts, ValidateResult, rows_digest, total
from firehose.quality.pages import front_page, write_front_page
from firehose.quality.quarantine import gather, keep_sample
from firehose.quality.result import docs_folder
from firehose.quality.slices import SLICE_BYTES, Slice, validate_slice
from firehose.quality.suites import WHOLE_BATCH, SuiteRunner
from firehose.records.registry import BY_QUEUE, REGISTRY
from firehose.settings import Settings
from firehose.store import LakePath

#: Processes at most: each holds a slice, and the memory of a task is bounded.
PROCESSES = 2
# Less raw JSON than this is validated sooner than processes are forked.
_FORK_BYTES = 24 * 1024 * 1024
# Jetstream's own limit for one client in replay: a real stream never sends more than that a second.
_MAX_EVENTS_PER_S = 50_000


@exclusive_per_batch
def validate(settings: Settings, batch: Batch) -> ValidateResult:
    """Validate a drained batch. Safe to repeat: everything it writes is replaced.

    Raises:
        RawExpired: the raw files were removed because their time was over; nothing is changed.
        CorruptBatch: no manifest, or the raw files hold another number of events than it says.
        PoisonFlood: more events are bad than ``max_quarantine_rate`` allows. Nothing but a sample is kept.
        WorkerLost: a process died. Repeating goes on from there.
    """
    lake = settings.lake_path
    folder = manifests.folder_of(lake, batch)
    manifest = manifests.read(folder)
    if manifest is None:
        raise CorruptBatch(f"{folder}: no manifest; run the drain of batch {batch.id} first")
    manifests.require_files(folder, manifest)
    results.begin(lake, batch, _fingerprint(settings, manifest))
    slices = _validate_slices(settings, batch, manifest)
    try:
        counts = _counts(batch, manifest, slices)
    except CorruptBatch:  # the slices are of other bytes than the manifest describes: the retry needs others
        results.abandon(lake, batch)
        raise
    gather(batch, lake, _bad_paths(lake, batch, slices))
    runner = SuiteRunner(batch.id, docs_folder(lake), settings.max_error_rate)
    seconds = int((batch.end - batch.start).total_seconds())
    runner.check_accounting(_accounting(counts), seconds * _MAX_EVENTS_PER_S)
    suites = [*(suite for part in slices for suite in part.suites), *runner.results]
    runner.build_docs()
    result = _result(counts, suites, front_page(lake), rows_digest(slices))
    crash.reached(crash.Point.DOCS_BUILT)
    said = gzip.compress(msgspec.json.encode(suites), mtime=0)  # most of it is the same in each batch
    (batch.folder(lake, Area.QUALITY) / "suites.json.gz").write(said)
    results.write_result(lake, batch, result)
    results.finish(lake, batch)
    for path in _bad_paths(lake, batch, slices):
        path.discard()
    write_front_page(lake)
    return result


def _fingerprint(settings: Settings, manifest: Manifest) -> str:
    """A digest of all that a slice's result depends on; slices of another digest are not used."""
    of = [manifest, settings.max_error_rate, SLICE_BYTES, CODE]
    return hashlib.sha256(msgspec.json.encode(of)).hexdigest()


def _validate_slices(settings: Settings, batch: Batch, manifest: Manifest) -> list[SliceResult]:
    """Every slice of the batch, validated, in the order of types and numbers.

    Raises:
        PoisonFlood: as soon as it is certain.
    """
    lake = settings.lake_path
    tasks = list(_slices(settings, batch, manifest))
    processes = min(PROCESSES, os.cpu_count() or 1)
    if sum(task.span.size for task in tasks) < _FORK_BYTES:
        processes = 1
    flood = Flood(manifest, settings.max_quarantine_rate)
    done: list[SliceResult] = []
    # The large ones first, so that the processes end at about the same time.
    results_of = workers.map_unordered(validate_slice, sorted(tasks, key=lambda task: -task.span.size), processes)
    for result in tracked(results_of, f"validating {batch.id}", "slices", total=len(tasks)):
        done.append(result)
        if said := flood.add(result):
            sample = keep_sample(batch, lake, _bad_paths(lake, batch, done))
            results.abandon(lake, batch)
            raise PoisonFlood(
                f"batch {batch.id}: {said}; nothing is published, a sample is in {sample}, and all of it stays in "
                f"{manifests.folder_of(lake, batch)}. Mend what reads or rules on these events, or raise "
                "FIREHOSE_MAX_QUARANTINE_RATE for this run, then clear its validate task"
            )
    order = list(manifest.queues)
    return sorted(done, key=lambda result: (order.index(result.queue), result.number))


def _slices(settings: Settings, batch: Batch, manifest: Manifest) -> Iterator[Slice]:
    folder = manifests.folder_of(settings.lake_path, batch)
    for queue, described in manifest.queues.items():
        for number, span in enumerate(spans(folder / described.name, SLICE_BYTES, described.index)):
            yield Slice(settings.lake_path, batch, queue, described.name, number, span, settings.max_error_rate)


def _bad_paths(lake: LakePath, batch: Batch, slices: Iterable[SliceResult]) -> list[LakePath]:
    return [results.bad_path(lake, batch, part.queue, part.number) for part in slices]


def _counts(batch: Batch, manifest: Manifest, slices: list[SliceResult]) -> dict[str, TypeCounts]:
    """The counts of each type that has events.

    Raises:
        CorruptBatch: the raw file of a queue holds another number of events than the manifest says.
    """
    found = {}
    for queue, described in manifest.queues.items():
        of_queue = [part for part in slices if part.queue == queue]
        for of in BY_QUEUE[queue]:
            if of_type := [part.types[of.name].counts for part in of_queue if of.name in part.types]:
                found[of.name] = total(of_type)
        counts = total(part.counts for part in of_queue)
        if counts.raw != described.events or counts.raw != counts.good + counts.quarantined:
            raise CorruptBatch(
                f"batch {batch.id}, {described.name}: the manifest counts {described.events} events, the file "
                f"holds {counts.raw}, of them {counts.good} good and {counts.quarantined} quarantined; nothing is "
                "published"
            )
    return found


def _accounting(counts: dict[str, TypeCounts]) -> pa.Table:
    """A row for each type, and one, ``all``, for the batch, which a few bad events of a rare type do not spoil."""
    whole = total(counts.values())
    rows = {**counts, WHOLE_BATCH: whole}
    return pa.table(
        {
            "type": list(rows),
            "raw": [count.raw for count in rows.values()],
            "good": [count.good for count in rows.values()],
            "quarantined": [count.quarantined for count in rows.values()],
            "error_rate": [count.quarantined / max(count.raw, 1) for count in rows.values()],
        }
    )


def _result(
    counts: dict[str, TypeCounts], suites: list[dict[str, Any]], docs: LakePath, rows_sha256: str
) -> ValidateResult:
    whole = total(counts.values())
    failed = [
        f"{suite['suite']}: {expectation['type']} {expectation['kwargs'].get('column', '')}".rstrip()
        for suite in suites
        for expectation in suite["expectations"]
        if not expectation["success"]
    ]
    return ValidateResult(
        good=whole.good,
        quarantined=whole.quarantined,
        error_rate=whole.quarantined / whole.raw if whole.raw else 0.0,
        suite_success=not failed,
        failed_expectations=failed,
        docs=str(docs),
        counts=counts,
        types=[*REGISTRY],
        rows_sha256=rows_sha256,
    )
