"""What an hour file notes in its footer, so that it changes together with the rows: which batch did what to it.

Reads notes only; :mod:`firehose.lake.hourfile` writes them with the rows. Must not: replace a file, look at rows
(but for files of a version that noted nothing).
"""

from __future__ import annotations

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


class Done(msgspec.Struct, frozen=True, omit_defaults=True):
    """Commits of one batch that a file holds, and the digest of all that the batch has for it.

    ``types``: in the file of a catch-all, the record types that the writing version knew, whose rows therefore are
    not here; versions that say nothing knew :data:`firehose.records.registry.FIRST_TYPES`.
    """

    source: str
    slices: list[Merged]
    types: list[str] = []


class Taken(msgspec.Struct, frozen=True):
    """Rows that a batch's copies in a neighbouring hour have displaced; ``source`` is the digest of its rows."""

    source: str
    rows: int


class Noted(msgspec.Struct, frozen=True):
    """All notes of a file, by batch id (``taken``: by :func:`taker_id`)."""

    displaced: dict[str, int]
    commits: dict[str, Done]
    taken: dict[str, Taken]

    def mentions(self, batch: str) -> bool:
        """Whether the batch of this id has written into the file, rows or the loss of rows."""
        return batch in self.commits or any(taker.startswith(f"{batch} ") for taker in self.taken)

    def encode(self) -> dict[bytes, bytes]:
        """As a footer keeps them."""
        keyed = {_DISPLACED: self.displaced, _COMMITS: self.commits, _TAKEN: self.taken}
        return {key: msgspec.json.encode(value) for key, value in keyed.items()}


def read(path: LakePath) -> Noted:
    """What a file says of the batches in it; nothing where there is no file.

    Raises:
        CorruptLake: the file cannot be read.
    """
    if not path.exists():
        return Noted({}, {}, {})
    try:
        noted = parquet.footer(path).metadata or {}
    except (pa.ArrowInvalid, OSError) as error:
        raise corrupt(path, error) from error
    return Noted(
        msgspec.json.decode(noted.get(_DISPLACED, b"{}"), type=dict[str, int]),
        msgspec.json.decode(noted.get(_COMMITS, b"{}"), type=dict[str, Done]),
        msgspec.json.decode(noted.get(_TAKEN, b"{}"), type=dict[str, Taken]),
    )


def batch_id(batch: datetime) -> str:
    """The id of the batch that starts then."""
    return f"{batch:%Y%m%dT%H%M%SZ}"


def taker_id(batch: datetime, hour: int, record_type: str = "") -> str:
    """What the rows that a batch's copies in ``hour`` have displaced are noted under.

    ``record_type``: of those copies, where they are in the file of another type.
    """
    return f"{batch_id(batch)} {hour} {record_type}".rstrip()


def taken(path: LakePath, taker: str) -> Taken | None:
    """What a batch's rows in another file have displaced in an hour file, by :func:`taker_id`, or None.

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


def concerns(path: LakePath, batch: datetime) -> bool:
    """Whether an hour file may hold rows of a batch, or says that it has held some.

    Raises:
        CorruptLake: the file cannot be read.
    """
    noted = read(path)
    if batch_id(batch) in noted.commits or batch_id(batch) in noted.displaced:
        return True
    # An earlier version of this program noted no commits.
    return batch in rows_by_batch(path)
