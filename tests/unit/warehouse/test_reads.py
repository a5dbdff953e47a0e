"""Which record types are in what a query reads: the part that needs no engine."""

import pytest

from firehose import schema
from firehose.warehouse.reads import types_of

ALL = set(schema.EVENT_TYPES)


@pytest.mark.parametrize(
    ("table", "types"),
    [
        ("firehose.posts", {"posts"}),
        ("firehose.seen_posts", {"posts"}),
        ("firehose.languages_by_hour", {"posts"}),
        ("firehose.edges", {"blocks", "follows", "likes", "posts", "reposts"}),
        ("firehose.events", ALL),
        ("firehose.a_view_of_somebody", ALL),
        # No event of the stream is in these, so none can be missing.
        ("firehose.cohorts", set()),
        ("firehose.imported", set()),
        ("firehose.quarantine", set()),
        ("system.tables", set()),
    ],
)
def test_a_table_has_the_types_of_what_it_is_made_from(table: str, types: set[str]) -> None:
    assert types_of(table) == types
