"""The footer of an hour file says which batch did what to it, and so changes together with the rows.

Reads footers only; :mod:`firehose.lake.hourfile` writes them with the rows. Must not: replace a file, look at rows
(but for files of a version whose footers said nothing).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
import pyarrow as pa

from firehose import parquet
from firehose.lake.rowgroups import corrupt, rows_by_batch
from firehose.store import LakePath

# Batch id to the rows that it has lost.
_DISPLACED = b"firehose:displaced"
# Batch id to the commits of it that are in the file; they were slices once.
_COMMITS = b"firehose:slices"
# Batch id and neighbouring hour to the rows that its copies there have displaced here.
_TAKEN = b"firehose:taken"


class Merged(msgspec.Struct, frozen=True):
    """Of the new rows: stored, and dropped because the event is there already. ``displaced``: see LedgerCounts."""

    stored: int
    duplicates: int
    displaced: int


class BatchCommits(msgspec.Struct, frozen=True, omit_defaults=True):
    """Commits of one batch that a file holds, and the digest of all that the batch has for it.

    ``types``: in the file of a catch-all, the record types that the writing version knew, whose rows therefore are
    not here; versions that say nothing knew :data:`firehose.records.registry.FIRST_TYPES`.
    """

    source: str
    slices: list[Merged]
    types: list[str] = []


class DisplacedRows(msgspec.Struct, frozen=True):
    """Rows that a batch's copies in a neighbouring hour have displaced; ``source`` is the digest of its rows."""

    source: str
    rows: int


class Footer(msgspec.Struct, frozen=True):
    """All that a file's footer says of batches, by batch id (``taken``: by :func:`taker_id`)."""

    displaced: dict[str, int]
    commits: dict[str, BatchCommits]
    taken: dict[str, DisplacedRows]

    def mentions(self, batch: str) -> bool:
        """Tell whether the batch of this id has written into the file, rows or the loss of rows."""
        return batch in self.commits or any(taker.startswith(f"{batch} ") for taker in self.taken)

    def encode(self) -> dict[bytes, bytes]:
        """As a footer keeps them."""
        keyed = {_DISPLACED: self.displaced, _COMMITS: self.commits, _TAKEN: self.taken}
        return {key: msgspec.json.encode(value) for key, value in keyed.items()}


def read(path: LakePath) -> Footer:
    """Read what a file says of the batches in it; nothing where there is no file.

    Raises:
        CorruptLake: the file cannot be read.
    """
    return of_notes(notes(path))


def of_notes(said: Mapping[bytes, bytes]) -> Footer:
    """The same of a file whose notes were read."""
    return Footer(
        msgspec.json.decode(said.get(_DISPLACED, b"{}"), type=dict[str, int]),
        msgspec.json.decode(said.get(_COMMITS, b"{}"), type=dict[str, BatchCommits]),
        msgspec.json.decode(said.get(_TAKEN, b"{}"), type=dict[str, DisplacedRows]),
    )


def notes(path: LakePath) -> dict[bytes, bytes]:
    """All that a file's footer notes; nothing where there is no file.

    Raises:
        CorruptLake: the file cannot be read.
    """
    if not path.exists():
        return {}
    try:
        return parquet.footer(path).metadata or {}
    except (pa.ArrowInvalid, OSError) as error:
        raise corrupt(path, error) from error


def batch_id(batch: datetime) -> str:
    """The id of the batch that starts then."""
    return f"{batch:%Y%m%dT%H%M%SZ}"


def taker_id(batch: datetime, hour: int, record_type: str = "", user: str = "") -> str:
    """The key under which a file notes the rows that it lost to a batch's copies in ``hour``.

    ``record_type``: of those copies, where they are in the file of another type; ``user``: in one of a user.
    """
    return f"{batch_id(batch)} {hour} {record_type} {user}".rstrip()


def displaced_rows(path: LakePath, taker: str) -> DisplacedRows | None:
    """The rows that an hour file has lost to a batch's rows in another file, by :func:`taker_id`, or None.

    Raises:
        CorruptLake: the file cannot be read.
    """
    return read(path).taken.get(taker)


def displaced(path: LakePath) -> dict[str, int]:
    """Rows that an hour file has lost to copies of earlier batches, by the id of the batch that had stored them.

    Raises:
        CorruptLake: the file cannot be read.
    """
    return read(path).displaced


def commits_done(path: LakePath, batch: datetime, source: str) -> list[Merged]:
    """The commits of a batch, out of ``source``, that an hour file holds already: a killed run left them.

    Raises:
        CorruptLake: the file cannot be read.
    """
    done = read(path).commits.get(batch_id(batch))
    return [*done.slices] if done and done.source == source else []


def mentions(path: LakePath, batch: datetime) -> bool:
    """Tell whether an hour file may hold rows of a batch, or says that it has held some.

    Raises:
        CorruptLake: the file cannot be read.
    """
    footer = read(path)
    if batch_id(batch) in footer.commits or batch_id(batch) in footer.displaced:
        return True
    # An earlier version of this program noted no commits.
    return batch in rows_by_batch(path)
