"""The format of sealed segment files (``.jss``), as the public servers document it.

Lives here: names, widths and numbers for the reader (segment.py). The simulator, which writes such files, has its
own description; a contract test compares both with bytes written by hand. Must not: read or write anything.

A file: magic, checksum, header fields up to ``HEADER_BYTES``; the blocks, each a zstd frame after its length
(uint64); the footer, which is the block index, Bloom filters and an index of collections. The checksum is XXH3 of
the fields and the footer. A block: the number of rows (uint32), a column of each of ``COLUMNS``, then the texts of
the last five, one column after the other. All numbers are little-endian.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

MAGIC: Final = b"jss0"
VERSION: Final = 1
HEADER_BYTES: Final = 256
#: Where the fields under the checksum begin.
FIELDS_AT: Final = 12
#: A frame's length, before it.
LENGTH_BYTES: Final = 8
#: Version; numbers of blocks, events and accounts; least and greatest sequence number and witnessed time (µs); the
#: offsets of the footer, the Bloom filters, those of the blocks, the index of collections and the index of blocks.
FIELDS: Final = struct.Struct("<HIIIQQqqQQQQQ")
#: The offset of a block's length; the size of its frame, stored and decompressed; the number of rows; least and
#: greatest sequence number and witnessed time.
INDEX_ENTRY: Final = struct.Struct("<QIIIQQqq")
#: Sequence number, witnessed time, displayed time (0: the same); kind; lengths of the texts.
COLUMNS: Final = "QqqBBHBBI"
ROW_BYTES: Final = struct.calcsize(f"<{COLUMNS}")
CREATE: Final = 1
DELETE: Final = 3
SYNC: Final = 6
#: A create that a resync sends again.
RESYNC: Final = 7
#: A row's kind: an operation on a record, or an event. More may come.
OPERATIONS: Final = {CREATE: "create", 2: "update", DELETE: "delete", RESYNC: "create"}
EVENTS: Final = {4: "identity", 5: "account", SYNC: "sync"}


class Row(NamedTuple):
    """One event. ``payload`` is DAG-CBOR: the record, or the upstream event; empty for a delete.

    ``displayed_us`` is the time that the host shows for it; 0 if that is ``witnessed_us``.
    """

    seq: int
    witnessed_us: int
    kind: int
    collection: bytes
    did: bytes
    rkey: bytes
    rev: bytes
    payload: bytes
    displayed_us: int = 0

    @property
    def is_known(self) -> bool:
        """True if this version knows events of its kind."""
        return self.kind in OPERATIONS or self.kind in EVENTS
