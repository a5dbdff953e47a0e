"""What a validation leaves for the next step: good rows staged in Parquet by slice, and its result.

Light on purpose: publishing reads these without loading Great Expectations.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Any

import msgspec

from firehose import files, metrics
from firehose.batch.interval import Batch
from firehose.errors import CorruptBatch

STAGED = "staged"
QUALITY = "quality"
HOUR_US = 3_600_000_000
_RESULT = "result.json"
# It lies beside the slices from the first one until the result is stored: they are of one validation.
_UNFINISHED = "unfinished"


class TypeCounts(msgspec.Struct, frozen=True):
    """What became of one type's raw events."""

    raw: Annotated[int, metrics.RECEIVED]
    good: Annotated[int, metrics.GOOD]
    quarantined: Annotated[int, metrics.QUARANTINED]


class SliceResult(msgspec.Struct, frozen=True, kw_only=True):
    """One slice of a type, validated. Stored last, so that where it is, the slice's files are whole.

    ``rows`` are the good rows by hour (since the epoch, as text: JSON has no other keys), ``sha256`` is of their
    file, ``reasons`` are the most frequent ones of the bad events, ``suites`` what Great Expectations said.
    ``new_kinds`` of the quarantined events are there only because this version does not know their kind.
    """

    record_type: str
    number: int
    counts: TypeCounts
    rows: dict[str, int]
    sha256: str
    reasons: dict[str, int]
    suites: list[dict[str, Any]]
    new_kinds: int = 0


class ValidateResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a validation hands on; stored beside the batch's suite results."""

    good: Annotated[int, metrics.GOOD]
    quarantined: Annotated[int, metrics.QUARANTINED]
    error_rate: Annotated[float, metrics.ERROR_RATE]
    suite_success: bool
    failed_expectations: list[str]
    docs: str
    counts: dict[str, TypeCounts]


def staged_folder(lake: Path, batch: Batch) -> Path:
    """Where a batch's slices wait to be published."""
    return batch.folder(lake, STAGED)


def staged_path(lake: Path, batch: Batch, record_type: str, number: int = 0) -> Path:
    """The good rows of one slice."""
    return staged_folder(lake, batch) / f"{record_type}-{number:04}.parquet"


def slice_path(lake: Path, batch: Batch, record_type: str, number: int) -> Path:
    """The result of one slice."""
    return staged_path(lake, batch, record_type, number).with_suffix(".slice.json")


def bad_path(lake: Path, batch: Batch, record_type: str, number: int) -> Path:
    """The bad events of one slice, until they are gathered in quarantine; there only where it has some."""
    return staged_path(lake, batch, record_type, number).with_suffix(".bad")


def begin(lake: Path, batch: Batch, fingerprint: str) -> None:
    """Begin a validation: go on with the slices of one that did not end, if it was of the same fingerprint."""
    folder = staged_folder(lake, batch)
    marker = folder / _UNFINISHED
    if marker.exists() and marker.read_text() == fingerprint:
        return
    abandon(lake, batch)
    files.write_bytes(marker, fingerprint.encode())


def finish(lake: Path, batch: Batch) -> None:
    """End a validation, whose result is stored: the next one begins anew.

    Durably, and before anything else of it is removed: with the mark, what is left would be taken for whole.
    """
    files.remove(staged_folder(lake, batch) / _UNFINISHED)


def abandon(lake: Path, batch: Batch) -> None:
    """Drop what a validation has done so far."""
    finish(lake, batch)
    if (folder := staged_folder(lake, batch)).exists():
        shutil.rmtree(folder)


def read_slice(lake: Path, batch: Batch, record_type: str, number: int) -> SliceResult | None:
    """The stored result of one slice, or None."""
    path = slice_path(lake, batch, record_type, number)
    try:
        return msgspec.json.decode(path.read_bytes(), type=SliceResult)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise CorruptBatch(f"{path}: not readable ({error}); delete {path.parent}, then clear validate") from error


def write_slice(lake: Path, batch: Batch, result: SliceResult) -> None:
    """Store the result of a slice durably: from here on it is not validated again."""
    path = slice_path(lake, batch, result.record_type, result.number)
    files.write_bytes(path, msgspec.json.encode(result))


def staged_slices(lake: Path, batch: Batch, record_type: str) -> list[SliceResult]:
    """The slices of a type, in order, up to the first one that is missing."""
    found: list[SliceResult] = []
    while one := read_slice(lake, batch, record_type, len(found)):
        found.append(one)
    return found


def read_result(lake: Path, batch: Batch) -> ValidateResult | None:
    """The stored result of a batch's validation, or None.

    Raises:
        CorruptBatch: there is one, and it cannot be read.
    """
    path = batch.folder(lake, QUALITY) / _RESULT
    return load_result(path) if path.exists() else None


def load_result(path: Path) -> ValidateResult:
    """The result in one of :func:`result_paths`.

    Raises:
        CorruptBatch: it cannot be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=ValidateResult)
    except msgspec.MsgspecError as error:
        raise CorruptBatch(f"{path}: not readable ({error}); clear the batch's validate task") from error


def staged_result(lake: Path, batch: Batch) -> ValidateResult | None:
    """The result of a validation whose rows are all staged, or None."""
    result = read_result(lake, batch)
    if result is None or (staged_folder(lake, batch) / _UNFINISHED).exists():
        return None
    for record_type, counts in result.counts.items():
        slices = staged_slices(lake, batch, record_type)
        if sum(one.counts.raw for one in slices) != counts.raw:
            return None
        if not all(staged_path(lake, batch, record_type, one.number).exists() for one in slices):
            return None
    return result


def write_result(lake: Path, batch: Batch, result: ValidateResult) -> None:
    """Store the result durably, as the last act of a validation."""
    files.write_bytes(batch.folder(lake, QUALITY) / _RESULT, msgspec.json.encode(result))


def result_paths(lake: Path) -> list[Path]:
    """The stored results of all batches, in no order."""
    return list((lake / QUALITY).glob(f"date=*/batch=*/{_RESULT}"))


def docs_folder(lake: Path) -> Path:
    """The Data Docs site of all batches."""
    return lake / QUALITY / "docs"
