"""Rows that keep every rule of their type, and values that break one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec
import pyarrow as pa

from firehose import schema
from firehose.events.imported import ImportedLine
from firehose.events.rows import decode_rows, to_table
from firehose.records.registry import BY_COLLECTION
from firehose.records.rules import Rule
from ingester.contract import wire
from tests.support.events import first_synthetic

BATCH = datetime(2026, 6, 1, tzinfo=UTC)
IMPORTED = "imported"
_IMPORTED = ImportedLine(
    time_us=1_730_000_000_000_000,
    did="did:plc:aaaaaaaaaaaaaaaaaaaaaaaa",
    filed_by="key",
    store="cache-2",
    path="cache/create/like/3l7aaaaaaaa2a.json",
    collection="app.bsky.feed.like",
    rkey="3l7aaaaaaaa2a",
    cid="bafyreib2rxk3rh6kzwqv5xkfq3vqyytzkrjy7xl7pmz4kwqmg7qyxuxwfu",
)


@cache
def good_row(record_type: str) -> dict[str, Any]:
    """A row that keeps every rule of its type, and writes a record where a type has operations."""
    if record_type == IMPORTED:
        return _good(record_type, msgspec.json.encode(_IMPORTED))
    for line in first_synthetic(30_000):
        event = msgspec.json.decode(line)
        commit = event.get("commit", {})
        found = wire.KIND_QUEUES.get(event["kind"]) or BY_COLLECTION.get(commit["collection"], wire.OTHER)
        if found == record_type and commit.get("operation", "create") == "create":
            return _good(record_type, line)
    raise AssertionError(f"the simulator sends no {record_type}")


def _good(record_type: str, line: bytes) -> dict[str, Any]:
    rows, _, failed = decode_rows(record_type, [line])
    assert not failed
    return dict(to_table(record_type, rows, BATCH).to_pylist()[0])


def table(record_type: str, rows: list[dict[str, Any]]) -> pa.Table:
    """Rows as the validation has them."""
    return pa.Table.from_pylist(rows, schema=schema.SCHEMAS[record_type])


def wrong(rule: Rule) -> Iterator[Any]:
    """Values that break a rule."""
    if rule.required:
        yield None
    if rule.syntax is not None:
        yield from (value for value in ("", "two words") if not re.search(rule.syntax.pattern, value))
    if rule.among is not None:
        yield "nonsense"
    if rule.between is not None:
        yield from (rule.between[0] - 1, rule.between[1] + 1)
