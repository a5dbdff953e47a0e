"""The validate step: raw lines become typed rows; good ones are staged for publishing, bad ones quarantined.

Works chunk by chunk, so memory is bounded however large the interval. Asserts raw = good + quarantined.
"""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from firehose import crash, files, schema
from firehose.batch import manifest as manifests
from firehose.batch.interval import Batch
from firehose.batch.lock import alone
from firehose.batch.manifest import Manifest, QueueFile
from firehose.batch.raw import read_chunks
from firehose.errors import CorruptBatch
from firehose.events.rows import decode_rows, to_table
from firehose.quality.pages import write_front_page
from firehose.quality.quarantine import Quarantine
from firehose.quality.result import (
    QUALITY,
    TypeCounts,
    ValidateResult,
    docs_folder,
    staged_path,
    write_result,
)
from firehose.quality.rules import columns_of, split
from firehose.quality.suites import WHOLE_BATCH, SuiteRunner
from firehose.settings import Settings

log = logging.getLogger(__name__)

#: Events decoded at a time.
CHUNK_EVENTS = 25_000
#: Rows that one run of a suite sees at most; a larger batch is checked in parts.
SUITE_ROWS = 500_000
# Jetstream's own limit for one client in replay: more than that a second is no real stream.
_MAX_EVENTS_PER_S = 50_000


@alone
def validate(settings: Settings, batch: Batch) -> ValidateResult:
    """Validate a drained batch. Safe to repeat: everything it writes is replaced.

    Raises:
        CorruptBatch: no manifest, or the raw files hold another number of events than it says.
    """
    lake = settings.lake_path
    folder = manifests.folder_of(lake, batch)
    manifest = manifests.read(folder)
    if manifest is None:
        raise CorruptBatch(f"{folder}: no manifest; run the drain of batch {batch.id} first")
    runner = SuiteRunner(
        batch.id,
        docs_folder(lake),
        settings.max_error_rate,
        int((batch.end - batch.start).total_seconds()) * _MAX_EVENTS_PER_S,
    )
    with Quarantine(batch, lake) as quarantine:
        counts = {
            queue: _validate_type(batch, lake, manifest, queue, quarantine, runner) for queue in manifest.queues
        }
    runner.check_accounting(_accounting(counts))
    result = _result(counts, runner)
    crash.reached(crash.Point.DOCS_BUILT)
    suites = batch.folder(lake, QUALITY) / "suites.json"
    files.write_bytes(suites, msgspec.json.encode(runner.results))
    write_result(lake, batch, result)
    write_front_page(lake)
    return result


def _validate_type(
    batch: Batch, lake: Path, manifest: Manifest, queue: str, quarantine: Quarantine, runner: SuiteRunner
) -> TypeCounts:
    described = manifest.queues[queue]
    raw = good = quarantined = parts = 0
    ruled: list[pa.Table] = []
    path = manifests.folder_of(lake, batch) / described.name
    with (
        files.replacing(staged_path(lake, batch, queue)) as part,
        pq.ParquetWriter(part, schema.SCHEMAS[queue], compression="zstd", compression_level=1) as writer,
    ):
        for lines in read_chunks(path, CHUNK_EVENTS):
            rows, kept, failed = decode_rows(queue, lines)
            table = to_table(queue, rows, batch.start)
            mask, reasons = split(queue, table)
            quarantine.add_undecodable(queue, failed)
            quarantine.add_rows(queue, table, kept, reasons)
            published = table.filter(mask) if reasons else table
            writer.write_table(published)
            raw, good = raw + len(lines), good + len(published)
            quarantined += len(failed) + len(reasons)
            ruled.append(table.select(columns_of(queue)))
            if sum(map(len, ruled)) >= SUITE_ROWS:
                runner.check_rows(queue, parts, pa.concat_tables(ruled))
                ruled, parts = [], parts + 1
    if any(map(len, ruled)):
        runner.check_rows(queue, parts, pa.concat_tables(ruled))
    return _conserved(batch, described, TypeCounts(raw, good, quarantined))


def _conserved(batch: Batch, described: QueueFile, counts: TypeCounts) -> TypeCounts:
    if counts.raw != described.events or counts.raw != counts.good + counts.quarantined:
        raise CorruptBatch(
            f"batch {batch.id}, {described.name}: the manifest counts {described.events} events, the file holds "
            f"{counts.raw}, of them {counts.good} good and {counts.quarantined} quarantined; nothing is published"
        )
    return counts


def _accounting(counts: dict[str, TypeCounts]) -> pa.Table:
    """One row a type and one, ``all``, of the whole batch: a few bad events of a rare type are no bad batch."""
    whole = TypeCounts(
        sum(count.raw for count in counts.values()),
        sum(count.good for count in counts.values()),
        sum(count.quarantined for count in counts.values()),
    )
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


def _result(counts: dict[str, TypeCounts], runner: SuiteRunner) -> ValidateResult:
    raw = sum(count.raw for count in counts.values())
    quarantined = sum(count.quarantined for count in counts.values())
    failed = [
        f"{suite['suite']}: {one['type']} {one['kwargs'].get('column', '')}".rstrip()
        for suite in runner.results
        for one in suite["expectations"]
        if not one["success"]
    ]
    return ValidateResult(
        good=sum(count.good for count in counts.values()),
        quarantined=quarantined,
        error_rate=quarantined / raw if raw else 0.0,
        suite_success=not failed,
        failed_expectations=failed,
        docs=str(runner.build_docs()),
        counts=counts,
    )
