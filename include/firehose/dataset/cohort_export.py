"""What a cohort did as files: Parquet, CSV, or a list of edges, with what is missing of the span beside it.

The rows are those of ``firehose.cohort_activity``, read and written batch by batch, in no order. Must not: print,
know a command's options.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from clickhouse_connect.driver.client import Client

from firehose import files
from firehose.dataset import arrow, statements
from firehose.dataset.asked import Asked
from firehose.dataset.completeness import Completeness, completeness
from firehose.errors import FirehoseError
from firehose.warehouse.client import clickhouse_errors
from firehose.warehouse.selects import quoted
from firehose.warehouse.stream import streamed

#: Each ``what`` of the view, and the record type that says so.
WHAT: Final = {
    "post": "posts",
    "reply": "posts",
    "like": "likes",
    "repost": "reposts",
    "follow": "follows",
    "like_received": "likes",
    "repost_received": "reposts",
    "reply_received": "posts",
    "quote_received": "posts",
    "follower": "follows",
    "network_post": "posts",
}
COMPLETENESS: Final = "completeness.json"
_ROWS: Final = pa.schema(
    [
        ("date", pa.date32()),
        ("hour_start", pa.timestamp("s", tz="UTC")),
        ("witnessed_at", pa.timestamp("us", tz="UTC")),
        *((name, pa.string()) for name in ("what", "member_did", "did", "uri", "target_did", "target_uri")),
    ]
)
_EDGES: Final = pa.schema(
    [("who", pa.string()), ("whom", pa.string()), ("how", pa.string()), ("when", pa.timestamp("us", tz="UTC"))]
)
_VIEW: Final = "firehose.cohort_activity(cohort = {cohort})"
_SELECT: Final = f"SELECT {', '.join(_ROWS.names)} FROM {_VIEW} WHERE {{where}}"
#: What one member did to another is in the view twice, as done by the one and as done to the other. It is an edge.
_HOW: Final = "if(what = 'follower', 'follow', replaceOne(what, '_received', ''))"
_SELECT_EDGES: Final = f"""
SELECT did AS who, target_did AS whom, {_HOW} AS how, witnessed_at AS when
FROM {_VIEW}
WHERE {{where}} AND target_did != '' AND NOT (what != how AND how IN ({{what}})
    AND did IN (SELECT did FROM firehose.cohorts WHERE cohort = {{cohort}}))"""


class Form(StrEnum):
    """What an export may be."""

    PARQUET = "parquet"
    CSV = "csv"
    EDGES = "edges"


_FILES: Final = {Form.PARQUET: "activity.parquet", Form.CSV: "activity.csv", Form.EDGES: "edges.csv"}


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What an export wrote: its file, with the digest by which it is known, and the rows in it."""

    cohort: str
    what: list[str]
    since_us: int | None
    until_us: int | None
    file: str
    sha256: str
    rows: int
    completeness: msgspec.Raw


def checked_what(text: str) -> list[str]:
    """The kinds of a list with commas; empty: all.

    Raises:
        FirehoseError: there is no such kind.
    """
    given = [*dict.fromkeys(part.strip() for part in text.split(","))] if text else [*WHAT]
    if unknown := [name for name in given if name not in WHAT]:
        raise FirehoseError(f"{unknown[0]!r} is nothing that a cohort did: write some of {', '.join(WHAT)}")
    return given


def export(
    client: Client, cohort: str, what: Sequence[str], form: Form, folder: Path, span: Asked
) -> tuple[Exported, Completeness]:
    """Write what ``cohort``, which exists, did in the span of ``span``, in place of an earlier export.

    The completeness is written last, and names the digest of the rows' file.

    Raises:
        FirehoseError: ClickHouse refuses, or an hour file cannot be read.
        ServiceUnavailable: the connection broke.
        DiskFailed: the disk is full, read-only or broken.
    """
    # Before the rows: those of a batch that is loaded in between are more than it says.
    known = _completeness(client, what, span)
    statement, schema = _statement(cohort, what, form, span)
    path, rows = folder / _FILES[form], 0
    with files.replacing(path) as part, _WRITERS[form](part, schema) as writer:
        for batch in _batches(client, statement, schema):
            writer.write_batch(batch)
            rows += batch.num_rows
    made = Exported(
        cohort=cohort,
        what=[*what],
        since_us=span.since,
        until_us=span.until,
        file=path.name,
        sha256=files.sha256(path),
        rows=rows,
        completeness=msgspec.Raw(known.to_json()),
    )
    files.write_bytes(folder / COMPLETENESS, msgspec.json.format(msgspec.json.encode(made)))
    return made, known


def _batches(client: Client, statement: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    with streamed(client, statement, "ArrowStream") as body:
        for batch in pa.ipc.open_stream(body):
            yield arrow.conform(batch, schema)


def _statement(cohort: str, what: Sequence[str], form: Form, span: Asked) -> tuple[str, pa.Schema]:
    listed = ", ".join(map(quoted, what))
    conditions = [f"what IN ({listed})"]
    for sign, moment in ((">=", span.since), ("<", span.until)):
        if moment is not None:
            conditions.append(f"witnessed_at {sign} fromUnixTimestamp64Micro({moment}, 'UTC')")
    select, schema = (_SELECT_EDGES, _EDGES) if form is Form.EDGES else (_SELECT, _ROWS)
    made = select.format(cohort=quoted(cohort), where=" AND ".join(conditions), what=listed)
    return made, schema


def _completeness(client: Client, what: Sequence[str], span: Asked) -> Completeness:
    """Of the types that say what was asked for."""
    hours: list[Sequence[Any]] = []
    gaps: dict[tuple[Any, ...], None] = {}
    with clickhouse_errors():
        for name in dict.fromkeys(WHAT[each] for each in what):
            asked = Asked(name, span.since, span.until)
            hours += client.query(statements.completeness(asked), tz_mode="aware").result_rows
            gaps |= {tuple(row): None for row in client.query(statements.gaps(asked), tz_mode="aware").result_rows}
        ((begins, ends),) = client.query(statements.BOUNDS).result_rows
    return completeness(span, hours, [*gaps], (begins, ends))


_WRITERS: Final[dict[Form, Callable[[Path, pa.Schema], AbstractContextManager[Any]]]] = {
    Form.PARQUET: lambda path, schema: pq.ParquetWriter(path, schema, compression="zstd"),
    Form.CSV: pa_csv.CSVWriter,
    Form.EDGES: pa_csv.CSVWriter,
}
