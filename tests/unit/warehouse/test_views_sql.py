"""The SQL of the views, as far as it can be judged without an engine."""

from __future__ import annotations

import pyarrow as pa
import pytest

from firehose import schema
from firehose.errors import FirehoseError
from firehose.warehouse.columns import OF_BOTH_SYSTEMS, clickhouse_type, file_columns
from firehose.warehouse.selects import FLAT, quoted, source
from firehose.warehouse.views import views

SEEN = {name: (f"seen_{name}",) for name in OF_BOTH_SYSTEMS}


@pytest.mark.parametrize("record_type", schema.TYPES)
def test_every_column_of_the_schema_is_in_the_structure(record_type: str) -> None:
    columns = file_columns(record_type)
    assert [c.name for c in columns] == schema.SCHEMAS[record_type].names
    structure = source(record_type, "/lake", FLAT)
    assert all(f"{c.name} " in structure for c in columns)


@pytest.mark.parametrize(
    ("record_type", "name", "expected"),
    [
        ("posts", "did", "String"),
        ("posts", "text", "Nullable(String)"),
        ("posts", "langs", "Array(String)"),
        ("posts", "time_us", "Int64"),
        ("posts", "tid_us", "Nullable(Int64)"),
        ("accounts", "active", "Nullable(Bool)"),
        ("posts", "batch", "DateTime64(3, 'UTC')"),
        ("posts", "created_at", "Nullable(DateTime64(6, 'UTC'))"),
    ],
)
def test_types(record_type: str, name: str, expected: str) -> None:
    assert {c.name: c.type for c in file_columns(record_type)}[name] == expected


def test_an_unknown_type_is_an_error_and_not_a_guess() -> None:
    with pytest.raises(TypeError, match="column x: no ClickHouse type"):
        clickhouse_type("x", pa.float32())


def test_the_lake_decides_the_table_function() -> None:
    local = source("posts", "/data/lake/", FLAT)
    assert local.startswith(
        "file('/data/lake/year=*/month=*/day=*/hour=*/posts.parquet', 'Parquet', 'batch DateTime64(3"
    )
    remote = source("posts", "s3://bucket/lake", FLAT)
    assert remote.startswith("s3('s3://bucket/lake/year=*/month=*/day=*/hour=*/posts.parquet', 'Parquet', 'batch ")


@pytest.mark.parametrize("root", ["/data/*", "/data/{a,b}", "/data/?"])
def test_a_root_with_wildcards_is_refused(root: str) -> None:
    with pytest.raises(FirehoseError, match="wildcard"):
        views(root)


def test_quoting() -> None:
    assert quoted(r"it's a \ path") == r"'it\'s a \\ path'"


def test_the_mark_of_a_view_changes_with_its_definition_only() -> None:
    here, again, there = (views(root) for root in ("/a", "/a", "/b"))
    of_types = [each for name in schema.TYPES for each in (name, *SEEN.get(name, ()))]
    over_files = [*of_types, "events", "quarantine", "cohorts"]
    assert [v.name for v in here][: len(over_files)] == over_files
    assert here == again
    differ = {a.name for a, b in zip(here, there, strict=True) if a.comment != b.comment}
    assert differ == set(over_files)
