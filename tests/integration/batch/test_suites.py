"""The suites of Great Expectations count the rows that the rules split off."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from firehose import schema
from firehose.events.rows import decode_rows, to_table
from firehose.quality.rules import RULES, columns_of, split
from firehose.store import LocalLake
from jetstream_simulator import generate
from tests.support.rule_rows import good_row, table, wrong


def test_the_suite_counts_what_the_mask_splits_off(tmp_path: Path) -> None:
    from firehose.quality.suites import SuiteRunner  # takes seconds: not where tests are collected

    runner = SuiteRunner("20260601T000000Z", LocalLake(tmp_path), 0.0)
    for record_type in schema.TYPES:
        good = good_row(record_type)
        bad = [good | {rule.column: value} for rule in RULES[record_type] for value in wrong(rule)]
        deleted = [good | {"operation": "delete"} | {one.column: None for one in RULES[record_type] if one.exempt}]
        rows = table(record_type, [good, *bad, *(deleted if "operation" in good else [])])
        runner.check_rows(record_type, record_type, rows.select(columns_of(record_type)))
        broken = dict.fromkeys(columns_of(record_type), 0)
        for rule in RULES[record_type]:
            broken[rule.column] += rule.broken_by(rows).to_pylist().count(True)
        counted = dict.fromkeys(broken, 0)
        for one in runner.results[-1]["expectations"][1:]:  # the first one is on the columns' names
            counted[one["kwargs"]["column"]] += one["result"]["unexpected_count"]
        assert counted == broken, record_type
        assert all(broken.values()), "each column of each type is broken somewhere"


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
