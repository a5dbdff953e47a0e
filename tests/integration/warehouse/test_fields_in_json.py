"""Every kind of field is found in JSON by the engine as the decoder takes it, whatever a client wrote there."""

from __future__ import annotations

import msgspec
from clickhouse_connect.driver.client import Client

from firehose.records.fields import Field, Json, Strings
from tests.unit.records.test_fields import EACH_KIND, VALUES


def _meant(field: Field, value: object) -> object:
    """JSON as what it means, and no list as the empty one: the engine's arrays cannot be NULL."""
    if isinstance(field, Json) and isinstance(value, str):
        return msgspec.json.decode(value)
    return [] if isinstance(field, Strings) and value is None else value


@EACH_KIND
def test_a_part_is_found_as_it_is_taken(connected: Client, field: Field) -> None:
    wanted = [(*values, held) for values, held in map(field.take, [*VALUES, None])]
    records = [msgspec.json.encode({field.key: value}).decode() for value in VALUES]
    names = ", ".join([*field.found_in("record"), field.held_in("record")])
    asked = f"SELECT {names} FROM (SELECT arrayJoin({{records:Array(String)}}) AS record)"
    answer = connected.query(asked, parameters={"records": [*records, '{"other":1}']})
    found = [tuple(row) for row in answer.result_rows]
    assert len(found) == len(wanted)
    for record, row, want in zip([*records, "absent"], found, wanted, strict=True):
        assert [_meant(field, value) for value in row] == [_meant(field, value) for value in want], record
