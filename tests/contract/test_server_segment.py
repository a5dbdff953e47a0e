"""A segment, of the public server or of the simulator, read by the project's reader: each record gives its CID."""

from __future__ import annotations

import json

import pytest

from firehose.backfill import segment
from firehose.backfill.events import event_of
from firehose.events.rebuild import record_cid
from jetstream_simulator.v2 import segment as written
from jetstream_simulator.v2.rows import row
from tests.support.events import first_synthetic
from tests.support.recorded import SHARED, SOURCES

ARCHIVE = SHARED / "archive"


def simulated() -> tuple[bytes, dict[str, str]]:
    """A segment of 23 records in three blocks, and the CID of each."""
    lines = [line for line in first_synthetic(100) if b'"record":' in line][:23]
    rows = [found for seq, line in enumerate(lines) if (found := row(line, seq))]
    blocks = [written.Block(rows[at : at + 9], at, min(at + 8, 22)) for at in (0, 9, 18)]
    commits = [json.loads(line)["commit"] for line in lines]
    return written.build(blocks).data, {f"{of['collection']}/{of['rkey']}": of["cid"] for of in commits}


def recorded() -> tuple[bytes, dict[str, str]]:
    """The server's segment, and the CIDs as another tool says them."""
    if not ARCHIVE.is_dir():
        pytest.skip("the server's segment is not part of the project")
    said = (ARCHIVE / "server_written_records.tsv").read_text().splitlines()
    data = (ARCHIVE / "server_written_segment.jss").read_bytes()
    return data, {key: cid for key, _, cid in (line.partition("\t") for line in said if line)}


@pytest.mark.parametrize("source", SOURCES)
def test_every_record_of_a_server_written_segment_has_the_key_and_cid_that_another_tool_says(source: str) -> None:
    data, said = simulated() if source == "simulated" else recorded()
    header = segment.read_header("server", data[: segment.HEADER_BYTES])
    blocks = segment.read_index("server", header, data[header.footer_at :])
    found = {}
    for block in blocks:
        body = segment.decompress("server", data[block.at : block.at + block.stored])
        for event in segment.rows("server", body, block):
            commit = json.loads(event_of(event).line)["commit"]
            assert record_cid(commit["record"]) == commit["cid"]
            found[f"{commit['collection']}/{commit['rkey']}"] = commit["cid"]
    assert found == said and len(found) == 23
