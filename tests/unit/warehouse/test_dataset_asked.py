"""What may be asked of a dataset, and what is said of the rest; how hours become requests."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from firehose.dataset import statements
from firehose.dataset.arrow import schema_of
from firehose.dataset.asked import TYPES, columns_of, of_type
from firehose.dataset.statements import PART_ROWS, Part
from firehose.errors import FirehoseError

DAY_US = 1_795_392_000_000_000


@pytest.mark.parametrize(
    ("since", "microseconds"),
    [
        ("2026-11-23", DAY_US),
        (date(2026, 11, 23), DAY_US),
        ("2026-11-23T00:00:00.000001Z", DAY_US + 1),
        (datetime(2026, 11, 23, 2, tzinfo=timezone(timedelta(hours=2))), DAY_US),
        (datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), -1_000_000),
        (None, None),
    ],
)
def test_times_are_microseconds(since: Any, microseconds: int | None) -> None:
    assert of_type("posts").narrowed({"since": since}).since == microseconds


@pytest.mark.parametrize(
    ("record_type", "narrowing", "said"),
    [
        ("posts", {"since": "2026-11-23T05:00:00"}, "names no time zone: write '2026-11-23T05:00:00Z' for UTC"),
        ("posts", {"until": datetime(2026, 11, 23)}, "until='2026-11-23 00:00:00' names no time zone"),
        ("posts", {"since": "yesterday"}, "is not a time: write '2026-11-23'"),
        ("posts", {"since": "2026-11-23", "until": "2026-11-23"}, "since is not before until"),
        ("posts", {"accounts": ["alice.bsky.social"]}, "is not a DID"),
        ("posts", {"accounts": ["did:plc:a\n"]}, "is not a DID"),
        ("posts", {"sample": 0}, "sample=0 is not a share"),
        ("posts", {"sample": 5}, "sample=5 is not a share"),
        ("posts", {"sample_by": "post"}, "write 'account' or 'record'"),
        ("accounts", {"sample_by": "record"}, "accounts has events that are of no record"),
        ("posts", {"columns": ["txt"]}, "posts has no column 'txt'; it has batch, time_us"),
        ("posts", {"columns": []}, "columns is empty"),
    ],
)
def test_what_makes_no_sense_is_refused(record_type: str, narrowing: Any, said: str) -> None:
    with pytest.raises(FirehoseError) as error:
        of_type(record_type).narrowed(narrowing)
    assert said in str(error.value)


def test_an_unknown_type_is_named_with_those_that_there_are() -> None:
    with pytest.raises(FirehoseError, match="'post' is not a record type: write one of posts, likes"):
        of_type("post")


@pytest.mark.parametrize("name", TYPES)
def test_every_declared_type_has_an_arrow_type(name: str) -> None:
    made = schema_of(columns_of(name))
    for column, field in zip(columns_of(name), made, strict=True):
        assert field.nullable == column.type.startswith("Nullable")
        assert field.metadata == {b"comment": column.comment.encode()}


def test_hours_are_read_in_parts_of_a_day_at_most() -> None:
    half = PART_ROWS / 2
    hours = [(1, half), (2, half), (3, 1.0), (9, 0.0), (23, 1.0), (24, 1.0), (30, 3 * PART_ROWS), (31, 1.0)]
    assert [*statements.parts(hours)] == [Part(1, 3), Part(3, 24), Part(24, 25), Part(30, 31), Part(31, 32)]
    assert [*statements.parts([])] == []


def test_no_batch_means_no_row() -> None:
    assert "AND (false)" in statements.rows(of_type("posts"), [], Part(0, 1))
