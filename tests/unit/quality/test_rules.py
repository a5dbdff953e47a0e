"""The rules of each type: every broken one is named."""

from __future__ import annotations

import pytest

from firehose import schema
from firehose.quality.rules import RULES, split
from firehose.records.rules import Rule
from tests.support.rule_rows import good_row, table, wrong

CASES = [(record_type, rule) for record_type in schema.TYPES for rule in RULES[record_type]]


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


@pytest.mark.parametrize(
    "record_type", [name for name in schema.TYPES if any("delete" in r.exempt for r in RULES[name])]
)
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
