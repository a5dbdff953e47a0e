"""Answers for a batch that is published already, from the ledger and the records of its hour files.

For a publication that is repeated after its staged rows have been removed. Must not: write, or read any row.
"""

from __future__ import annotations

from typing import cast

from firehose.batch import manifest as manifests
from firehose.batch.interval import Batch
from firehose.errors import NotStaged
from firehose.lake import records, watch
from firehose.lake.ledger import LedgerEntry
from firehose.quality.result import finished_result
from firehose.store import LakePath


def still_published(lake: LakePath, batch: Batch, entry: LedgerEntry | None) -> LedgerEntry:
    """The ledger's entry of a batch whose rows are no longer staged. Its hour files hold what the entry says.

    Raises:
        NotStaged: the batch was never published; or it has been validated since, or that was begun; or an hour
            file is older. All its rows have to be staged again, for which its raw files must be there.
        LakeChanged: an hour file is missing, or is not what its record says: it has to be rebuilt.
    """
    folder = manifests.folder_of(lake, batch)
    manifest = manifests.read(folder)
    expired = manifest is not None and manifest.expired is not None
    if why := _why_not(lake, batch, entry, expired=expired):
        todo = "Clear its validate task as well (with what follows it): that stages them again from the raw files"
        gone = f"Its raw files have expired: restore {folder} from a backup, then clear its validate task as well"
        raise NotStaged(
            f"batch {batch.id}: its validated rows are not staged, and {why}; nothing was written. "
            f"{gone if expired else todo}"
        )
    return cast(LedgerEntry, entry)


def _why_not(lake: LakePath, batch: Batch, entry: LedgerEntry | None, *, expired: bool) -> str:
    """Why the ledger's entry does not answer for the batch; empty: it does.

    Once its raw files have expired it cannot be validated again, and the result of its validation may be gone.
    Raises as :func:`_older_file`.
    """
    if entry is None:
        return "the ledger does not say that it is published"
    if any(rebuilt.lost for rebuilt in entry.rebuilt):
        return "a rebuild could not make all of its rows again"
    result = finished_result(lake, batch)
    if result is None:
        return _older_file(lake, entry) if expired else "its last validation has not finished"
    counted = {name: (counts.received, counts.quarantined) for name, counts in entry.counts.items()}
    if counted != {name: (counts.raw, counts.quarantined) for name, counts in result.counts.items()}:
        return "it was validated again after it was published, with other counts"
    if entry.rows_sha256 != result.rows_sha256:
        return "it was validated again after it was published, with other rows"
    return _older_file(lake, entry)


def _older_file(lake: LakePath, entry: LedgerEntry) -> str:
    """The first hour file that is from before the batch, with its record; empty: there is none.

    Raises:
        LakeChanged: an hour file is missing, or is not what its record says.
    """
    known = watch.known_by([entry])
    for file in entry.files:
        if found := watch.difference(lake, file, known):
            raise watch.changed([found])
        there = [record for record in records.read(file.path(lake)) if record]
        if watch.behind(there, file, [entry]):
            return f"the file of {file} is older than the ledger says"
    return ""
