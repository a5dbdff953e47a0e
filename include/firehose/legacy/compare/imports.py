"""What imports have brought to the lake: which of its files holds the row of an old record.

All such files are read, since a row may be filed by another clock than the one by which records are compared: 20
bytes a row are held. Must not: know how a row is filed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from firehose.lake import layout
from firehose.lake.identity import fingerprints
from firehose.legacy.compare.filing import SEPARATOR
from firehose.legacy.compare.new_side import groups
from firehose.legacy.record import OldRecord
from firehose.progress import tracked
from firehose.store import LakePath

#: The lake's record type of imported records.
IMPORTED: Final = "imported"
_NAMES: Final = ["did", "collection", "rkey", "operation", "cid", "store"]


class Imports:
    """The rows of every import, by what identifies the old record."""

    def __init__(self, lake: LakePath) -> None:
        self._keys: list[str] = []
        high, low, files = [np.empty(0, np.uint64)], [np.empty(0, np.uint64)], [np.empty(0, np.int32)]
        paths = layout.hour_files(lake, IMPORTED)
        for number, path in enumerate(tracked(paths, "reading imports", "files")):
            self._keys.append(path.key_in(lake))
            for _, table in groups(path, IMPORTED, _NAMES):
                found = fingerprints(_joined([pc.fill_null(table[name], "") for name in _NAMES]))
                high.append(found.high)
                low.append(found.low)
                files.append(np.full(len(table), number, np.int32))
        whole = np.concatenate(high)
        order = np.argsort(whole)
        self._high, self._low, self._file = whole[order], np.concatenate(low)[order], np.concatenate(files)[order]

    def find(self, records: Sequence[OldRecord]) -> list[str | None]:
        """The key of the lake's file that holds each record's row; None: no import has brought it."""
        if not records or not len(self._high):
            return [None] * len(records)
        rows = [
            (one.did, one.collection, one.rkey, one.operation, one.cid or "", str(one.store)) for one in records
        ]
        asked = fingerprints(_joined([pa.array(part, pa.string()) for part in zip(*rows, strict=True)]))
        at = np.minimum(np.searchsorted(self._high, asked.high), len(self._high) - 1)
        same = (self._high[at] == asked.high) & (self._low[at] == asked.low)
        places = zip(self._file[at].tolist(), same.tolist(), strict=True)
        return [self._keys[file] if hit else None for file, hit in places]


def _joined(columns: Sequence[pa.Array | pa.ChunkedArray]) -> pa.Array:
    joined = pc.binary_join_element_wise(*columns, SEPARATOR)
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined
