"""Times in Arrow and Parquet are timestamps, although the engine writes integers."""

from __future__ import annotations

import datetime
import io

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

READ = {
    "ArrowStream": lambda data: pa.ipc.open_stream(data).read_all(),
    "Arrow": lambda data: pa.ipc.open_file(data).read_all(),
    "Parquet": lambda data: pq.read_table(io.BytesIO(data)),
}
AT = datetime.datetime(2026, 11, 23, 12, 0, 1, tzinfo=datetime.UTC)
QUERY = """
SELECT toDateTime('2026-11-23 12:00:01', 'UTC') AS plain, toDateTime64(plain, 6, 'UTC') AS fine,
  if(number % 2, plain, NULL) AS maybe, [plain] AS list, map('a', plain) AS map, (1::UInt32, plain) AS pair,
  toDateTime('2026-11-23 21:00:01', 'Asia/Tokyo') AS there, 7::UInt32 AS number32, toStartOfHour(fine) AS hour,
  arrayMap(x -> (x::UInt32, [plain]), [1]) AS deep
FROM numbers(70000) ORDER BY number
"""


@pytest.mark.parametrize("form", READ)
def test_a_datetime_is_a_time(analyst: httpx.Client, form: str) -> None:
    answer = analyst.post("/", params={"default_format": form}, content=QUERY)
    assert answer.status_code == 200, answer.text
    table = READ[form](answer.content)
    assert table.num_rows == 70_000
    row = {name: table[name][1].as_py() for name in table.column_names}
    assert row["plain"] == row["fine"] == row["maybe"] == row["there"] == AT
    assert table["maybe"][0].as_py() is None
    assert row["list"] == [AT] and dict(row["map"]) == {"a": AT}
    assert list(row["pair"].values()) == [1, AT]
    assert row["hour"] == AT.replace(minute=0, second=0)
    assert [list(each.values()) for each in row["deep"]] == [[1, [AT]]]
    assert (row["number32"], pa.types.is_uint32(table["number32"].type)) == (7, True)
    assert str(table["there"].type).endswith("tz=Asia/Tokyo]") or form == "Parquet"


def test_the_time_zone_is_that_of_the_session(analyst: httpx.Client) -> None:
    parameters = {"session_timezone": "Asia/Tokyo", "extremes": "1"}
    answer = analyst.post("/", params=parameters, content="SELECT toDateTime(0) AS a FORMAT ArrowStream")
    table = pa.ipc.open_stream(answer.content).read_all()
    assert str(table["a"].type) == "timestamp[s, tz=Asia/Tokyo]"
    assert table["a"][0].as_py() == datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def test_what_has_no_plan_is_still_an_answer(analyst: httpx.Client) -> None:
    answer = analyst.post("/", content="SHOW DATABASES FORMAT ArrowStream")
    assert "firehose" in pa.ipc.open_stream(answer.content).read_all()[0].to_pylist()
    failed = analyst.post("/", content="SELECT nope FORMAT ArrowStream")
    assert failed.headers["x-clickhouse-exception-code"] == "47"
    assert failed.text.startswith("Code: 47.")


@pytest.mark.parametrize("as_string", ["0", "1"])
@pytest.mark.parametrize("form", ["Arrow", "ArrowStream"])
def test_strings_may_be_bytes(analyst: httpx.Client, as_string: str, form: str) -> None:
    """Those of the plan, too, which is asked for on the client's connection."""
    asked = {"output_format_arrow_string_as_string": as_string, "default_format": form}
    answer = analyst.post(
        "/", params=asked, content=r"SELECT toDateTime(0) AS a, length('\xff') AS b, '\xff' AS c"
    )
    assert answer.status_code == 200, answer.text
    assert READ[form](answer.content).column(0)[0].as_py() == datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def test_a_columns_name_of_bytes_is_one_error(analyst: httpx.Client) -> None:
    """Where the endpoint itself has to read the names."""
    answer = analyst.post("/", content=r"SELECT toDateTime(0), 1 AS `\xff` FORMAT ArrowStream")
    assert answer.headers["x-clickhouse-exception-code"] == "36", answer.text
    assert answer.text.startswith("Code: 36. ") and answer.text.count("\n") == 1
    assert analyst.post("/", content=r"SELECT 1 AS `\xff` FORMAT ArrowStream").status_code == 200
