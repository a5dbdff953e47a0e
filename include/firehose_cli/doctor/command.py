"""``firehose doctor``: options, and the lines that it prints. Must not: check anything."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Final, Optional

import typer

from firehose_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from firehose_cli.doctor.running import Result

_STYLES: Final = {"ok": "green", "warning": "yellow", "failure": "bold red", "not checked": "dim"}


def doctor(
    only: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads it at run time
        typer.Option(help="Only this subject, such as redis, or this check, such as redis.policy; repeatable."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for each check, one a line.")
    ] = False,
    show: Annotated[bool, typer.Option("--list", help="List the checks, and what each looks at.")] = False,
) -> None:
    """Check versions, settings, Redis, ClickHouse, lake, clock, source and Airflow; say how to mend what is wrong.

    Exit status 1 if a check has failed. Nothing is changed, and no secret is printed.
    """
    from firehose_cli.doctor.catalogue import chosen
    from firehose_cli.doctor.running import run

    checks = chosen(only or [])
    if show:
        for check in checks:
            typer.echo(f"{check.name:24}{(check.run.__doc__ or '').strip().splitlines()[0]}")
        return
    found: Counter[str] = Counter()
    for result in run(checks):
        found[result.finding.state] += 1
        _print_json(result) if as_json else _print(result)
    if not as_json:
        typer.echo(", ".join(f"{count} {state}" for state, count in found.items()), err=True)
    raise typer.Exit(ExitCode.of(ok=not found["failure"]))


def _print(result: Result) -> None:
    from rich.text import Text

    from firehose_cli.console import harmless, stdout

    state, said, remedy = result.finding
    console = stdout()
    line = Text.assemble((f"{state:12}", _STYLES[state]), (f"{result.name:24}", "bold"), harmless(said))
    console.print(line, soft_wrap=True)
    if remedy:
        console.print(Text(f"{'':12}to do: {harmless(remedy)}"), soft_wrap=True)


def _print_json(result: Result) -> None:
    import msgspec

    state, said, remedy = result.finding
    fields = {"check": result.name, "state": state, "said": said, "remedy": remedy}
    typer.echo(msgspec.json.encode(fields | {"seconds": round(result.seconds, 3)}))
