"""``firehose status``: one screen, a line for each station of the pipeline.

Lives here: options, the screen. Must not: look, judge (firehose.observe, firehose.monitor).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Final

import typer

from firehose_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from rich.console import Group

    from firehose.monitor.stations import Station
    from firehose.observe import Snapshot

    _Looked = tuple[Snapshot, list[Station]]

_STYLES: Final = {
    "ok": "green",
    "warning": "yellow",
    "error": "bold red",
    "unknown": "magenta",
    "not set up": "dim",
}


def status(
    watch: Annotated[
        bool, typer.Option("--watch", help="Draw it again every few seconds, until Ctrl-C; in a pipe once.")
    ] = False,
    every: Annotated[float, typer.Option(min=1, help="Seconds between two looks of --watch.")] = 5,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object: stations, and all that was seen.")
    ] = False,
) -> None:
    """Show each station of the pipeline: its state, its figures, and since when something is wrong.

    Exit status 1 if something has stopped; a warning leaves it at 0. Nothing is changed.
    """
    from firehose.monitor.stations import healthy
    from firehose_cli.console import stdout

    look = _looker()
    if watch and not as_json and sys.stdout.isatty():
        seen, found = _watch(look, every)
    else:
        seen, found = look()
        _print_json(seen, found) if as_json else stdout().print(_screen(seen, found))
    raise typer.Exit(ExitCode.of(ok=healthy(found)))


def _looker() -> Callable[[], _Looked]:
    """What looks at the pipeline, and remembers between two looks what need not be read again."""
    from firehose.monitor.conditions import judge
    from firehose.monitor.stations import stations
    from firehose.observe import PARTS, Observer
    from firehose.settings import load

    settings = load()
    observer = Observer(settings)

    def look() -> _Looked:
        seen = observer.look()
        findings, _ = judge(settings, seen, PARTS)
        return seen, stations(seen, findings)

    return look


def _watch(look: Callable[[], _Looked], every: float) -> _Looked:
    from rich.live import Live

    from firehose_cli.console import stdout

    looked = look()
    try:
        with Live(_screen(*looked), console=stdout(), auto_refresh=False) as live:
            while True:
                time.sleep(every)
                looked = look()
                live.update(_screen(*looked), refresh=True)
    except KeyboardInterrupt:
        return looked


def _screen(seen: Snapshot, found: list[Station]) -> Group:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from firehose_cli.console import harmless

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for station in found:
        said = [Text(harmless(station.said))]
        for name, problem in station.problems.items():
            said.append(Text(f"{harmless(problem)} [{name}]", style=_STYLES[station.state]))
        if station.since:
            said.append(Text(f"since {station.since:%Y-%m-%d %H:%M:%S} UTC", style="dim"))
        table.add_row(
            Text(station.name, style="bold"), Text(station.state, style=_STYLES[station.state]), Group(*said)
        )
    return Group(Text(f"{seen.at:%Y-%m-%d %H:%M:%S} UTC", style="dim"), table)


def _print_json(seen: Snapshot, found: list[Station]) -> None:
    import msgspec

    from firehose.monitor.stations import healthy

    whole = {"healthy": healthy(found), "stations": found, "seen": seen}
    sys.stdout.buffer.write(msgspec.json.encode(whole) + b"\n")
    sys.stdout.buffer.flush()
