"""A segment that the public server wrote, read by the project's own reader: each record gives its CID."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from firehose.backfill import segment
from firehose.backfill.events import event_of
from firehose.events.rebuild import record_cid

ARCHIVE = Path(__file__).resolve().parents[3] / "shared" / "archive"


@pytest.mark.skipif(not ARCHIVE.is_dir(), reason="the server's segment is not part of the project")
def test_every_record_of_a_server_written_segment_has_the_key_and_cid_that_another_tool_says() -> None:
    data = (ARCHIVE / "server_written_segment.jss").read_bytes()
    header = segment.read_header("server", data[: segment.HEADER_BYTES])
    blocks = segment.read_index("server", header, data[header.footer_at :])
    found = {}
    for block in blocks:
        body = segment.decompress("server", data[block.at : block.at + block.stored])
        for row in segment.rows("server", body, block):
            commit = msgspec.json.decode(event_of(row).line)["commit"]
            assert record_cid(commit["record"]) == commit["cid"]
            found[f"{commit['collection']}/{commit['rkey']}"] = commit["cid"]
    said = (ARCHIVE / "server_written_records.tsv").read_text().splitlines()
    assert found == dict(line.split("\t") for line in said if line) and len(found) == 23
