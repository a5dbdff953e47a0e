"""``firehose crosscheck``: parses options, runs :mod:`firehose.crosscheck`, prints the differences by type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from firehose.crosscheck.run import CrosscheckReport


def crosscheck(
    host_a: Annotated[str, typer.Argument(help="A stream's URL: …/subscribe is v1, …/subscribeEvents v2.")],
    host_b: Annotated[str, typer.Argument(help="The URL to compare it with.")],
    hour: Annotated[str, typer.Option(help="A past hour in UTC, such as 2026-11-23T20.")],
    tolerance: Annotated[
        float, typer.Option(min=0, max=1, help="Share of a type's events that may be on one host only.")
    ] = 0.01,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare what two Jetstream hosts sent in an hour, by type and operation."""
    import msgspec

    from firehose.crosscheck.run import crosscheck as run
    from firehose.errors import FirehoseError
    from firehose.jetstream import host_of

    report = run(host_of(host_a), host_of(host_b), hour)
    if as_json:
        typer.echo(msgspec.json.encode(report))
    else:
        _print(report)
    for host, count in zip((report.a, report.b), report.unreadable, strict=True):
        if count:
            typer.echo(f"{host}: {count} messages are not events, so they were not compared", err=True)
    if beyond := report.beyond(tolerance):
        types = ", ".join(f"{difference.type} {difference.share:.2%}" for difference in beyond)
        raise FirehoseError(f"the hosts differ by more than {tolerance:.2%} of a type's events: {types}")


def _print(report: CrosscheckReport) -> None:
    from rich.table import Table

    from firehose_cli.console import stdout

    title = f"{report.hour:%Y-%m-%dT%H}: A is {report.a}, B is {report.b}"
    table = Table("type", "operation", "A", "B", "only in A", "only in B", "difference", title=title)
    for difference in report.differences:
        counts = map(str, (difference.a, difference.b, difference.only_a, difference.only_b))
        table.add_row(difference.type, difference.operation, *counts, f"{difference.share:.2%}")
    stdout().print(table)
