"""What a validation says: of one type in a slice, of a slice, of a batch.

Must not: know where that is stored (result.py does), import Great Expectations.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec

from firehose import metrics


class TypeCounts(msgspec.Struct, frozen=True):
    """What became of one type's raw events."""

    raw: Annotated[int, metrics.RECEIVED]
    good: Annotated[int, metrics.GOOD]
    quarantined: Annotated[int, metrics.QUARANTINED]


class StagedRows(msgspec.Struct, frozen=True, kw_only=True):
    """What one slice has of one record type.

    ``rows`` are the good rows by hour (since the epoch, as text: JSON has no other keys), ``sha256`` is of their
    file.
    """

    counts: TypeCounts
    rows: dict[str, int]
    sha256: str


class SliceResult(msgspec.Struct, frozen=True, kw_only=True):
    """One slice of a queue, validated. Stored last, so that where it is, the slice's files are whole.

    ``types`` are the record types that have an event in it. ``reasons`` are the most frequent ones of the bad
    events, ``suites`` what Great Expectations said. ``new_kinds`` of the quarantined events are there only because
    this version does not know their kind.
    """

    queue: str
    number: int
    types: dict[str, StagedRows]
    reasons: dict[str, int]
    suites: list[dict[str, Any]]
    new_kinds: int = 0

    @property
    def counts(self) -> TypeCounts:
        """Of all its types together."""
        return total(one.counts for one in self.types.values())


def rows_digest(slices: Iterable[SliceResult]) -> str:
    """The digest of the staged rows of some slices, in their order."""
    staged = (f"{name} {staged.sha256}\n" for one in slices for name, staged in sorted(one.types.items()))
    return hashlib.sha256("".join(staged).encode()).hexdigest()


def total(counts: Iterable[TypeCounts]) -> TypeCounts:
    """The sum of some counts."""
    raw = good = quarantined = 0
    for one in counts:
        raw, good, quarantined = raw + one.raw, good + one.good, quarantined + one.quarantined
    return TypeCounts(raw, good, quarantined)


class ValidateResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a validation hands on; stored beside the batch's suite results.

    ``types`` are the record types that the validating version knew; versions that say nothing knew fewer.
    ``rows_sha256`` is the digest of all staged rows; versions that say nothing did not take it.
    """

    good: Annotated[int, metrics.GOOD]
    quarantined: Annotated[int, metrics.QUARANTINED]
    error_rate: Annotated[float, metrics.ERROR_RATE]
    suite_success: bool
    failed_expectations: list[str]
    docs: str
    counts: dict[str, TypeCounts]
    types: list[str] = []
    rows_sha256: str = ""
