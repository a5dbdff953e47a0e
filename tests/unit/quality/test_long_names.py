"""A name that is too long breaks the rule and the suite alike, although its characters are right."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from firehose import schema
from firehose.events.rows import decode_rows, to_table
from firehose.quality.rules import columns_of, split
from firehose.store import LocalLake
from jetstream_simulator import generate


def test_the_suite_sees_a_name_that_is_too_long(tmp_path: Path) -> None:
    from firehose.quality.suites import SuiteRunner  # takes seconds: not where tests are collected

    blocks = [line for line in generate.events(4000, seed=1) if b'"collection":"app.bsky.graph.block"' in line]
    line = next(line for line in blocks if b'"operation":"create"' in line)
    did = b"did:web:" + b"a" * 2041
    long = line.replace(line[8 : line.index(b'"', 8)], did, 1)
    rows, _, failed = decode_rows(schema.BLOCKS, [long, line])
    table = to_table(schema.BLOCKS, rows, datetime.now(UTC))
    assert failed == [] and split(schema.BLOCKS, table)[1] == {0: "did: expected a DID"}
    runner = SuiteRunner("20261101T000000Z", LocalLake(tmp_path), 0.01)
    runner.check_rows(schema.BLOCKS, "blocks", table.select(columns_of(schema.BLOCKS)))
    [failure] = [one for one in runner.results[0]["expectations"] if not one["success"]]
    assert (failure["kwargs"]["column"], failure["result"]["unexpected_count"]) == ("did", 1)
    assert "too long" in failure["result"]["partial_unexpected_list"][0]
