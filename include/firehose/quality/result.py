"""Where a validation leaves what it made for the next step: good rows staged in Parquet by slice, and its result.

Light on purpose: publishing reads these without loading Great Expectations. Must not: say what is in a result
(outcome.py does).
"""

from __future__ import annotations

import msgspec

from firehose.areas import Area, F
from firehose.batch.interval import Batch
from firehose.errors import CorruptBatch
from firehose.quality.outcome import SliceResult, ValidateResult
from firehose.records.registry import BY_QUEUE, REGISTRY
from firehose.store import L, LakePath

HOUR_US = 3_600_000_000
_RESULT = "result.json"
# It lies beside the slices from the first one until the result is stored: they are of one validation.
_UNFINISHED = "unfinished"


def staged_folder(lake: F, batch: Batch) -> F:
    """Where a batch's slices wait to be published."""
    return batch.folder(lake, Area.STAGED)


def staged_path(lake: F, batch: Batch, record_type: str, number: int = 0) -> F:
    """The good rows of one type in one slice."""
    return staged_folder(lake, batch) / f"{record_type}-{number:04}.parquet"


def slice_path(lake: F, batch: Batch, queue: str, number: int) -> F:
    """The result of one slice."""
    return staged_folder(lake, batch) / f"{queue}-{number:04}.slice.json"


def bad_path(lake: F, batch: Batch, queue: str, number: int) -> F:
    """The bad events of one slice, until they are gathered in quarantine; there only where it has some."""
    return staged_folder(lake, batch) / f"{queue}-{number:04}.bad"


def begin(lake: LakePath, batch: Batch, fingerprint: str) -> None:
    """Begin a validation: go on with the slices of one that did not end, if it was of the same fingerprint."""
    folder = staged_folder(lake, batch)
    marker = folder / _UNFINISHED
    if marker.exists() and marker.read_bytes() == fingerprint.encode():
        return
    abandon(lake, batch)
    marker.write(fingerprint.encode())


def finish(lake: LakePath, batch: Batch) -> None:
    """End a validation, whose result is stored: the next one starts from the beginning.

    Durably, and before anything else of it is removed: with the mark, what is left would be taken for whole.
    """
    (staged_folder(lake, batch) / _UNFINISHED).remove()


def abandon(lake: LakePath, batch: Batch) -> None:
    """Drop what a validation has done so far."""
    finish(lake, batch)
    staged_folder(lake, batch).discard_all()


def read_slice(lake: LakePath, batch: Batch, queue: str, number: int) -> SliceResult | None:
    """The stored result of one slice, or None."""
    path = slice_path(lake, batch, queue, number)
    try:
        return msgspec.json.decode(path.read_bytes(), type=SliceResult)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise CorruptBatch(f"{path}: not readable ({error}); delete {path.parent}, then clear validate") from error


def write_slice(lake: LakePath, batch: Batch, result: SliceResult) -> None:
    """Store the result of a slice durably: from here on it is not validated again."""
    path = slice_path(lake, batch, result.queue, result.number)
    path.write(msgspec.json.encode(result))


def staged_slices(lake: LakePath, batch: Batch, queue: str) -> list[SliceResult]:
    """The slices of a queue, in order, up to the first one that is missing."""
    found: list[SliceResult] = []
    while result := read_slice(lake, batch, queue, len(found)):
        found.append(result)
    return found


def read_result(lake: LakePath, batch: Batch) -> ValidateResult | None:
    """The stored result of a batch's validation, or None.

    Raises:
        CorruptBatch: there is one, and it cannot be read.
    """
    path = batch.folder(lake, Area.QUALITY) / _RESULT
    return load_result(path) if path.exists() else None


def load_result(path: LakePath) -> ValidateResult:
    """The result in one of :func:`latest_results`.

    Raises:
        CorruptBatch: it cannot be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=ValidateResult)
    except msgspec.MsgspecError as error:
        raise CorruptBatch(f"{path}: not readable ({error}); clear the batch's validate task") from error


def finished_result(lake: LakePath, batch: Batch) -> ValidateResult | None:
    """The stored result of a batch's validation, or None; None also where a later validation has begun.

    Raises:
        CorruptBatch: there is one, and it cannot be read.
    """
    return None if (staged_folder(lake, batch) / _UNFINISHED).exists() else read_result(lake, batch)


def staged_result(lake: LakePath, batch: Batch) -> ValidateResult | None:
    """The result of a validation whose rows are all staged, or None.

    Also None where the version that validated knew other record types: its rows are divided in another way.
    """
    result = finished_result(lake, batch)
    if result is None or result.types != [*REGISTRY]:
        return None
    for queue in {REGISTRY[record_type].queue for record_type in result.counts}:
        slices = staged_slices(lake, batch, queue)
        for of in BY_QUEUE[queue]:
            staged = {part.number: part.types[of.name] for part in slices if of.name in part.types}
            raw = result.counts[of.name].raw if of.name in result.counts else 0
            if sum(counted.counts.raw for counted in staged.values()) != raw:
                return None
            if not all(staged_path(lake, batch, of.name, number).exists() for number in staged):
                return None
    return result


def write_result(lake: LakePath, batch: Batch, result: ValidateResult) -> None:
    """Store the result durably, as the last act of a validation."""
    (batch.folder(lake, Area.QUALITY) / _RESULT).write(msgspec.json.encode(result))


def latest_results(lake: L, count: int) -> list[L]:
    """The stored results of the latest batches, at most ``count``, the latest one first."""
    found: list[L] = []
    for day in reversed(Area.QUALITY.of(lake).folders("date=*")):
        found += reversed(day.find(f"batch=*/{_RESULT}"))
        if len(found) >= count:
            break
    return found[:count]


def docs_folder(lake: F) -> F:
    """The Data Docs site of all batches."""
    return Area.QUALITY.of(lake) / "docs"
