"""Reads the files that a walk found, whatever store each is of.

Lives here: which reader reads which shape. Must not: know what is in a file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from firehose.legacy.record import OldRecord, Refused, Store
from firehose.legacy.stores.cache import read_file
from firehose.legacy.stores.found import Found
from firehose.legacy.stores.queues import read_queue
from firehose.legacy.stores.rows import read_rows


def read(root: Path, files: Iterable[Found]) -> Iterator[OldRecord | Refused]:
    """The records of ``files``, which :func:`~firehose.legacy.stores.walk` found below ``root``, in their order.

    Whatever is in a file, it comes out as records, or as what was refused and why. Nothing of the source is
    changed. Memory stays bounded: a file is read in parts, and forgotten.
    """
    base = os.fspath(root)
    for found in files:
        if found.store is Store.QUEUE:
            yield from read_queue(base, found)
        elif found.store is Store.PARQUET:
            yield from read_rows(base, found)
        else:
            yield read_file(base, found)
