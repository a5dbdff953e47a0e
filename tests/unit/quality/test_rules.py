"""The rules of each type: every broken one is named, and the suite counts what the mask splits off."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from firehose import schema
from firehose.events.rows import decode_rows, to_table
from firehose.quality.rules import RULES, columns_of, split
from firehose.records.registry import BY_COLLECTION
from firehose.records.rules import Rule
from firehose.store import LocalLake
from ingester.contract import wire
from tests.support.events import first_synthetic

BATCH = datetime(2026, 6, 1, tzinfo=UTC)
CASES = [(record_type, rule) for record_type in schema.TYPES for rule in RULES[record_type]]


@cache
def good_row(record_type: str) -> dict[str, Any]:
    """A row that keeps every rule of its type, and writes a record where a type has operations."""
    for line in first_synthetic(30_000):
        event = msgspec.json.decode(line)
        commit = event.get("commit", {})
        found = wire.KIND_QUEUES.get(event["kind"]) or BY_COLLECTION.get(commit["collection"], wire.OTHER)
        if found == record_type and commit.get("operation", "create") == "create":
            rows, _, failed = decode_rows(record_type, [line])
            assert not failed
            return dict(to_table(record_type, rows, BATCH).to_pylist()[0])
    raise AssertionError(f"the simulator sends no {record_type}")


def table(record_type: str, rows: list[dict[str, Any]]) -> pa.Table:
    """Rows as the validation has them."""
    return pa.Table.from_pylist(rows, schema=schema.SCHEMAS[record_type])


def wrong(rule: Rule) -> Iterator[Any]:
    """Values that break a rule."""
    if rule.required:
        yield None
    if rule.syntax is not None:
        yield from ("", "two words")
    if rule.among is not None:
        yield "nonsense"
    if rule.between is not None:
        yield from (rule.between[0] - 1, rule.between[1] + 1)


@pytest.mark.parametrize(("record_type", "rule"), CASES, ids=lambda case: getattr(case, "column", case))
def test_a_broken_rule_is_named_and_no_other(record_type: str, rule: Rule) -> None:
    good = good_row(record_type)
    rows = [good, *(good | {rule.column: value} for value in wrong(rule)), good]
    assert len(rows) > 2, "a rule that nothing breaks"
    mask, reasons = split(record_type, table(record_type, rows))
    assert mask.to_pylist() == [True, *[False] * (len(rows) - 2), True]
    assert reasons == dict.fromkeys(range(1, len(rows) - 1), rule.reason)
    assert rule.reason.startswith(f"{rule.column}: expected ")


@pytest.mark.parametrize("record_type", schema.TYPES)
def test_every_rule_that_a_row_breaks_is_named(record_type: str) -> None:
    good, rules = good_row(record_type), RULES[record_type]
    bad = good | {rule.column: next(wrong(rule)) for rule in rules}
    # An operation that is none of an exempt kind's, or the other rules would not apply.
    named = [rule.reason for rule in rules]
    mask, reasons = split(record_type, table(record_type, [bad, good]))
    assert mask.to_pylist() == [False, True]
    assert reasons[0].split("; ") == named


@pytest.mark.parametrize("record_type", [name for name in schema.TYPES if any(r.exempt for r in RULES[name])])
def test_what_writes_no_record_needs_none(record_type: str) -> None:
    exempt = {rule.column: None for rule in RULES[record_type] if "delete" in rule.exempt}
    assert exempt
    rows = [good_row(record_type) | exempt | {"operation": operation} for operation in ("delete", "update")]
    mask, reasons = split(record_type, table(record_type, rows))
    assert mask.to_pylist() == [True, False]
    assert len(reasons[1].split("; ")) == len(exempt)


def test_both_ends_of_a_range_are_in_it() -> None:
    (rule,) = (rule for rule in RULES[schema.POSTS] if rule.between)
    assert rule.between is not None
    good = good_row(schema.POSTS)
    mask, _ = split(schema.POSTS, table(schema.POSTS, [good | {rule.column: end} for end in rule.between]))
    assert mask.to_pylist() == [True, True]


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
