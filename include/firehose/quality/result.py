"""What a validation leaves for the next step: good rows staged in Parquet, and its result.

Light on purpose: publishing reads these without loading Great Expectations.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from firehose import files
from firehose.batch.interval import Batch

STAGED = "staged"
QUALITY = "quality"
_RESULT = "result.json"


class TypeCounts(msgspec.Struct, frozen=True):
    """What became of one type's raw events."""

    raw: int
    good: int
    quarantined: int


class ValidateResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a validation hands on; stored beside the batch's suite results."""

    good: int
    quarantined: int
    error_rate: float
    suite_success: bool
    failed_expectations: list[str]
    docs: str
    counts: dict[str, TypeCounts]


def staged_path(lake: Path, batch: Batch, record_type: str) -> Path:
    """Where a batch's good rows of a type wait to be published."""
    return batch.folder(lake, STAGED) / f"{record_type}.parquet"


def read_result(lake: Path, batch: Batch) -> ValidateResult | None:
    """The stored result of a batch's validation, or None."""
    try:
        return msgspec.json.decode((batch.folder(lake, QUALITY) / _RESULT).read_bytes(), type=ValidateResult)
    except FileNotFoundError:
        return None


def write_result(lake: Path, batch: Batch, result: ValidateResult) -> None:
    """Store the result durably, as the last act of a validation."""
    files.write_bytes(batch.folder(lake, QUALITY) / _RESULT, msgspec.json.encode(result))


def result_paths(lake: Path) -> list[Path]:
    """The stored results of all batches, in no order."""
    return list((lake / QUALITY).glob(f"date=*/batch=*/{_RESULT}"))


def docs_folder(lake: Path) -> Path:
    """The Data Docs site of all batches."""
    return lake / QUALITY / "docs"
