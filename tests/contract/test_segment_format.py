"""The format of segment files against bytes written by hand after its public description, and not by our writer.

Reader and simulator each have their own description of it; nothing here may import either.
"""

from __future__ import annotations

import pytest

from firehose.backfill import segment
from firehose.backfill.format import Row
from firehose.errors import CorruptArchive
from jetstream_simulator.v2 import layout
from jetstream_simulator.v2 import segment as written

ROWS = [
    Row(258, 1_700_000_000_000_000, 1, b"app.bsky.feed.post", b"did:plc:abc", b"3l3q", b"3l3r", b"\xa1ahd5"),
    Row(259, 1_700_000_000_000_001, 4, b"", b"did:web:x.y", b"", b"", b"\xa0"),
    Row(262, 1_700_000_000_000_003, 3, b"a.b.c", b"did:plc:z", b"k", b"r", b""),
]
SENT = [layout.Row(*row) for row in ROWS]
BODY = bytes.fromhex(
    "03000000"  # rows
    "0201000000000000 0301000000000000 0601000000000000"  # sequence numbers
    "00401e18240a0600 01401e18240a0600 03401e18240a0600"  # witnessed at
    "0000000000000000 0000000000000000 0000000000000000"  # displayed at: as witnessed
    "01 04 03"  # create, identity, delete
    "12 00 05"  # lengths of the collections,
    "0b00 0b00 0900"  # of the accounts,
    "04 00 01"  # of the record keys,
    "04 00 01"  # of the revisions,
    "05000000 01000000 00000000"  # and of the payloads
    "6170702e62736b792e666565642e706f7374 612e622e63"
    "6469643a706c633a616263 6469643a7765623a782e79 6469643a706c633a7a"
    "336c3371 6b"
    "336c3372 72"
    "a161686435 a0"
)
# zstd's magic; one segment whose content size has one byte: 176; the last block, raw, of that size.
FRAME = bytes.fromhex("28b52ffd 20 b0 810500") + BODY
FIELDS = bytes.fromhex(
    "0100"  # version
    "01000000 03000000 03000000"  # blocks, events, accounts
    "0201000000000000 0601000000000000"  # least and greatest sequence number
    "00401e18240a0600 03401e18240a0600"  # and witnessed time
    "c101000000000000"  # the footer is at 449
    "f501000000000000 f501000000000000"  # Bloom filters: nobody but the servers reads them
    "fd01000000000000"  # collections: nor these
    "c101000000000000"  # the index of the blocks
) + bytes(158)
FOOTER = bytes.fromhex(
    "0001000000000000"  # where the block's length is: after the header of 256 bytes
    "b9000000 b0000000 03000000"  # 185 bytes, 176 when decompressed, 3 rows
    "0201000000000000 0601000000000000"
    "00401e18240a0600 03401e18240a0600"
    "0100000000000000 00000000000000000000000000000000"
)
FILE = b"jss0" + bytes.fromhex("0551210c804edb38") + FIELDS + bytes.fromhex("b900000000000000") + FRAME + FOOTER


def test_the_reader_reads_what_was_written_by_hand() -> None:
    header = segment.read_header("x", FILE[:256])
    [block] = segment.read_index("x", header, FILE[header.footer_at :])
    assert (header.footer_at, block.at, block.stored, block.rows) == (449, 264, 185, 3)
    assert (block.min_us, block.max_us) == (ROWS[0].witnessed_us, ROWS[-1].witnessed_us)
    body = segment.decompress("x", FILE[block.at : block.at + block.stored])
    assert list(segment.rows("x", body, block)) == ROWS


def test_the_simulator_writes_the_same_columns() -> None:
    assert written.body(SENT) == BODY


def test_the_simulator_writes_the_same_header_and_index() -> None:
    made = written.build([written.Block(SENT, 258, 262)])
    assert made.data[:4] == b"jss0"
    # Up to what depends on how well the block was compressed.
    assert made.data[12:58] == FIELDS[:46]
    size = len(made.frames[0])
    assert made.data[256:264] == size.to_bytes(8, "little")
    footer_at = (264 + size).to_bytes(8, "little")
    assert (made.data[58:66], made.data[90:98], made.data[98:256]) == (footer_at, footer_at, bytes(158))
    index = made.data[264 + size :][:52]
    assert index == FOOTER[:8] + size.to_bytes(4, "little") + FOOTER[12:52]


@pytest.mark.parametrize(
    ("at", "said"), [(0, "not a segment"), (4, "checksum"), (12, "version"), (449, "checksum")]
)
def test_a_changed_byte_is_refused(at: int, said: str) -> None:
    spoiled = FILE[:at] + bytes([FILE[at] ^ 0x40]) + FILE[at + 1 :]
    with pytest.raises(CorruptArchive, match=said):
        segment.read_index("x", segment.read_header("x", spoiled[:256]), spoiled[449:])


@pytest.mark.parametrize("change", [{"rows": 4}, {"min_seq": 259}, {"max_seq": 261}])
def test_a_block_that_is_not_the_one_of_its_index_is_refused(change: dict[str, int]) -> None:
    [block] = segment.read_index("x", segment.read_header("x", FILE[:256]), FILE[449:])
    with pytest.raises(CorruptArchive, match="rows that the index of its segment says"):
        segment.rows("x", BODY, block._replace(**change))
