"""What a validation leaves of a batch, made without Great Expectations, which takes seconds and changes no row."""

from __future__ import annotations

from collections.abc import Sequence

from firehose.batch.interval import Batch
from firehose.lake import raws
from firehose.quality.outcome import SliceResult, StagedRows, TypeCounts, ValidateResult
from firehose.quality.result import staged_path, write_result, write_slice
from firehose.records.registry import BY_QUEUE, REGISTRY
from firehose.store import LakePath


def stage(lake: LakePath, batch: Batch, record_type: str, hours: Sequence[int]) -> None:
    """Stage a batch's good rows of one type, which all lie in these hours."""
    stage_queue(lake, batch, REGISTRY[record_type].queue, hours, [record_type])


def stage_queue(
    lake: LakePath, batch: Batch, queue: str, hours: Sequence[int], types: Sequence[str] = tuple(REGISTRY)
) -> None:
    """Stage a batch's good rows of a queue, which all lie in these hours, as a version that knows these types."""
    staged = {}
    for record_type in (of.name for of in BY_QUEUE[queue] if of.name in types):
        path = staged_path(lake, batch, record_type)
        with path.replacing() as part:
            raw = raws.find(lake, batch.id, record_type, types)
            parts = raws.write_rows(raw, record_type, hours, part)
        rows = {str(hour): one.rows for hour, one in parts.items()}
        good = sum(rows.values())
        staged[record_type] = StagedRows(counts=TypeCounts(good, good, 0), rows=rows, sha256=path.sha256())
    write_slice(lake, batch, SliceResult(queue=queue, number=0, types=staged, reasons={}, suites=[]))
    result = ValidateResult(
        good=sum(one.counts.good for one in staged.values()),
        quarantined=0,
        error_rate=0.0,
        suite_success=True,
        failed_expectations=[],
        docs="",
        counts={record_type: one.counts for record_type, one in staged.items()},
        types=[*REGISTRY],
    )
    write_result(lake, batch, result)
