"""``firehose query``: SQL to ClickHouse as the read-only analyst; a table, or any of ClickHouse's formats.

Lives here: reading the statement, printing the answer. Must not: connecting, SQL of our own.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Final

import typer

from firehose_cli.console import harmless, until_closed

if TYPE_CHECKING:
    from rich.table import Table

_ROWS: Final = "JSONCompactStringsEachRowWithNamesAndTypes"
_OWN_FORMAT: Final = re.compile(r"\bFORMAT\s+\w+\s*;*\s*$", re.IGNORECASE)
_NUMBER: Final = re.compile(r"^(?:Nullable\(|LowCardinality\()*(?:U?Int\d|B?Float|Decimal)")
_NULL: Final = "ᴺᵁᴸᴸ"  # as the format writes it
_CELL: Final = 80
_READABLE: Final = 12  # characters that a column needs to tell anything
# The server holds the answer back until it is complete: an error then is an error, not half a result.
_SETTINGS: Final = {"wait_end_of_query": "1"}


def query(
    sql: Annotated[str, typer.Argument(help="The statement; - reads it from standard input")],
    output_format: Annotated[
        str, typer.Option("--format", help="A ClickHouse format, such as CSVWithNames: printed as it comes")
    ] = "",
) -> None:
    """Run SQL on ClickHouse and print the answer. A line on standard error says so if events are missing in it."""
    from firehose import settings
    from firehose.warehouse.client import clickhouse_errors, connect
    from firehose.warehouse.incomplete import warning

    statement = sys.stdin.read() if sql == "-" else sql
    raw = bool(output_format) or bool(_OWN_FORMAT.search(statement))
    began = time.monotonic()
    with clickhouse_errors():
        client = connect(settings.load(), "analyst")
        try:
            if raw:
                with client.raw_stream(statement, settings=_SETTINGS, fmt=output_format or None) as answer:
                    _copy(iter(lambda: answer.read(1 << 16), b""))
            else:
                body = client.raw_query(statement, settings=_SETTINGS, fmt=_ROWS)
                _show(body, time.monotonic() - began)
            if said := warning(client, _OWN_FORMAT.sub("", statement)):
                print(said, file=sys.stderr)  # noqa: T201 - a command
        finally:
            client.close()


def _copy(chunks: Iterator[bytes]) -> None:
    """Write to standard output until it is all there, or the reader has had enough."""
    with until_closed():
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()


def _show(body: bytes, seconds: float) -> None:
    """Print a table to standard output, and the number of rows to standard error."""
    import msgspec

    from firehose_cli.console import UNBOUNDED, stdout

    # Not splitlines: the text of posts may hold other line separators than JSON's escaped newline.
    lines = body.decode(errors="replace").rstrip("\n").split("\n")
    rows = [msgspec.json.decode(line, type=list[str]) for line in lines if line]
    if len(rows) >= 2:
        console = stdout()
        made = table(rows[0], rows[1], rows[2:])
        natural = console.measure(made, options=console.options.update(width=UNBOUNDED)).maximum
        too_narrow = natural > console.width and console.width // len(rows[0]) < _READABLE
        console.print(records(rows[0], rows[2:]) if too_narrow else made)
    count = max(len(rows) - 2, 0)
    print(f"{count} row{'' if count == 1 else 's'} in {seconds:.2f} s", file=sys.stderr)  # noqa: T201 - a command


def table(names: list[str], types: list[str], rows: list[list[str]]) -> Table:
    """A rich table of values in ClickHouse's text form: numbers to the right, long values cut."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name, kind in zip(names, types, strict=True):
        made.add_column(Text(cell(name)), justify="right" if _NUMBER.match(kind) else "left", no_wrap=True)
    for row in rows:
        made.add_row(*(Text(cell(value), style="dim" if value == _NULL else "") for value in row))
    return made


def records(names: list[str], rows: list[list[str]]) -> Table:
    """The same for a terminal that is too narrow for all columns: one line a value, a rule between rows."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, show_header=False, pad_edge=False)
    for row in rows:
        for name, value in zip(names, row, strict=True):
            made.add_row(Text(cell(name), style="bold"), Text(cell(value)))
        made.add_row("─" * max(map(len, names)), "")
    return made


def cell(value: str) -> str:
    """A value on one line of at most 80 characters. Text of strangers loses what could steer a terminal."""
    return harmless(value if len(value) <= _CELL else value[: _CELL - 1] + "…")
