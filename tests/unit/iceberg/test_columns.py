"""The columns of Iceberg tables, and of one that an earlier version has made."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyiceberg.schema import Schema

from firehose.iceberg import columns, versions
from firehose.lake import closed_form
from firehose.records.registry import REGISTRY
from firehose.store import LocalLake


@pytest.mark.parametrize("record_type", REGISTRY)
@pytest.mark.parametrize("lacked", [0, 2], ids=["a new table", "one of an earlier version"])
def test_a_table_shows_what_is_plain_and_knows_all_names(record_type: str, lacked: int, tmp_path: Path) -> None:
    fields = columns.schema(record_type).fields
    earlier = Schema(*fields[: len(fields) - lacked])
    made = versions.new(LocalLake(tmp_path), earlier, columns.SPEC).transaction()
    columns.update(made, record_type)
    shown = made.table_metadata.schema()
    everything = {"hour_start", *closed_form.schema(record_type).names}
    assert {field.name for field in shown.fields} == everything - columns.hidden(record_type)
    mapping = made.table_metadata.name_mapping()
    assert mapping and {name for field in mapping.root for name in field.names} == everything
    ids = [field.field_id or 0 for field in mapping.root]
    assert len(set(ids)) == len(ids) and max(ids) <= made.table_metadata.last_column_id
