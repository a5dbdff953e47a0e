"""What the commands of ``firehose bench`` share: options, and the printing of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from devstack.bench.concurrency import ConcurrencyReport
    from devstack.bench.cookbook import CookbookReport
    from devstack.bench.page import PageReport
    from devstack.bench.query import QueryReport
    from devstack.bench.report import BenchReport
    from devstack.bench.search import SearchReport
    from devstack.bench.storage import StorageReport

Events = Annotated[int, typer.Option(min=1000, help="How many events to measure with.")]
Rounds = Annotated[int, typer.Option(min=1, help="How often each question is asked, after a first time.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def printed(
    report: BenchReport
    | ConcurrencyReport
    | CookbookReport
    | PageReport
    | QueryReport
    | SearchReport
    | StorageReport,
    as_json: bool,
) -> None:
    """Print the figures, as a table or as JSON."""
    import msgspec
    from rich.table import Table

    from firehose_cli.console import stdout

    if as_json:
        typer.echo(msgspec.json.encode(report))
        return
    table = Table("figure", "value", title=f"bench {report.name}")
    for key, value in msgspec.structs.asdict(report).items():
        rows = value.items() if isinstance(value, dict) else [("", value)]
        for part, figure in rows:
            table.add_row(
                f"{key} {part}".strip(), f"{figure:,}" if isinstance(figure, int | float) else str(figure)
            )
    stdout().print(table)
