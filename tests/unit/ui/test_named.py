"""Values of named queries: what is bound is of its type, and all else is refused before ClickHouse hears of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firehose.errors import FirehoseError
from firehose_ui import named
from firehose_ui.named import BadValue

QUERIES = named.load()
ACTIVITY = {"since": "1779962400", "until": "1779975000", "step": "hour", "zone": "Europe/Berlin"}


def test_values_become_what_clickhouse_takes() -> None:
    values = QUERIES["activity"].values(ACTIVITY)
    assert values == ACTIVITY | {"since": "2026-05-28 10:00:00", "until": "2026-05-28 13:30:00"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("since", "yesterday"),
        ("since", "-1"),
        ("since", "9999999999"),
        ("since", "1779962400'"),
        ("since", ""),
        ("step", "second"),
        ("step", "hour' OR 1"),
        ("zone", "Mars/Olympus"),
        ("zone", "UTC')"),
    ],
)
def test_a_value_that_is_none_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(BadValue, match=name):
        QUERIES["activity"].values(ACTIVITY | {name: value})


def test_missing_and_unknown_values_are_refused() -> None:
    with pytest.raises(BadValue, match="activity needs the value zone"):
        QUERIES["activity"].values({name: value for name, value in ACTIVITY.items() if name != "zone"})
    with pytest.raises(BadValue, match="has no value 'query'"):
        QUERIES["activity"].values(ACTIVITY | {"query": "SELECT 1"})


@pytest.mark.parametrize("value", ["nan", "inf", "1e999", "x", "", "1" * 50])
def test_a_number_is_finite(value: str) -> None:
    query = QUERIES["hashtags"]
    others = dict.fromkeys(query.types, "0") | {"order": "most", "scale": value}
    with pytest.raises(BadValue, match="scale"):
        query.values(others)


@given(st.text(), st.sampled_from(sorted(ACTIVITY)))
def test_any_text_is_bound_or_refused(value: str, name: str) -> None:
    try:
        QUERIES["activity"].values(ACTIVITY | {name: value})
    except BadValue as error:
        assert str(error)


def test_a_type_that_nothing_checks_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "new.sql").write_text("-- New\nSELECT {x:Array(String)}")
    with pytest.raises(FirehoseError, match=r"new.sql: no check of values of type Array\(String\)"):
        named.load(tmp_path)


def test_each_query_says_what_it_tells() -> None:
    assert len(QUERIES) >= 9
    for query in QUERIES.values():
        assert query.sql.startswith("-- ") and query.about, query.name
        # A choice that names no value of the query would check nothing.
        assert query.choices.keys() <= query.types.keys(), query.name
