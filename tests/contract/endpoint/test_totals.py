"""WITH TOTALS and extremes: every format gives what the engine gives whole, also of results of many blocks."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pyarrow as pa
import pytest

GROUPS = 70_000  # two of the engine's blocks
TOTALS = f"SELECT number AS k, count() AS n FROM numbers({GROUPS}) GROUP BY k WITH TOTALS ORDER BY k"
QUERIES = {
    "totals": f"{TOTALS} SETTINGS max_threads = 1",
    "extremes": f"SELECT number AS k, toString(number) AS s FROM numbers({GROUPS}) SETTINGS extremes = 1",
    "both": f"{TOTALS} SETTINGS max_threads = 1, extremes = 1",
    "a view's totals": "SELECT * FROM view(" + TOTALS + ") ORDER BY k SETTINGS max_threads = 1",
    "totals of nothing": "SELECT number AS k, count() AS n FROM numbers(0) GROUP BY k WITH TOTALS",
}
FORMATS = [
    *("TSV", "TSVWithNames", "TSVWithNamesAndTypes", "CSV", "CSVWithNames", "JSON", "JSONCompact", "JSONStrings"),
    *("JSONEachRow", "JSONCompactEachRow", "JSONCompactEachRowWithNames", "XML", "Values", "Markdown", "Vertical"),
    *("RowBinary", "RowBinaryWithNamesAndTypes", "Native", "TSKV", "JSONEachRowWithProgress"),
    *("JSONStringsEachRowWithProgress", "JSONCompactEachRowWithProgress", "CustomSeparated"),
]
#: Formats a result whole, as the engine itself does it: of each line of the input, a format and a query.
ENGINE = """
import sys
from chdb import _chdb
connection = _chdb.connect(":memory:")
for line in sys.stdin:
    form, _, query = line.rstrip("\\n").partition(" ")
    whole = connection.query(query, form).bytes()
    sys.stdout.buffer.write(len(whole).to_bytes(8, "little") + whole)
    sys.stdout.buffer.flush()
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[subprocess.Popen[bytes]]:
    """The engine without an endpoint."""
    command = [sys.executable, "-c", ENGINE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process


def whole(engine: subprocess.Popen[bytes], form: str, query: str) -> bytes:
    assert engine.stdin is not None and engine.stdout is not None
    engine.stdin.write(f"{form} {query}\n".encode())
    engine.stdin.flush()
    return engine.stdout.read(int.from_bytes(engine.stdout.read(8), "little"))


@pytest.mark.parametrize(
    ("what", "form"),
    [
        *(("both", form) for form in FORMATS),
        *((what, form) for what in QUERIES if what != "both" for form in ("TSV", "CSVWithNames", "JSON", "XML")),
    ],
)
def test_totals_and_extremes_are_those_of_the_whole_result(
    loader: httpx.Client, engine: subprocess.Popen[bytes], form: str, what: str
) -> None:
    joint = ", " if "SETTINGS" in QUERIES[what] else " SETTINGS "
    query = f"{QUERIES[what]}{joint}output_format_write_statistics = 0"
    answer = loader.post("/", params={"default_format": form}, content=query)
    assert answer.status_code == 200, answer.text
    expected = whole(engine, form, query)
    if form == "Native":  # the blocks may be cut otherwise
        assert len(answer.content) == pytest.approx(len(expected), rel=0.01)
    else:
        assert _without_progress(answer.content) == _without_progress(expected)


@pytest.mark.parametrize("form", ["Arrow", "ArrowStream"])
@pytest.mark.parametrize("what", QUERIES)
def test_arrow_has_the_rows_alone(loader: httpx.Client, form: str, what: str) -> None:
    answer = loader.post("/", params={"default_format": form}, content=QUERIES[what])
    assert answer.status_code == 200, answer.text
    read = pa.ipc.open_stream if form == "ArrowStream" else pa.ipc.open_file
    assert read(answer.content).read_all().num_rows == (0 if what == "totals of nothing" else GROUPS)


def test_extremes_may_come_by_the_url_or_the_session(analyst: httpx.Client) -> None:
    query = f"SELECT number AS k FROM numbers({GROUPS})"
    by_url = analyst.post("/", params={"extremes": "1", "default_format": "CSVWithNames"}, content=query).text
    assert by_url.startswith('"k"\n0\n') and by_url.endswith(f"{GROUPS - 1}\n\n0\n{GROUPS - 1}\n")
    session = {"session_id": "extremes", "default_format": "CSVWithNames"}
    analyst.post("/", params=session, content="SET extremes = 1")
    assert analyst.post("/", params=session, content=query).text == by_url


def _without_progress(answer: bytes) -> bytes:
    """What it took differs from one run to the next."""
    return re.sub(rb'\{"progress":\{[^}]*\}\}\n', b"", answer)
