"""Answers for a batch that is published already, from the ledger and the records of its hour files.

For a publication that is repeated after its staged rows have been removed. Must not: write, or read any row.
"""

from __future__ import annotations

from typing import cast

from firehose.batch.interval import Batch
from firehose.errors import NotStaged
from firehose.lake import layout, records, watch
from firehose.lake.ledger import LedgerEntry
from firehose.quality.result import finished_result
from firehose.store import LakePath


def still_published(lake: LakePath, batch: Batch, entry: LedgerEntry | None) -> LedgerEntry:
    """The ledger's entry of a batch whose rows are no longer staged. Its hour files hold what the entry says.

    Raises:
        NotStaged: the batch was never published; or it has been validated since, or that was begun; or an hour
            file is older. All its rows have to be staged again.
        LakeChanged: an hour file is missing, or is not what its record says: it has to be rebuilt.
    """
    if why := _why_not(lake, batch, entry):
        raise NotStaged(
            f"batch {batch.id}: its validated rows are not staged, and {why}; nothing was written. Clear its "
            "validate task as well (with what follows it): that stages the rows again from the raw files"
        )
    return cast(LedgerEntry, entry)


def _why_not(lake: LakePath, batch: Batch, entry: LedgerEntry | None) -> str:
    """Why the ledger's entry does not answer for the batch; empty: it does. Raises as :func:`_older_file`."""
    if entry is None:
        return "the ledger does not say that it is published"
    result = finished_result(lake, batch)
    if result is None:
        return "its last validation has not finished"
    counted = {name: (counts.received, counts.quarantined) for name, counts in entry.counts.items()}
    if counted != {name: (counts.raw, counts.quarantined) for name, counts in result.counts.items()}:
        return "it was validated again after it was published, with other counts"
    if entry.rows_sha256 != result.rows_sha256:
        return "it was validated again after it was published, with other rows"
    if any(rebuilt.lost for rebuilt in entry.rebuilt):
        return "a rebuild could not make all of its rows again"
    return _older_file(lake, entry)


def _older_file(lake: LakePath, entry: LedgerEntry) -> str:
    """The first hour file that is from before the batch, with its record; empty: there is none.

    Raises:
        LakeChanged: an hour file is missing, or is not what its record says.
    """
    known = watch.known_by([entry])
    for name, record_types in entry.hours.items():
        hour = layout.parse_hour(name)
        for record_type in record_types:
            if found := watch.difference(lake, record_type, hour, known):
                raise watch.changed([found])
            there = [record for record in records.read(layout.hour_file(lake, record_type, hour)) if record]
            if watch.behind(there, record_type, name, [entry]):
                return f"the file of {name} {record_type} is older than the ledger says"
    return ""
