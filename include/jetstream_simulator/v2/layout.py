"""The layout of sealed segment files (``.jss``), as the public servers' documentation has it, for writing them.

The pipeline that reads such files has a description of its own on purpose: a mistake in one of the two shows as a
difference, where a shared one would hide. Must not: read or write anything.

A file: magic, checksum, header fields up to ``HEADER_BYTES``; the blocks, each a zstd frame after its length
(uint64); the footer. The checksum is XXH3 (64 bits) of the fields and the footer. A block: the number of rows
(uint32), a column for each of ``COLUMNS``, then the texts of the last five. All numbers are little-endian.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

MAGIC: Final = b"jss0"
VERSION: Final = 1
HEADER_BYTES: Final = 256
#: Where the fields under the checksum begin: after magic and checksum.
FIELDS_AT: Final = 12
#: Of a frame's length, which comes before it.
LENGTH_BYTES: Final = 8
#: Version (uint16); blocks, events, accounts (uint32); least and greatest sequence number (uint64) and witnessed
#: time (int64, µs); offsets (uint64) of footer, Bloom filters, the blocks' own, collections, block index.
FIELDS: Final = struct.Struct("<HIIIQQqqQQQQQ")
#: Offset of the block's length (uint64); stored size, plain size, rows (uint32); sequence numbers, times.
INDEX_ENTRY: Final = struct.Struct("<QIIIQQqq")
#: Sequence number, witnessed time, displayed time (0: the same), kind, lengths of the five texts.
COLUMNS: Final = "QqqBBHBBI"

CREATE: Final = 1
UPDATE: Final = 2
DELETE: Final = 3
#: The create of a record that a resync sends again.
RESYNC: Final = 7
OPERATIONS: Final = {"create": CREATE, "update": UPDATE, "delete": DELETE}
EVENTS: Final = {"identity": 4, "account": 5, "sync": 6}
#: In a commit of the simulator's own lines: true for a record that a resync sends again.
MARK: Final = "resync"


class Row(NamedTuple):
    """One event. ``payload`` is DAG-CBOR: of the record, or of the upstream event; empty for a delete.

    ``displayed_us`` is the time that the host shows for it, 0 where that is ``witnessed_us``.
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
